"""The causal transformer: pre-norm GPT-2 blocks whose keys are the observed tokens alone."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from firsthand.policy.config import TrunkConfig
from firsthand.policy.modules.kv_cache import RingKVCache

BASE = 10_000.0


class Rotation(NamedTuple):
    """Cosine and sine of each token's angles, to be broadcast over heads.

    After Su et al. 2021 (RoFormer): queries and keys are turned by angles that grow with their
    frame, so that their product depends on the difference of frames alone. All tokens of a frame
    share its angles. A window may slide over such a sequence for ever: keys that were turned once
    stay right.
    """

    cosine: Float[Tensor, "*n half"]
    sine: Float[Tensor, "*n half"]


def rotation(frames: Int[Tensor, "*n"], width: int) -> Rotation:
    """The angles of frames for heads of `width` numbers, at wavelengths from 2π frames up.

    Computed in double precision: in single, an angle of 1000 is wrong in the fifth place.

    Raises:
        ValueError: the width is odd.
    """
    if width % 2:
        raise ValueError(f"numbers are turned in pairs: a head cannot be {width} wide")
    half = torch.arange(width // 2, device=frames.device, dtype=torch.float64) / (width // 2)
    angles = frames[..., None] * BASE**-half
    return Rotation(angles.cos().float(), angles.sin().float())


def rotate(x: Float[Tensor, "b heads n c"], by: Rotation) -> Float[Tensor, "b heads n c"]:
    """x turned: its first and second half are the coordinates of its pairs."""
    first, second = x.float().chunk(2, dim=-1)
    turned = [first * by.cosine - second * by.sine, first * by.sine + second * by.cosine]
    return torch.cat(turned, dim=-1).to(x.dtype)


# torch's fused CPU kernel works by blocks of keys. Below about this many, its backward pass in
# bfloat16 is several times slower than plain matrix products; everything else it does faster
# (`python -m firsthand.benchmarks.attention` says by how much).
SHORT = 128


def attend(
    q: Float[Tensor, "b heads n c"],
    k: Float[Tensor, "b heads m c"],
    v: Float[Tensor, "b heads m c"],
    mask: Bool[Tensor, "#b 1 n m"] | None = None,
    dropout: float = 0.0,
) -> Float[Tensor, "b heads n c"]:
    """Softmax of q·k over the root of c, where the mask is true, times v."""
    short = q.device.type == "cpu" and k.shape[-2] <= SHORT
    if short and q.dtype == torch.bfloat16 and torch.is_grad_enabled():
        with sdpa_kernel(SDPBackend.MATH):
            return F.scaled_dot_product_attention(q, k, v, mask, dropout)
    return F.scaled_dot_product_attention(q, k, v, mask, dropout)


PLACES = 1024  # GPT-2's

# New keys and values in, all that can be attended to out.
Memory = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class TransformerBlock(nn.Module):
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
        self,
        x: Float[Tensor, "b n d"],
        keys: int,
        mask: Bool[Tensor, "#b 1 n m"] | None,
        angles: Rotation | None = None,
        memory: Memory | None = None,
        first: int = 0,
    ) -> Float[Tensor, "b _ d"]:
        """The tokens from number `first` on, attending to the first `keys` ones.

        With a memory, `mask` is about all that the memory holds (m) instead.
        """
        y = self._attend(self.attention_norm(x), keys, mask, angles, memory, first)
        x = x[:, first:] + self._drop(y)
        return x + self._drop(self.mlp_out(self.activation(self.mlp_in(self.mlp_norm(x)))))

    def _attend(
        self,
        x: Float[Tensor, "b n d"],
        keys: int,
        mask: Bool[Tensor, "#b 1 n m"] | None,
        angles: Rotation | None,
        memory: Memory | None,
        first: int,
    ) -> Float[Tensor, "b _ d"]:
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.query_key_value(x).chunk(3, dim=-1)
        )
        if angles is not None:
            q, k = rotate(q, angles), rotate(k, angles)
        k, v = k[:, :, :keys], v[:, :, :keys]
        if memory is not None:
            k, v = memory(k, v)
        if mask is not None:
            mask = mask[:, :, first:]
        y = attend(q[:, :, first:], k, v, mask, self.dropout if self.training else 0.0)
        return self.attention_out(y.transpose(1, 2).flatten(2))

    def _drop(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        return F.dropout(x, self.dropout, self.training)


class Trunk(nn.Module):
    """Observed tokens and queries in, the queries transformed out.

    One LayerNorm over all tokens before the blocks and one after. What tells tokens and steps
    apart was added before (`time`, GR-1), is added here by each token's place, after the first
    norm (`learned`, GR1-Training), or turns queries and keys by their frame (`rotary`).
    """

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.config = config
        self.input_norm = nn.LayerNorm(config.width)
        if config.position == "learned":
            self.embed_position = nn.Embedding(PLACES, config.width)
        self.blocks = nn.ModuleList(TransformerBlock(config) for _ in range(config.depth))
        self.output_norm = nn.LayerNorm(config.width)

    def forward(
        self,
        observed: Float[Tensor, "b m d"],
        queries: Float[Tensor, "b q d"],
        mask: Bool[Tensor, "#b 1 n m"] | None,
        positions: Int[Tensor, " n"] | None = None,
    ) -> Float[Tensor, "b q d"]:
        """A whole sequence at once.

        positions: for `learned` every token's place (`Layout.position_ids`), for `rotary` its frame
        (`Layout.frames`), for `time` not used.

        Raises:
            ValueError: a place is beyond the last of the table.
        """
        keys = observed.shape[1]
        x, angles = self.input_norm(torch.cat([observed, queries], dim=1)), None
        if self.config.position != "time":
            assert positions is not None
            if self.config.position == "learned":
                x = x + self._places(positions, x)
            else:
                angles = self._angles(positions.to(x.device))
        x = F.dropout(x, self.config.dropout, self.training)
        for block in self.blocks:
            # Of the last block only the queries are wanted.
            x = block(x, keys, mask, angles, first=keys if block is self.blocks[-1] else 0)
        return self.output_norm(x)

    @torch.no_grad()
    def step(
        self,
        observed: Float[Tensor, "b k d"],
        queries: Float[Tensor, "b q d"],
        within: Bool[Tensor, "n k"],
        ring: RingKVCache,
        env_indices: Int[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "b q d"]:
        """One new frame for each of `env_indices` (distinct; None: all, in order), after those that
        `ring` remembers: what `forward` says of it, at the cost of its own tokens.

        within: which token may attend to which inside a frame (`Layout.mask` of one step).

        Raises:
            ValueError: the trunk is in training mode, its positions are not rotary, or the ring
                was made for other frames.
        """
        if self.training or self.config.position != "rotary":
            raise ValueError(
                "only a trunk in evaluation mode with trunk.position=rotary can go step by step; "
                f"this one has trunk.position={self.config.position}, training={self.training}"
            )
        keys = observed.shape[1]
        if keys != ring.observed_size:
            raise ValueError(
                f"the ring has room for {ring.observed_size} tokens a frame, not {keys}"
            )
        frames = ring.frames if env_indices is None else ring.frames[env_indices]
        angles, mask = self._angles(frames[:, None, None]), ring.mask(within, env_indices)
        x = self.input_norm(torch.cat([observed, queries], dim=1))
        for layer, block in enumerate(self.blocks):
            memory = partial(ring.write, layer, env_indices)
            x = block(x, keys, mask, angles, memory, first=keys if block is self.blocks[-1] else 0)
        ring.advance(env_indices)
        return self.output_norm(x)

    def _places(
        self, positions: Int[Tensor, " n"], x: Float[Tensor, "b n d"]
    ) -> Float[Tensor, "n d"]:
        if (last := int(positions.max())) >= PLACES:
            raise ValueError(
                f"trunk.position=learned knows {PLACES} places: a sequence of {last + 1} tokens is "
                "too long, take fewer steps or fewer queries"
            )
        return self.embed_position(positions.to(x.device))

    def _angles(self, frames: Int[Tensor, "*n"]) -> Rotation:
        return rotation(frames, self.config.width // self.config.heads)
