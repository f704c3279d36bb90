"""The future-frame decoder, its targets and its loss.

GR-1 (after MAE, He et al. 2022) predicts the pixels of 16×16 patches, each patch normalised by its
own mean and deviation. Such a prediction cannot be displayed, since the future patch's mean and
deviation are unknown. Ours predicts pixels and measures the error in units of the true patch's
deviation: the same weighting of patches, and a picture comes out.
"""

from functools import lru_cache

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

from policy.config import TrunkConfig, VideoConfig
from policy.trunk import Block


class VideoDecoder(nn.Module):
    """Query outputs and a grid of patch tokens to the patches of a future picture.

    Shared by all cameras. With `from_current`, a patch token starts from the features of the same
    patch of the current picture and the output is added to its pixels, so that an untrained
    decoder predicts no change; without, from one learned mask token, as GR-1 does.
    """

    def __init__(self, config: VideoConfig, trunk_width: int, cell_width: int) -> None:
        super().__init__()
        self.from_current = config.from_current
        self.embed_query = nn.Linear(trunk_width, config.width)
        self.mask_token = nn.Parameter(torch.zeros(config.width))
        if config.from_current:
            self.embed_cell = nn.Linear(cell_width, config.width)
        block = TrunkConfig(config.width, config.depth, config.heads, activation=config.activation)
        self.blocks = nn.ModuleList(Block(block) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width)
        self.predict = nn.Linear(config.width, 3 * config.patch**2)
        if config.from_current:
            nn.init.zeros_(self.predict.weight)
            nn.init.zeros_(self.predict.bias)

    def forward(
        self,
        queries: Float[Tensor, "n q d"],
        grid: Float[Tensor, "n c _ _"],
        current: Float[Tensor, "n p c3"],
    ) -> Float[Tensor, "n p c3"]:
        """The patches (0..1, not clipped) of the picture that `current` will turn into."""
        rows = round(current.shape[1] ** 0.5)
        position = sincos_position(rows, self.mask_token.numel()).to(current.device)
        cells = (self.mask_token + position).expand(len(current), -1, -1)
        if self.from_current:
            cells = cells + self.embed_cell(gather_cells(grid, rows))
        x = torch.cat([self.embed_query(queries), cells], dim=1)
        for block in self.blocks:
            x = block(x, x.shape[1], None)
        patches = self.predict(self.norm(x[:, queries.shape[1] :])).float()
        if self.from_current:
            patches = patches + current
        return patches


def gather_cells(grid: Float[Tensor, "n c _ _"], rows: int) -> Float[Tensor, "n p c2"]:
    """The features under each patch, side by side."""
    return rearrange(grid, "n c (r i) (s j) -> n (r s) (i j c)", r=rows, s=rows)


def patchify(pictures: Shaped[Tensor, "*n 3 h h"], patch: int) -> Shaped[Tensor, "*n p c"]:
    """Row by row of patches; within one, pixels row by row, their colours last (MAE's order)."""
    return rearrange(pictures, "... c (r i) (s j) -> ... (r s) (i j c)", i=patch, j=patch)


def unpatchify(patches: Float[Tensor, "*n p c"], patch: int) -> Float[Tensor, "*n 3 h h"]:
    rows = round(patches.shape[-2] ** 0.5)
    return rearrange(patches, "... (r s) (i j c) -> ... c (r i) (s j)", r=rows, i=patch, j=patch)


def video_loss(
    predicted: Float[Tensor, "b t p c"],
    target: Float[Tensor, "b t p c"],
    valid: Bool[Tensor, "b t"],
    floor: float,
) -> Float[Tensor, ""]:
    """Mean squared error of each patch over the true patch's variance, valid frames alone.

    GR-1 normalises both by the true patch's mean as well; here a wrong mean costs too.
    """
    deviation = target.std(dim=-1, correction=0) + floor
    error = (predicted - target).square().mean(dim=-1) / deviation.square()
    return (error.mean(dim=-1) * valid).sum() / valid.sum().clamp(min=1)


@lru_cache
def sincos_position(rows: int, width: int) -> Float[Tensor, "p {width}"]:
    """The fixed 2-D table of MAE: half the width tells the column, half the row."""
    frequency = 1 / 10000 ** (torch.arange(width // 4, dtype=torch.float64) / (width / 4))
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(rows), indexing="ij")
    angles = [place.flatten()[:, None] * frequency for place in (column, row)]
    return torch.cat([f(a) for a in angles for f in (torch.sin, torch.cos)], dim=1).float()
