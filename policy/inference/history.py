"""What a policy remembers of the frames it has seen while it acts, in memory that never grows."""

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
    """The tokens of each seat's last frames; the trunk reads the whole window at every look.

    A learned vector for each slot of the window was added to the tokens, so when the window slides
    every key and value changes: tokens can be kept, keys and values cannot.
    """

    def __init__(self, policy: ActingModel, seats: int, apart: float) -> None:
        """apart: how many looks lie between two frames of a window."""
        config = policy.config
        self.policy = policy
        self.layout = acting_layout(policy)
        self.apart = round(apart)
        self.slots = (config.n_obs_steps - 1) * self.apart + 1
        shape = (seats, self.slots, self.layout.observed_size, config.trunk.width)
        self.tokens = torch.zeros(shape, device=next(policy.parameters()).device)
        self.seen = [0] * seats

    @property
    def nbytes(self) -> int:
        return self.tokens.nbytes

    def forget(self, seat: int) -> None:
        self.seen[seat] = 0

    def add(self, seats: list[int], tokens: Float[Tensor, "b k d"]) -> None:
        """One more frame for each of these seats."""
        slots = [self.seen[seat] % self.slots for seat in seats]
        self.tokens[seats, slots] = tokens.to(self.tokens.dtype)
        for seat in seats:
            self.seen[seat] += 1

    def action_outputs(self, seats: list[int]) -> Float[Tensor, "b 1 q d"]:
        """The action queries' outputs at these seats' last frames."""
        of_length: dict[int, list[int]] = defaultdict(list)
        for seat in seats:
            frames = (self.seen[seat] - 1) // self.apart + 1
            of_length[min(frames, self.policy.config.n_obs_steps)].append(seat)
        read = {}
        for length, group in of_length.items():
            outputs = self._read(group, length)
            read |= dict(zip(group, outputs, strict=True))
        return torch.stack([read[seat] for seat in seats])

    def _read(self, seats: list[int], length: int) -> Float[Tensor, "b 1 q d"]:
        back = self.apart * torch.arange(length - 1, -1, -1)
        slots = (torch.tensor([self.seen[seat] - 1 for seat in seats])[:, None] - back) % self.slots
        window = self.tokens[torch.tensor(seats)[:, None], slots]
        valid = torch.ones(window.shape[:2], dtype=torch.bool, device=window.device)
        return self.policy.run_transformer(window, valid, self.layout, query_steps=1)["action"]


class KVCacheHistory:
    """The keys and values of each seat's last frames: a new frame costs its own tokens alone."""

    def __init__(self, policy: ActingModel, seats: int, apart: float) -> None:
        """apart: how many looks lie between two frames of a window.

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
        self.ring = RingKVCache(config.trunk, config.n_obs_steps, layout.observed_size, seats).to(
            device
        )
        self.within = layout.mask(1).to(device)
        self.read = torch.zeros(seats, 1, layout.query_size, config.trunk.width, device=device)

    @property
    def nbytes(self) -> int:
        return sum(buffer.nbytes for buffer in self.ring.buffers())

    def forget(self, seat: int) -> None:
        self.ring.reset(torch.tensor([seat], device=self.read.device))

    def add(self, seats: list[int], tokens: Float[Tensor, "b k d"]) -> None:
        """One more frame for each of these seats."""
        chosen = torch.tensor(seats, device=self.read.device)
        queries = self.policy.queries(self.layout).expand(len(seats), -1, -1)
        all_seats = seats == list(range(len(self.read)))  # whose ring need not be gathered
        outputs = self.policy.trunk.step(
            tokens, queries, self.within, self.ring, None if all_seats else chosen
        )
        self.read[chosen] = outputs[:, None].to(self.read.dtype)

    def action_outputs(self, seats: list[int]) -> Float[Tensor, "b 1 q d"]:
        """The action queries' outputs at these seats' last frames."""
        return self.read[seats]


def acting_layout(policy: ActingModel) -> Layout:
    """The tokens of a step of which actions alone are asked."""
    cameras = tuple(camera.name for camera in policy.config.cameras)
    return policy.layout(cameras, state=True, actions=True, futures=())
