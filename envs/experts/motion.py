"""From a waypoint to an action: which way the tool moves, and how fast."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from firsthand.envs.experts.clearance import height_beside, needed_height
from firsthand.envs.experts.world_view import Waypoint, WorldView, unwound
from firsthand.envs.playtable.robot import CLOSE, MAX_STEP, OPEN, wrap

GAIN = 0.2  # share of the remaining way asked for in a control step
SLOWEST = 0.2  # share of the fastest action below which a move is not slowed while it is longer
FUNNEL = (0.012, 0.05)  # metres off the way in at which the tool may be at its end, at its start
GRASP_FUNNEL = (0.008, 0.03)  # the same where a block has to come between the open fingers
COASTING = 3  # control steps that the arm goes on as it moves whatever it is told
TURN_FUNNEL = (0.15, 0.6)  # radians that may be left to turn at the way's end, at its start
TURN_TOLERANCE = 0.12  # radians
LOW = 0.015  # metres below the height needed at which the tool only rises
RELEASE_HEIGHT = 0.07  # metres that the open gripper rises from a block before anything else


def reached(waypoint: Waypoint, robot: Mapping[str, Any]) -> bool:
    """Whether the robot is where a waypoint wants it."""
    error, turn = _errors(waypoint, robot["tcp_pos"], robot["tcp_orn"])
    return waypoint.done or bool(
        (np.abs(error) < waypoint.tolerance).all()
        and np.abs(turn).max() < TURN_TOLERANCE
        and waypoint.opened <= robot["gripper_opening_width"] < waypoint.width
    )


def action(waypoint: Waypoint, view: WorldView, action_repeat: int) -> Float[np.ndarray, "7"]:
    """The action towards a waypoint: in a straight line, at a speed that falls with the distance
    left; on a way in, above what stands between and never lower than the funnel around the way."""
    robot = view.info["robot_info"]
    position = robot["tcp_pos"]
    error, turn = _errors(waypoint, position, robot["tcp_orn"])
    gripper, speed = waypoint.gripper, waypoint.speed or view.style.speed
    axis = np.array(waypoint.approach, np.float64)
    if axis.any():
        carrying = gripper == CLOSE and any(view.holds(name) for name in view.blocks)
        caught = view.between_fingers
        if caught is not None and gripper == CLOSE and not waypoint.carries:
            # Something was just put down: let go of it before the fingers close.
            gripper, carrying = OPEN, False
            error, turn = np.array([0, 0, caught.top + RELEASE_HEIGHT - position[2]]), 0 * turn
        else:
            target = error + position
            if _off_axis(error, axis) > FUNNEL[1]:
                needed = needed_height(view, target + axis, carrying)
            else:
                needed = 0.0 if waypoint.carries else height_beside(view, target)
            funnel = GRASP_FUNNEL if gripper == OPEN else FUNNEL
            drift = COASTING * view.velocity
            error = _through_funnel(error, axis, drift, float(np.abs(turn).max()), funnel)
            error = _above(error, needed - float(position[2]))
    share = 1 - (1 - GAIN) ** action_repeat
    way = error / (MAX_STEP[:3] * action_repeat)
    length = max(float(np.linalg.norm(way)), 1e-9)
    move = way / length * min(speed, max(share * length, min(SLOWEST, length)))
    rotation = share * turn / (MAX_STEP[3:] * action_repeat)
    rotation *= min(1.0, 1 / max(float(np.abs(rotation).max()), 1e-9))
    return np.concatenate([move, rotation, [gripper]])


def _errors(
    waypoint: Waypoint, position: Float[np.ndarray, "3"], euler: Float[np.ndarray, "3"]
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    turn = wrap(np.array([np.pi, waypoint.pitch, 0.0]) - euler)
    turn[2] = waypoint.yaw - unwound(float(euler[2]))
    return np.array(waypoint.position) - position, turn


def _off_axis(error: Float[np.ndarray, "3"], approach: Float[np.ndarray, "3"]) -> float:
    """How far the tool is from the line along which it comes in."""
    axis = approach / np.linalg.norm(approach)
    return float(np.linalg.norm(error - (error @ axis) * axis))


def _through_funnel(
    error: Float[np.ndarray, "3"],
    approach: Float[np.ndarray, "3"],
    drift: Float[np.ndarray, "3"],
    turn: float,
    funnel: tuple[float, float],
) -> Float[np.ndarray, "3"]:
    """The remaining way, bent so that the tool first gains the height it needs, then crosses over,
    then comes in along `approach`; no lower than allowed where it is and where it is going to
    `drift`, nor than what remains to `turn` allows."""
    length = float(np.linalg.norm(approach))
    axis = approach / length
    height = -float(error @ axis)
    across = error + height * axis
    (inner, outer), (least, most) = funnel, TURN_FUNNEL
    coming = across - drift + (drift @ axis) * axis
    aside = max(np.linalg.norm(across), np.linalg.norm(coming))
    shares = (aside - inner) / (outer - inner), (turn - least) / (most - least)
    needed = length * np.clip(max(shares), 0, 1)
    return across * np.clip(1 - (needed - height - 0.01) / 0.03, 0, 1) + axis * (needed - height)


def _above(way: Float[np.ndarray, "3"], missing: float) -> Float[np.ndarray, "3"]:
    """A way that stays, or first gets, as far up as is missing."""
    level = way * np.clip(1 - missing / LOW, 0, 1)
    return np.array([level[0], level[1], max(way[2], missing)])
