"""From the chunks of actions that a policy predicts to the one action that is carried out."""

from collections import deque
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from firsthand.policy.config import ActionConfig
from firsthand.policy.modules.action_head import decode_actions


@runtime_checkable
class ActionQueue(Protocol):
    """The actions that are left to do in one environment."""

    @property
    def due(self) -> bool:
        """Whether a chunk must be predicted before the next action."""
        ...

    def add(self, arm: Float[Tensor, "k 6"], gripper: Float[Tensor, " k"]) -> None:
        """A chunk just predicted, its first action for now."""
        ...

    def next(self) -> Float[Tensor, " 7"]:
        """The action for now."""
        ...


class ChunkQueue:
    """The first `n_action_steps` actions of a chunk are done before the next one is predicted."""

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
