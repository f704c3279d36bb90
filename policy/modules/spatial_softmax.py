"""A grid of features to a few tokens by softmax maps and their centres."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from firsthand.policy.config import PoolingConfig
from firsthand.policy.modules.fourier import fourier_features, fourier_width

LONGEST, OCTAVES = 4.0, 5  # half a picture is 1: waves from two pictures down to an eighth


class Pooled(NamedTuple):
    """Tokens, and where on the grid each looked (None for pools without such maps)."""

    tokens: Float[Tensor, "n k c"]
    attention: Float[Tensor, "n k rows columns"] | None


class SpatialSoftmax(nn.Module):
    """Each token is the feature under one softmax map, together with the map's centre.

    A map looks for a learned feature plus one that depends on the instruction, so that "red" can
    mean red from the start. The centre (spatial softmax, Levine et al. 2016) says *where* to a
    fraction of a grid cell, which is what a hand must know to reach.
    """

    def __init__(self, config: PoolingConfig, width: int, instruction_width: int) -> None:
        super().__init__()
        self.width = width + fourier_width(2, OCTAVES)
        self.tokens = config.tokens
        self.sought = nn.Linear(instruction_width, config.tokens * width)
        nn.init.normal_(self.sought.weight, std=width**-0.5)
        nn.init.normal_(self.sought.bias, std=width**-0.5)

    def forward(
        self, grid: Float[Tensor, "n c rows columns"], instruction: Float[Tensor, "n d"]
    ) -> Pooled:
        rows, columns = grid.shape[-2:]
        features = grid.flatten(2)
        sought = self.sought(instruction).unflatten(-1, (self.tokens, -1))
        weights = (sought @ features).float().softmax(dim=-1)
        positions = weights @ centres(rows, columns, weights).T
        seen = weights.to(features.dtype) @ features.transpose(1, 2)
        tokens = torch.cat(
            [seen, fourier_features(positions, LONGEST, OCTAVES).to(seen.dtype)], dim=-1
        )
        return Pooled(tokens, weights.unflatten(2, (rows, columns)))


def centres(rows: int, columns: int, like: Tensor) -> Float[Tensor, "2 n"]:
    """The x and y of every cell of a grid, from -1 (left, top) to 1 (right, bottom)."""
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, rows, device=like.device, dtype=like.dtype),
        torch.linspace(-1, 1, columns, device=like.device, dtype=like.dtype),
        indexing="ij",
    )
    return torch.stack([x, y]).flatten(1)
