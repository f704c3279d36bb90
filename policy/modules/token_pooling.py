"""A grid of features to a few tokens: spatial softmax, or a perceiver resampler."""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor, nn

from firsthand.policy.config import PoolingConfig
from firsthand.policy.modules.fourier import fourier_features, fourier_width
from firsthand.policy.modules.transformer import attend

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
        places = weights @ centres(rows, columns, weights).T
        seen = weights.to(features.dtype) @ features.transpose(1, 2)
        tokens = torch.cat(
            [seen, fourier_features(places, LONGEST, OCTAVES).to(seen.dtype)], dim=-1
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


class PerceiverResampler(nn.Module):
    """Learned latents that read the patches by cross-attention (Flamingo, Alayrac et al. 2022).

    As GR-1 uses it: one learned vector is added to every patch, keys and values are patches and
    latents together, linear layers have no biases. The instruction is not looked at.
    """

    def __init__(self, config: PoolingConfig, width: int) -> None:
        super().__init__()
        self.width = width
        self.latents = nn.Parameter(torch.randn(config.tokens, width))
        self.patch_embedding = nn.Parameter(torch.randn(width))
        self.layers = nn.ModuleList(ResamplerLayer(config, width) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width)

    def forward(
        self, grid: Float[Tensor, "n c rows columns"], instruction: Float[Tensor, "n d"]
    ) -> Pooled:
        patches = grid.flatten(2).transpose(1, 2) + self.patch_embedding
        latents = self.latents.expand(len(patches), -1, -1)
        for layer in self.layers:
            latents = layer(latents, patches)
        return Pooled(self.norm(latents), None)


class ResamplerLayer(nn.Module):
    """Cross-attention and a perceptron, both residual."""

    def __init__(self, config: PoolingConfig, width: int) -> None:
        super().__init__()
        inner = config.heads * config.head_width
        self.heads = config.heads
        self.patch_norm = nn.LayerNorm(width)
        self.latent_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, inner, bias=False)
        self.key_value = nn.Linear(width, 2 * inner, bias=False)
        self.attention_out = nn.Linear(inner, width, bias=False)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp_in = nn.Linear(width, 4 * width, bias=False)
        self.mlp_out = nn.Linear(4 * width, width, bias=False)

    def forward(
        self, latents: Float[Tensor, "n k c"], patches: Float[Tensor, "n p c"]
    ) -> Float[Tensor, "n k c"]:
        normed = self.latent_norm(latents)
        source = torch.cat([self.patch_norm(patches), normed], dim=1)
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query(normed), *self.key_value(source).chunk(2, dim=-1))
        )
        read = attend(q, k, v).transpose(1, 2).flatten(2)
        latents = latents + self.attention_out(read)
        return latents + self.mlp_out(F.gelu(self.mlp_in(self.mlp_norm(latents))))


def pool(
    config: PoolingConfig, width: int, instruction_width: int
) -> SpatialSoftmax | PerceiverResampler:
    if config.kind == "spatial_softmax":
        return SpatialSoftmax(config, width, instruction_width)
    return PerceiverResampler(config, width)
