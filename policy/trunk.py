"""The causal transformer: pre-norm GPT-2 blocks whose keys are the observed tokens alone."""

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float
from torch import Tensor, nn

from policy.attention import attend
from policy.config import TrunkConfig


class Block(nn.Module):
    """Attention, then a two-layer perceptron, each on a normalised copy of the stream."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        width, hidden = config.width, config.width * config.mlp_ratio
        self.heads = config.heads
        self.dropout = config.dropout
        self.activation = {"relu": F.relu, "gelu": F.gelu}[config.activation]
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp_in = nn.Linear(width, hidden)
        self.mlp_out = nn.Linear(hidden, width)

    def forward(
        self, x: Float[Tensor, "b n d"], keys: int, mask: Bool[Tensor, "#b 1 n m"] | None
    ) -> Float[Tensor, "b n d"]:
        x = x + self._drop(self._attend(self.attention_norm(x), keys, mask))
        return x + self._drop(self.mlp_out(self.activation(self.mlp_in(self.mlp_norm(x)))))

    def _attend(
        self, x: Float[Tensor, "b n d"], keys: int, mask: Bool[Tensor, "#b 1 n m"] | None
    ) -> Float[Tensor, "b n d"]:
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.query_key_value(x).chunk(3, dim=-1)
        )
        dropout = self.dropout if self.training else 0.0
        y = attend(q, k[:, :, :keys], v[:, :, :keys], mask, dropout)
        return self.attention_out(y.transpose(1, 2).flatten(2))

    def _drop(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        return F.dropout(x, self.dropout, self.training)


class Trunk(nn.Module):
    """Observed tokens and queries in, both transformed out.

    One LayerNorm over all tokens before the blocks and one after, no position embedding: what
    tells tokens apart was added before (GR-1).
    """

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.input_norm = nn.LayerNorm(config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.output_norm = nn.LayerNorm(config.width)

    def forward(
        self,
        observed: Float[Tensor, "b m d"],
        queries: Float[Tensor, "b q d"],
        mask: Bool[Tensor, "#b 1 n m"] | None,
    ) -> Float[Tensor, "b n d"]:
        x = self.input_norm(torch.cat([observed, queries], dim=1))
        x = F.dropout(x, self.dropout, self.training)
        for block in self.blocks:
            x = block(x, observed.shape[1], mask)
        return self.output_norm(x)
