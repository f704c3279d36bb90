"""The future-frame decoder: query outputs to the patches of the pictures to come."""

from functools import lru_cache

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from firsthand.policy.config import TrunkConfig, VideoConfig
from firsthand.policy.modules.blur import BLURS
from firsthand.policy.modules.transformer import TransformerBlock

CELL = 4  # pixels: edge of the cells in which blurs are mixed


class VideoDecoder(nn.Module):
    """Query outputs to the patches of a future picture. Shared by all cameras.

    A patch's token begins as one learned mask token, as GR-1's does, or, with `start=features`, as
    the features of the same patch of the current picture. Its output is the patch (`mask`), or is
    added to the current picture's (`features`), or to a mixture of the current picture's blurs
    (`blurs`), whose shares are part of the output, for cells of 4x4 pixels. Untrained decoders of
    these two predict no change.
    """

    def __init__(self, config: VideoConfig, trunk_width: int, cell_width: int) -> None:
        super().__init__()
        self.start = config.start
        self.embed_query = nn.Linear(trunk_width, config.width)
        self.mask_token = nn.Parameter(torch.zeros(config.width))
        if config.start == "features":
            self.embed_cell = nn.Linear(cell_width, config.width)
        block = TrunkConfig(config.width, config.depth, config.heads, activation=config.activation)
        self.blocks = nn.ModuleList(TransformerBlock(block) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width)
        self.predict = nn.Linear(config.width, 3 * config.patch**2)
        if config.start != "mask":
            nn.init.zeros_(self.predict.weight)
            nn.init.zeros_(self.predict.bias)
        if config.start == "blurs":
            self.cells = config.patch // CELL
            self.mix = nn.Linear(config.width, BLURS * self.cells**2)
            nn.init.zeros_(self.mix.weight)
            with torch.no_grad():
                self.mix.bias.view(BLURS, -1)[:] = torch.eye(BLURS)[0, :, None]

    def forward(
        self,
        queries: Float[Tensor, "n q d"],
        rows: int,
        current: Float[Tensor, "n m p c3"] | None = None,
        grid: Float[Tensor, "n c _ _"] | None = None,
    ) -> Float[Tensor, "n p c3"]:
        """The patches of a picture of `rows` rows of them.

        Args:
            queries: the trunk's outputs for one camera.
            rows: how many patches stand above each other.
            current: patches (0..1) of the current picture, or of its blurs; none with `mask`.
            grid: the features of the current picture, with `features`.
        """
        position = sincos_position(rows, self.mask_token.numel()).to(queries.device)
        cells = (self.mask_token + position).expand(len(queries), -1, -1)
        if self.start == "features":
            assert grid is not None
            cells = cells + self.embed_cell(gather_cells(grid, rows))
        x = torch.cat([self.embed_query(queries), cells], dim=1)
        for block in self.blocks:
            x = block(x, x.shape[1], None)
        x = self.norm(x[:, queries.shape[1] :])
        patches = self.predict(x).float()
        if current is None:
            return patches
        if self.start == "features":
            return patches + current[:, 0]
        shares = rearrange(self.mix(x).float(), "n p (m i j) -> n m p i j", m=BLURS, i=self.cells)
        shares = repeat(shares, "n m p i j -> n m p (i a j b e)", a=CELL, b=CELL, e=3)
        return patches + (shares * current).sum(1)


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
