"""States that callers hand to a world, read and checked before physics sees them."""

from typing import Any

import numpy as np
from jaxtyping import Float

from firsthand.common.errors import UserError
from firsthand.envs.playtable import layouts, robot

JOINT_SLACK = 0.2  # rad; PyBullet's joint limits give way under load
TRAVEL_SLACK = 0.05  # metres, of fingers, doors, button and switch, for the same reason
ROOM = 4.0  # metres from the middle to the edge of the floor
_BLOCK = ("x", "y", "z", "roll", "pitch", "yaw")
_OPENINGS = ("slide", "drawer", "button", "switch")
_ROBOT_NAMES = (
    *("tool x", "tool y", "tool z", "tool roll", "tool pitch", "tool yaw", "gripper width"),
    *(f"joint {i}" for i in range(1, 8)),
    "gripper action",
)
_SCENE_NAMES = (
    *_OPENINGS,
    "bulb",
    "LED",
    *(f"{block} {name}" for block in layouts.BLOCK_COLORS for name in _BLOCK),
)


def vector(name: str, values: Any, size: int) -> Float[np.ndarray, "n"]:
    """Values as a new float64 vector of the right size.

    Raises:
        UserError: they are not numbers, not `size` of them in one dimension, or not all finite;
            what is masked is no number.
    """
    try:
        given = np.asarray(values)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise UserError(f"{name} must be {size} numbers: {error}") from error
    if given.dtype.kind not in "fiu":
        raise UserError(f"{name} must be {size} numbers, not {given.dtype} values")
    if given.shape != (size,):
        raise UserError(f"{name} must have shape ({size},), not {given.shape}")
    with np.errstate(over="ignore"):  # a wider float may not fit: then it is infinite
        numbers = given.astype(np.float64)
    if isinstance(values, np.ma.MaskedArray):
        numbers[np.ma.getmaskarray(values)] = np.nan
    if not np.isfinite(numbers).all():
        raise UserError(f"{name} must be finite, not {numbers.tolist()}")
    return numbers


def read_robot_obs(values: Any) -> Float[np.ndarray, "15"]:
    """CALVIN's robot_obs. Joints, gripper width and last gripper action are what is restored.

    Raises:
        UserError: it is no such vector, or holds what the arm cannot have been in.
    """
    obs = vector("robot_obs", values, 15)
    low, high = np.full(15, -ROOM), np.full(15, ROOM)
    low[3:6], high[3:6] = -2 * np.pi, 2 * np.pi
    low[6], high[6] = -TRAVEL_SLACK, robot.MAX_WIDTH + TRAVEL_SLACK
    low[7:14], high[7:14] = robot.LOWER - JOINT_SLACK, robot.UPPER + JOINT_SLACK
    low[14], high[14] = -1, 1
    _check("robot_obs", obs, low, high, _ROBOT_NAMES)
    if abs(obs[14]) != 1:
        raise UserError(f"robot_obs[14] (gripper action) must be -1 or 1, not {obs[14]}")
    return obs


def read_scene_obs(values: Any, layout: layouts.DeskLayout) -> Float[np.ndarray, "24"]:
    """CALVIN's scene_obs, with the blocks in the order red, blue, pink.

    Raises:
        UserError: it is no such vector, or holds what this scene cannot have been in.
    """
    obs = vector("scene_obs", values, 24)
    low, high = np.full(24, -2 * np.pi), np.full(24, 2 * np.pi)
    low[:4] = -TRAVEL_SLACK
    high[:4] = (
        layout.door_travel,
        layouts.DRAWER_TRAVEL,
        layouts.BUTTON_TRAVEL,
        layouts.SWITCH_TRAVEL,
    )
    high[:4] += TRAVEL_SLACK
    low[4:6], high[4:6] = 0, 1
    for block in range(6, 24, 6):
        low[block : block + 3], high[block : block + 3] = (-ROOM, -ROOM, 0), ROOM
    _check("scene_obs", obs, low, high, _SCENE_NAMES)
    for index in (4, 5):
        if obs[index] not in (0, 1):
            name = _SCENE_NAMES[index]
            raise UserError(f"scene_obs[{index}] ({name}) must be 0 or 1, not {obs[index]}")
    if bool(obs[4]) != bool(obs[3] > layouts.SWITCH_THRESHOLD):
        raise UserError(
            f"scene_obs[4] says that the bulb is {'on' if obs[4] else 'off'}, but the switch in"
            f" scene_obs[3] is at {obs[3]:g} m: it is on above {layouts.SWITCH_THRESHOLD:g} m"
        )
    return obs


def _check(
    name: str,
    obs: Float[np.ndarray, "n"],
    low: Float[np.ndarray, "n"],
    high: Float[np.ndarray, "n"],
    entries: tuple[str, ...],
) -> None:
    outside = np.flatnonzero((obs < low) | (obs > high))
    if len(outside):
        i = outside[0]
        raise UserError(
            f"{name}[{i}] ({entries[i]}) is {obs[i]:g}, outside {low[i]:.4g} to {high[i]:.4g}"
        )
