"""The future-frame decoder: query outputs to the patches of the pictures to come."""

from functools import lru_cache

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from firsthand.policy.config import TrunkConfig, VideoConfig
from firsthand.policy.modules.transformer import TransformerBlock


class VideoDecoder(nn.Module):
    """Query outputs and a grid of patch tokens to the patches of a future picture.

    Shared by all cameras. With `residual`, a patch token starts from the features of the same
    patch of the current picture and the output is added to its pixels, so that an untrained
    decoder predicts no change; without, from one learned mask token, as GR-1 does.
    """

    def __init__(self, config: VideoConfig, trunk_width: int, cell_width: int) -> None:
        super().__init__()
        self.residual = config.residual
        self.embed_query = nn.Linear(trunk_width, config.width)
        self.mask_token = nn.Parameter(torch.zeros(config.width))
        if config.residual:
            self.embed_cell = nn.Linear(cell_width, config.width)
        block = TrunkConfig(config.width, config.depth, config.heads, activation=config.activation)
        self.blocks = nn.ModuleList(TransformerBlock(block) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width)
        self.predict = nn.Linear(config.width, 3 * config.patch**2)
        if config.residual:
            nn.init.zeros_(self.predict.weight)
            nn.init.zeros_(self.predict.bias)

    def forward(
        self,
        queries: Float[Tensor, "n q d"],
        rows: int,
        grid: Float[Tensor, "n c _ _"] | None = None,
        current: Float[Tensor, "n p c3"] | None = None,
    ) -> Float[Tensor, "n p c3"]:
        """The patches of a picture of `rows` rows of them.

        Args:
            queries: the trunk's outputs for one camera.
            rows: how many patches stand above each other.
            grid: with `residual`, the features of the current picture.
            current: with `residual`, its patches (0..1): what the outputs are added to.
        """
        position = sincos_position(rows, self.mask_token.numel()).to(queries.device)
        cells = (self.mask_token + position).expand(len(queries), -1, -1)
        if self.residual:
            assert grid is not None
            cells = cells + self.embed_cell(gather_cells(grid, rows))
        x = torch.cat([self.embed_query(queries), cells], dim=1)
        for block in self.blocks:
            x = block(x, x.shape[1], None)
        patches = self.predict(self.norm(x[:, queries.shape[1] :])).float()
        return patches if current is None else patches + current


def gather_cells(grid: Float[Tensor, "n c _ _"], rows: int) -> Float[Tensor, "n p c2"]:
    """The features under each patch, side by side."""
    return rearrange(grid, "n c (r i) (s j) -> n (r s) (i j c)", r=rows, s=rows)


@lru_cache
def sincos_position(rows: int, width: int) -> Float[Tensor, "p {width}"]:
    """The fixed 2-D table of MAE: half the width tells the column, half the row."""
    frequency = 1 / 10000 ** (torch.arange(width // 4, dtype=torch.float64) / (width / 4))
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(rows), indexing="ij")
    angles = [place.flatten()[:, None] * frequency for place in (column, row)]
    return torch.cat([f(a) for a in angles for f in (torch.sin, torch.cos)], dim=1).float()
