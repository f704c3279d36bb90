"""A policy in the closed loop: observations of several environments in, one action each out.

At every step the released GR-1 encodes ten frames of two cameras, of which two images are new. Here
a frame's tokens are kept, since they depend on that frame alone, the instruction is encoded once,
and the action query is read at the last step alone: the same actions but for rounding.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from firsthand.policy.batch import Batch
from firsthand.policy.inference.action_chunk_queue import ActionQueue, ChunkQueue
from firsthand.policy.inference.history import ActingModel, KVCacheHistory, TokenHistory
from firsthand.policy.inference.temporal_ensemble import TemporalEnsembler

Observation = Mapping[str, Any]


@dataclass
class EnvState:
    """The encoded instruction of one environment, and the actions that are left to do there."""

    instruction: Float[Tensor, " d"]
    queue: ActionQueue


class PolicyActor:
    """Acts in `num_envs` environments side by side, each with its own instruction and history.

    Those that want an action at the same moment are served as one batch. Observations are
    CALVIN's: `rgb_obs` by camera, (h, w, 3) uint8, and `robot_obs`, 15 numbers.

    Raises:
        ValueError: the policy has learned from video alone and cannot act.
    """

    def __init__(self, policy: ActingModel, num_envs: int = 1) -> None:
        if policy.statistics.frames == 0:
            raise ValueError(
                "this policy has learned from video alone and cannot act: fine-tune it first"
            )
        self.policy = policy
        self.device = next(policy.parameters()).device
        stride = max(1, round(policy.config.obs_stride_s * policy.config.control_hz))
        n_action_steps = policy.config.action.n_action_steps
        # Frames between two chunks are encoded only if some later window holds them.
        self.every = (
            n_action_steps if policy.config.n_obs_steps == 1 or stride % n_action_steps == 0 else 1
        )
        kind = KVCacheHistory if policy.config.trunk.position == "rotary" else TokenHistory
        self.memory = kind(policy, num_envs, stride / self.every)
        self._envs: list[EnvState | None] = [None] * num_envs

    def reset(self, env_index: int, instruction: str) -> None:
        """Begin to act on a new instruction in one environment: its history is forgotten."""
        encoded = self.policy.encode_instructions([instruction])[0].to(self.device)
        action = self.policy.config.action
        queue = (
            ChunkQueue(action)
            if action.temporal_ensemble_coeff is None
            else TemporalEnsembler(action)
        )
        self._envs[env_index] = EnvState(encoded, queue)
        self.memory.forget(env_index)

    @torch.inference_mode()
    def select_actions(self, observations: Mapping[int, Observation]) -> dict[int, np.ndarray]:
        """The next action (7 numbers) of every environment observed, in the order given.

        Raises:
            RuntimeError: an environment was not `reset` before.
            ValueError: an observation lacks a camera, or holds images or a state of another kind.
        """
        envs = {index: self._env(index) for index in observations}
        due = [index for index, env in envs.items() if env.queue.due]
        encoded = due if self.every > 1 else list(envs)
        if encoded:
            tokens, _ = self.policy.embed_observation(
                self._batch([envs[i] for i in encoded], [observations[i] for i in encoded])
            )
            self.memory.add(encoded, tokens[:, 0])
        if due:
            arm, gripper = self.policy.action_head(self.memory.action_outputs(due))
            for index, *chunk in zip(due, arm[:, 0].cpu(), gripper[:, 0].cpu(), strict=True):
                envs[index].queue.add(*chunk)
        return {index: env.queue.next().numpy() for index, env in envs.items()}

    def _env(self, index: int) -> EnvState:
        if (env := self._envs[index]) is None:
            raise RuntimeError(f"call reset({index}, instruction) before environment {index} acts")
        return env

    def _batch(self, envs: list[EnvState], observations: list[Observation]) -> Batch:
        """The observations as sequences of one frame."""
        images = {
            camera.name: torch.stack(
                [_image(observation, camera.name) for observation in observations]
            )[:, None]
            for camera in self.policy.config.cameras
        }
        state = np.stack([_state(observation) for observation in observations])
        return Batch(
            images=images,
            valid=torch.ones(len(envs), 1, dtype=torch.bool),
            instruction=torch.stack([env.instruction for env in envs]),
            state=torch.from_numpy(state).float()[:, None],
        ).to(self.device)


def _image(observation: Observation, camera: str) -> Tensor:
    """A camera's image (3, h, h), uint8, checked to be what the policy was trained on."""
    images = observation.get("rgb_obs", {})
    if camera not in images:
        raise ValueError(
            f"the policy looks through {camera}, and rgb_obs holds {', '.join(images) or 'none'}"
        )
    array = np.asarray(images[camera])
    height, width, *colours = array.shape if array.ndim == 3 else (0, 0, 0)
    if array.dtype != np.uint8 or colours != [3] or not height:
        raise ValueError(
            f"rgb_obs[{camera!r}] is {_kind(array)}; a picture is (height, width, 3) of uint8, "
            "red, green and blue from 0 to 255"
        )
    if height != width:
        raise ValueError(
            f"rgb_obs[{camera!r}] is {height} pixels high and {width} wide; the policy looks at "
            "squares: cut one out, or resize it as the pictures it was trained on"
        )
    return torch.from_numpy(np.ascontiguousarray(array)).permute(2, 0, 1)


def _state(observation: Observation) -> np.ndarray:
    state = np.asarray(observation.get("robot_obs"))
    if state.shape != (15,) or state.dtype.kind not in "fiu":
        raise ValueError(f"robot_obs is {_kind(state)}; CALVIN's is (15,) of numbers")
    if not np.isfinite(state).all():
        raise ValueError(f"robot_obs must be finite, not {state.tolist()}")
    return state


def _kind(array: np.ndarray) -> str:
    """An array's shape and type in words."""
    return f"{array.shape} of {array.dtype}"
