"""A grid of features to a few tokens: spatial softmax, or a perceiver resampler."""

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor, nn

from firsthand.policy.config import PoolingConfig
from firsthand.policy.modules.spatial_softmax import Pooled, SpatialSoftmax
from firsthand.policy.modules.transformer import attend


class PerceiverResampler(nn.Module):
    """Learned latents that read the patches by cross-attention (Flamingo, Alayrac et al. 2022).

    As GR-1 uses it: one learned vector is added to every patch, keys and values are patches and
    latents together, linear layers have no biases. The instruction is not used.
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
