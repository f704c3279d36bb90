"""A policy in the closed loop: history in, one action at a time out."""

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from policy.batch import Batch

if TYPE_CHECKING:
    from policy.policy import Policy


class Actor:
    """Acts on one instruction. Keeps the observations that the window needs, and the actions of the
    last chunk that are still to be executed."""

    def __init__(self, policy: "Policy", instruction: str) -> None:
        config = policy.config
        if policy.statistics.frames == 0:
            raise ValueError(
                "this policy has learned from video alone and cannot act: fine-tune it first"
            )
        self.policy = policy
        self.stride = max(1, round(config.stride * config.control_hz))
        self.history: deque[Mapping[str, Any]] = deque(maxlen=(config.length - 1) * self.stride + 1)
        self.instruction = policy.encode_instructions([instruction])
        self.planned: deque[Float[Tensor, " 7"]] = deque()

    @torch.no_grad()
    def select_action(self, observation: Mapping[str, Any]) -> np.ndarray:
        self.history.append(observation)
        if not self.planned:
            chunk = self.policy.predict(self._window(), watch=False).actions
            assert chunk is not None
            self.planned.extend(chunk[0, -1, : self.policy.config.action.execute].cpu())
        return self.planned.popleft().numpy()

    def _window(self) -> Batch:
        """The observations a stride apart up to now: as many as the window holds and there are."""
        seen = list(self.history)[:: -self.stride][::-1]
        device = next(self.policy.parameters()).device
        images = {
            camera.name: torch.stack(
                [_picture(observation["rgb_obs"][camera.name]) for observation in seen]
            )[None]
            for camera in self.policy.config.cameras
        }
        state = np.stack([observation["robot_obs"] for observation in seen])
        return Batch(
            images=images,
            valid=torch.ones(1, len(seen), dtype=torch.bool),
            instruction=self.instruction,
            state=torch.from_numpy(state).float()[None],
        ).to(device)


def _picture(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).permute(2, 0, 1)
