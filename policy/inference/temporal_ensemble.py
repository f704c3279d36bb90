"""ACT's temporal ensemble: the actions that the last steps' chunks have for now, averaged."""

from collections import deque

import torch
from jaxtyping import Float
from torch import Tensor

from firsthand.policy.config import ActionConfig
from firsthand.policy.modules.action_head import decode_actions


class TemporalEnsembler:
    """The average of the actions that all chunks so far have for now (Zhao et al. 2023, section 4):
    an `ActionQueue` that is due at every step.

    The i-th oldest chunk weighs exp(-temporal_ensemble_coeff * i).
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
        actions = torch.stack(
            [chunk[steps] for chunk, steps in zip(self._chunks, age, strict=True)]
        )
        weight = torch.softmax(
            -self.config.temporal_ensemble_coeff * torch.arange(len(actions)).float(), dim=0
        )
        mean = (weight[:, None] * actions).sum(dim=0)
        return decode_actions(mean[:6], mean[6], self.config.clip)
