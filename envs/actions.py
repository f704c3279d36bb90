"""The ways to tell the arm what to do, each with its space, read and checked in one place.

Names and meanings are those of CALVIN's simulator (Mees et al. 2022). The last number of every
action is the gripper's: above 0 opens, else closes.

| type | numbers |
|---|---|
| `cartesian_rel` | xyz in units of 2 cm, Euler xyz in units of 0.05 rad, added to the target pose |
| `cartesian_rel_measured` | the same, added to the pose where the tool is |
| `cartesian_abs` | tool position in metres and Euler xyz in radians, in the world |
| `cartesian_abs_quat` | tool position in metres and quaternion x, y, z, w, in the world |
| `joint_abs` | seven joint angles in radians |
| `joint_rel` | radians added to the seven measured joint angles |
"""

from typing import Any

import numpy as np
from gymnasium import spaces
from jaxtyping import Float

from firsthand.common.errors import UserError
from firsthand.envs.playtable import robot
from firsthand.envs.states import vector

_WORKSPACE = (
    np.maximum(np.array(robot.BASE_POSITION) - robot.REACH, (-np.inf, -np.inf, 0.0)),
    np.array(robot.BASE_POSITION) + robot.REACH,
)
_LIMITS: dict[str, tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]] = {
    "cartesian_rel": (-np.ones(6), np.ones(6)),
    "cartesian_rel_measured": (-np.ones(6), np.ones(6)),
    "cartesian_abs": (
        np.append(_WORKSPACE[0], [-np.pi] * 3),
        np.append(_WORKSPACE[1], [np.pi] * 3),
    ),
    "cartesian_abs_quat": (
        np.append(_WORKSPACE[0], -np.ones(4)),
        np.append(_WORKSPACE[1], [1] * 4),
    ),
    "joint_abs": (robot.LOWER, robot.UPPER),
    "joint_rel": (np.full(7, -robot.MAX_TURN), np.full(7, robot.MAX_TURN)),
}
ACTION_TYPES = tuple(_LIMITS)


def space(action_type: str) -> spaces.Box:
    """The gymnasium space of a type's actions.

    Raises:
        UserError: there is no such type.
    """
    if action_type not in ACTION_TYPES:
        raise UserError(f"action_type must be one of {list(ACTION_TYPES)}, not {action_type!r}")
    low, high = _LIMITS[action_type]
    return spaces.Box(np.append(low, -1.0), np.append(high, 1.0), dtype=np.float64)


def read(action_type: str, action: Any) -> Float[np.ndarray, "n"]:
    """An action as finite float64 numbers within its space: Euler angles come round, a quaternion
    gets length 1, everything else is clipped; the gripper becomes -1 or 1.

    Raises:
        UserError: it is not the right number of finite numbers, or a quaternion of length 0.
    """
    low, high = _LIMITS[action_type]
    numbers = vector("the action", action, len(low) + 1)
    numbers[-1] = robot.OPEN if numbers[-1] > 0 else robot.CLOSE
    if action_type == "cartesian_abs":
        numbers[3:6] = robot.wrap(numbers[3:6])
    elif action_type == "cartesian_abs_quat":
        largest = np.abs(numbers[3:7]).max()
        if largest < 1e-6:
            raise UserError(f"the action's quaternion has no direction: {numbers[3:7].tolist()}")
        quaternion = numbers[3:7] / largest  # first, or the length of a huge one would overflow
        numbers[3:7] = quaternion / np.linalg.norm(quaternion)
    numbers[:-1] = np.clip(numbers[:-1], low, high)
    return numbers
