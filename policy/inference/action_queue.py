"""From the chunks of actions that a policy says to the one action that is carried out."""

from collections import deque
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from firsthand.policy.config import ActionConfig
from firsthand.policy.modules.action_head import decode_actions


@runtime_checkable
class ActionQueue(Protocol):
    """What is to be done in one world."""

    @property
    def due(self) -> bool:
        """Whether the policy must look before the next action."""
        ...

    def add(self, arm: Float[Tensor, "k 6"], gripper: Float[Tensor, " k"]) -> None:
        """A chunk that the policy has just said, its first action for now."""
        ...

    def next(self) -> Float[Tensor, " 7"]:
        """The action for now."""
        ...


class ChunkQueue:
    """The first `execute` actions of a chunk are carried out, then the policy looks again."""

    def __init__(self, config: ActionConfig) -> None:
        self.config = config
        self._left: deque[Float[Tensor, " 7"]] = deque()

    @property
    def due(self) -> bool:
        return not self._left

    def add(self, arm: Float[Tensor, "k 6"], gripper: Float[Tensor, " k"]) -> None:
        actions = decode_actions(arm, gripper, self.config.clip)
        self._left.extend(actions[: self.config.n_action_steps])

    def next(self) -> Float[Tensor, " 7"]:
        return self._left.popleft()


class TemporalEnsembler:
    """The average of what all chunks so far say of now (ACT's temporal ensemble, Zhao et al. 2023).

    The i-th oldest chunk weighs exp(-ensemble * i).
    """

    def __init__(self, config: ActionConfig) -> None:
        self.config = config
        self._chunks: deque[Float[Tensor, "k 7"]] = deque(maxlen=config.chunk_size)

    @property
    def due(self) -> bool:
        return True

    def add(self, arm: Float[Tensor, "k 6"], gripper: Float[Tensor, " k"]) -> None:
        self._chunks.append(torch.cat([arm, gripper[:, None]], dim=-1).float())

    def next(self) -> Float[Tensor, " 7"]:
        assert self.config.temporal_ensemble_coeff is not None
        age = range(len(self._chunks) - 1, -1, -1)
        said = torch.stack([chunk[steps] for chunk, steps in zip(self._chunks, age, strict=True)])
        weight = torch.softmax(
            -self.config.temporal_ensemble_coeff * torch.arange(len(said)).float(), dim=0
        )
        mean = (weight[:, None] * said).sum(dim=0)
        return decode_actions(mean[:6], mean[6], self.config.clip)
