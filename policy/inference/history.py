"""What a policy keeps of past frames while it acts: tokens, or keys and values, of fixed size."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from firsthand.policy.batch import Batch
from firsthand.policy.config import PolicyConfig
from firsthand.policy.layout import Layout
from firsthand.policy.modules.action_head import ActionHead
from firsthand.policy.modules.kv_cache import RingKVCache
from firsthand.policy.modules.transformer import Trunk
from firsthand.policy.statistics import Statistics


@runtime_checkable
class ActingModel(Protocol):
    """What acting asks of a policy (`policy.policy.Policy` is one)."""

    config: PolicyConfig
    statistics: Statistics
    trunk: Trunk
    action_head: ActionHead

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def layout(
        self, cameras: tuple[str, ...], state: bool, actions: bool, futures: tuple[str, ...]
    ) -> Layout: ...

    def encode_instructions(self, sentences: list[str]) -> Float[Tensor, "n d"]: ...

    def embed_observation(self, batch: Batch) -> tuple[Float[Tensor, "b t n d"], Any]: ...

    def run_transformer(
        self, tokens: Tensor, valid: Tensor, layout: Layout, query_steps: int | None = None
    ) -> dict[str, Tensor]: ...

    def queries(self, layout: Layout) -> Float[Tensor, "q d"]: ...


class TokenHistory:
    """The tokens of each environment's last frames; the trunk reads the whole window every time.

    A learned vector for each slot of the window was added to the tokens, so when the window slides
    every key and value changes: tokens can be kept, keys and values cannot.
    """

    def __init__(self, policy: ActingModel, num_envs: int, apart: float) -> None:
        """apart: how many encoded frames lie between two frames of a window."""
        config = policy.config
        self.policy = policy
        self.layout = acting_layout(policy)
        self.apart = round(apart)
        self.slots = (config.n_obs_steps - 1) * self.apart + 1
        shape = (num_envs, self.slots, self.layout.observed_size, config.trunk.width)
        self.tokens = torch.zeros(shape, device=next(policy.parameters()).device)
        self.seen = [0] * num_envs

    @property
    def nbytes(self) -> int:
        return self.tokens.nbytes

    def forget(self, env_index: int) -> None:
        self.seen[env_index] = 0

    def add(self, env_indices: list[int], tokens: Float[Tensor, "b k d"]) -> None:
        """One more frame for each of these environments."""
        slots = [self.seen[env_index] % self.slots for env_index in env_indices]
        self.tokens[env_indices, slots] = tokens.to(self.tokens.dtype)
        for env_index in env_indices:
            self.seen[env_index] += 1

    def action_outputs(self, env_indices: list[int]) -> Float[Tensor, "b 1 q d"]:
        """The action queries' outputs at these environments' last frames."""
        of_length: dict[int, list[int]] = defaultdict(list)
        for env_index in env_indices:
            frames = (self.seen[env_index] - 1) // self.apart + 1
            of_length[min(frames, self.policy.config.n_obs_steps)].append(env_index)
        read = {}
        for length, group in of_length.items():
            outputs = self._read(group, length)
            read |= dict(zip(group, outputs, strict=True))
        return torch.stack([read[env_index] for env_index in env_indices])

    def _read(self, env_indices: list[int], length: int) -> Float[Tensor, "b 1 q d"]:
        back = self.apart * torch.arange(length - 1, -1, -1)
        slots = (
            torch.tensor([self.seen[env_index] - 1 for env_index in env_indices])[:, None] - back
        ) % self.slots
        window = self.tokens[torch.tensor(env_indices)[:, None], slots]
        valid = torch.ones(window.shape[:2], dtype=torch.bool, device=window.device)
        return self.policy.run_transformer(window, valid, self.layout, query_steps=1)["action"]


class KVCacheHistory:
    """Keys and values of each environment's last frames: a new frame costs its own tokens alone."""

    def __init__(self, policy: ActingModel, num_envs: int, apart: float) -> None:
        """apart: how many encoded frames lie between two frames of a window.

        Raises:
            ValueError: it is not one.
        """
        config = policy.config
        if apart != 1:
            steps = config.obs_stride_s * config.control_hz
            raise ValueError(
                "trunk.position=rotary looks once every stride: "
                f"obs_stride_s * control_hz is {steps:g} control steps, "
                f"action.n_action_steps is {config.action.n_action_steps}: make them equal"
            )
        self.policy = policy
        self.layout = layout = acting_layout(policy)
        device = next(policy.parameters()).device
        self.ring = RingKVCache(
            config.trunk, config.n_obs_steps, layout.observed_size, num_envs
        ).to(device)
        self.within = layout.mask(1).to(device)
        self.read = torch.zeros(num_envs, 1, layout.query_size, config.trunk.width, device=device)

    @property
    def nbytes(self) -> int:
        return sum(buffer.nbytes for buffer in self.ring.buffers())

    def forget(self, env_index: int) -> None:
        self.ring.reset(torch.tensor([env_index], device=self.read.device))

    def add(self, env_indices: list[int], tokens: Float[Tensor, "b k d"]) -> None:
        """One more frame for each of these environments."""
        chosen = torch.tensor(env_indices, device=self.read.device)
        queries = self.policy.queries(self.layout).expand(len(env_indices), -1, -1)
        everyone = env_indices == list(range(len(self.read)))  # then the ring need not be gathered
        outputs = self.policy.trunk.step(
            tokens, queries, self.within, self.ring, None if everyone else chosen
        )
        self.read[chosen] = outputs[:, None].to(self.read.dtype)

    def action_outputs(self, env_indices: list[int]) -> Float[Tensor, "b 1 q d"]:
        """The action queries' outputs at these environments' last frames."""
        return self.read[env_indices]


def acting_layout(policy: ActingModel) -> Layout:
    """The tokens of a step of which actions alone are predicted."""
    cameras = tuple(camera.name for camera in policy.config.cameras)
    return policy.layout(cameras, state=True, actions=True, futures=())
