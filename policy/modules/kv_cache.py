"""Keys and values of the frames that a sliding window still shows: nothing is computed twice."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from firsthand.policy.config import TrunkConfig


class RingKVCache(nn.Module):
    """Room for the last `window` frames of `num_envs` environments that are acted in side by side.

    A frame takes the slot of the frame that has just left the window. Shapes never change and
    nothing grows, so that a step can be compiled or captured as a CUDA graph. A module for the
    sake of its buffers (`to`, fixed addresses); it is no part of a policy and never saved.
    """

    keys: Tensor
    values: Tensor
    frames: Tensor

    def __init__(
        self,
        config: TrunkConfig,
        window: int,
        observed_size: int,
        num_envs: int = 1,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.window = window
        self.observed_size = observed_size
        width = config.width // config.heads
        shape = (config.depth, num_envs, config.heads, window, observed_size, width)
        self.register_buffer("keys", torch.zeros(shape, dtype=dtype), persistent=False)
        self.register_buffer("values", torch.zeros(shape, dtype=dtype), persistent=False)
        self.register_buffer("frames", torch.zeros(num_envs, dtype=torch.long), persistent=False)

    def reset(self, env_indices: Int[Tensor, " b"] | None = None) -> None:
        """Forget the frames of these environments (None: all); their next frame is their first."""
        chosen = slice(None) if env_indices is None else env_indices
        self.keys[:, chosen] = 0
        self.values[:, chosen] = 0
        self.frames[chosen] = 0

    def mask(
        self, within: Bool[Tensor, "n k"], env_indices: Int[Tensor, " b"] | None = None
    ) -> Bool[Tensor, "b 1 n m"]:
        """Who of a new frame (row) may look at what the ring holds once that frame is written.

        within: who may look at whom inside the frame.
        """
        slot = torch.arange(self.window, device=self.frames.device)
        frame = self.frames[self._indices(env_indices), None]
        own = (slot == frame % self.window)[:, None, :, None]
        filled = (slot <= frame)[:, None, :, None]
        return torch.where(own, within[:, None], filled).flatten(2)[:, None]

    def write(
        self,
        layer: int,
        env_indices: Int[Tensor, " b"] | None,
        keys: Float[Tensor, "b heads k c"],
        values: Float[Tensor, "b heads k c"],
    ) -> tuple[Float[Tensor, "b heads m c"], Float[Tensor, "b heads m c"]]:
        """Overwrite the oldest frame's keys and values; return all that these environments hold."""
        numbers = self._indices(env_indices)
        slot = self.frames[numbers] % self.window

        def renew(ring: Tensor, new: Tensor) -> Tensor:
            ring[numbers, :, slot] = new.to(ring.dtype)
            held = ring if env_indices is None else ring[env_indices]  # all: no copy
            return held.flatten(2, 3).to(new.dtype)

        return renew(self.keys[layer], keys), renew(self.values[layer], values)

    def advance(self, env_indices: Int[Tensor, " b"] | None = None) -> None:
        """The frame is written in every layer: the next one follows it."""
        self.frames[self._indices(env_indices)] += 1

    def _indices(self, env_indices: Int[Tensor, " b"] | None) -> Int[Tensor, " b"]:
        if env_indices is not None:
            return env_indices
        return torch.arange(len(self.frames), device=self.frames.device)
