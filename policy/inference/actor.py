"""A policy in the closed loop: what the worlds show in, one action each out.

At every step the released GR-1 encodes ten frames of two cameras, of which two pictures are new.
Here a frame's tokens are kept, since they depend on that frame alone, the instruction is encoded
once, and one step's action query is asked: the same actions but for rounding.
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
class Seat:
    """One world: its instruction and what is planned there."""

    instruction: Float[Tensor, " d"]
    plan: ActionQueue


class PolicyActor:
    """Acts in `seats` worlds side by side, each on its own instruction and with its own history.

    Worlds that want an action at the same moment are served as one batch. Observations are
    CALVIN's: `rgb_obs` by camera, (h, w, 3) uint8, and `robot_obs`, 15 numbers.

    Raises:
        ValueError: the policy has learned from video alone and cannot act.
    """

    def __init__(self, policy: ActingModel, seats: int = 1) -> None:
        if policy.statistics.frames == 0:
            raise ValueError(
                "this policy has learned from video alone and cannot act: fine-tune it first"
            )
        self.policy = policy
        self.device = next(policy.parameters()).device
        stride = max(1, round(policy.config.obs_stride_s * policy.config.control_hz))
        n_action_steps = policy.config.action.n_action_steps
        # Frames between two looks are needed only if some later window shows them.
        self.every = (
            n_action_steps if policy.config.n_obs_steps == 1 or stride % n_action_steps == 0 else 1
        )
        kind = KVCacheHistory if policy.config.trunk.position == "rotary" else TokenHistory
        self.memory = kind(policy, seats, stride / self.every)
        self._seats: list[Seat | None] = [None] * seats

    def reset(self, seat: int, instruction: str) -> None:
        """Begin to act on a new instruction in one world: its history is forgotten."""
        said = self.policy.encode_instructions([instruction])[0].to(self.device)
        action = self.policy.config.action
        plan = (
            ChunkQueue(action)
            if action.temporal_ensemble_coeff is None
            else TemporalEnsembler(action)
        )
        self._seats[seat] = Seat(said, plan)
        self.memory.forget(seat)

    @torch.inference_mode()
    def select_actions(self, observations: Mapping[int, Observation]) -> dict[int, np.ndarray]:
        """The next action (7 numbers) of every seat that shows something, in the order given.

        Raises:
            RuntimeError: a seat was not `reset` before.
            ValueError: an observation lacks a camera, or holds pictures or a state of another kind.
        """
        seats = {number: self._seat(number) for number in observations}
        due = [number for number, seat in seats.items() if seat.plan.due]
        shown = due if self.every > 1 else list(seats)
        if shown:
            tokens, _ = self.policy.embed_observation(
                self._batch([seats[n] for n in shown], [observations[n] for n in shown])
            )
            self.memory.add(shown, tokens[:, 0])
        if due:
            arm, gripper = self.policy.action_head(self.memory.action_outputs(due))
            for number, *chunk in zip(due, arm[:, 0].cpu(), gripper[:, 0].cpu(), strict=True):
                seats[number].plan.add(*chunk)
        return {number: seat.plan.next().numpy() for number, seat in seats.items()}

    def _seat(self, number: int) -> Seat:
        if (seat := self._seats[number]) is None:
            raise RuntimeError(f"call reset({number}, instruction) before seat {number} acts")
        return seat

    def _batch(self, seats: list[Seat], observations: list[Observation]) -> Batch:
        """What the worlds show now, as sequences of one frame."""
        images = {
            camera.name: torch.stack(
                [_picture(observation, camera.name) for observation in observations]
            )[:, None]
            for camera in self.policy.config.cameras
        }
        state = np.stack([_state(observation) for observation in observations])
        return Batch(
            images=images,
            valid=torch.ones(len(seats), 1, dtype=torch.bool),
            instruction=torch.stack([seat.instruction for seat in seats]),
            state=torch.from_numpy(state).float()[:, None],
        ).to(self.device)


def _picture(observation: Observation, camera: str) -> Tensor:
    """A camera's picture as it was trained on: colours from 0 to 255, last, and a square."""
    pictures = observation.get("rgb_obs", {})
    if camera not in pictures:
        raise ValueError(
            f"the policy looks through {camera}, and rgb_obs holds {', '.join(pictures) or 'none'}"
        )
    array = np.asarray(pictures[camera])
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
