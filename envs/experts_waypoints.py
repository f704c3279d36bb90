"""Where the tool has to go for each task, given where things are now.

A plan is a function of the current `info` alone, so waypoints follow what moves. Distances are
metres in the world frame of scene D. The tool points down at Euler angles (pi, 0, pi/2), its
fingers opening along x; a negative pitch tilts it forward, towards +y.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from envs.bullet import pybullet
from envs.robot import BASE_POSITION, CLOSE, OPEN
from envs.table import BLOCK_SIZES, LAYOUTS, SWITCH_AXIS, SWITCH_CENTER, SWITCH_TRAVEL

Info = Mapping[str, Any]
Number = float | int
Vector = tuple[Number, Number, Number]

SCENE = LAYOUTS["D"]
FINGER = 0.013  # from the middle of the closed gripper to its sides
BLOCK_HEIGHT = 0.46  # of the centre of a block on the desk
ABOVE: Vector = (0.0, 0.0, 0.08)  # the way in: from 8 cm above


@dataclass(frozen=True)
class Waypoint:
    """A pose to bring the tool to.

    The tool comes in along `approach`, the vector from the waypoint to where the way in begins. The
    waypoint is reached when the tool is within `tolerance` of it (metres along each axis), turned
    as asked, and the gripper is no wider than `width`. Tolerances are as wide as what follows
    allows: who imitates an expert that waits for the last millimetre learns to wait. A waypoint is
    `open` as long as the way to it makes sense: a push only while the tool is behind the block.
    """

    position: Vector
    gripper: Number = CLOSE
    pitch: Number = 0.0
    yaw: Number = math.pi / 2
    tolerance: Vector = (0.015, 0.015, 0.015)
    approach: Vector = (0.0, 0.0, 0.0)
    speed: float = 0.65  # share of the fastest action
    width: float = math.inf
    open: bool = True


Plan = Callable[[Info], list[Waypoint]]


def open_drawer(info: Info) -> list[Waypoint]:
    """Reach behind the bar and pull."""
    x, bar = sum(SCENE.drawer_bar) / 2, -0.232 - _door(info, "base__drawer")
    behind = (x, bar + 0.019, 0.355)
    pulled = (x, -0.232 - 0.22 - 0.02, 0.355)
    hooked = _near(info, behind, (0.10, 0.025, 0.022))
    return [
        Waypoint(behind, approach=(0, 0, 0.11), tolerance=(0.06, 0.014, 0.016)),
        Waypoint(pulled, speed=0.5, open=hooked),
    ]


def close_drawer(info: Info) -> list[Waypoint]:
    """Come down in front of the bar and push."""
    x, bar = sum(SCENE.drawer_bar) / 2, -0.260 - _door(info, "base__drawer")
    front = (x, bar - 0.04, 0.365)
    pushed = (x, -0.260 + 0.02, 0.365)
    in_front = _near(info, front, (0.10, 0.05, 0.03))
    return [
        Waypoint(front, approach=(0, 0, 0.11), tolerance=(0.06, 0.03, 0.025)),
        Waypoint(pushed, speed=0.5, open=in_front),
    ]


def move_slider(info: Info, direction: float) -> list[Waypoint]:
    """Push the door's handle from its other side, towards `direction` along x."""
    closed = sum(SCENE.door) / 2
    handle = closed - _door(info, "base__slide")
    end = closed if direction > 0 else closed - SCENE.door_travel
    reach = 0.02 + FINGER
    beside = (handle - direction * (reach + 0.022), -0.024, 0.518)
    pushed = (end - direction * (reach - 0.03), -0.024, 0.518)
    return [
        Waypoint(beside, approach=(0, -0.03, 0.06), tolerance=(0.02, 0.014, 0.018)),
        Waypoint(pushed, speed=0.5, open=_near(info, beside, (0.035, 0.022, 0.028))),
    ]


def press_button(info: Info) -> list[Waypoint]:
    """Press with the closed fingers."""
    above = (SCENE.button, -0.12, 0.485)
    down = (SCENE.button, -0.12, 0.435)
    over = _near(info, above, (0.02, 0.02, 0.06))
    return [
        Waypoint(above, approach=(0, 0, 0.05), tolerance=(0.014, 0.014, 0.03)),
        Waypoint(down, open=over),
    ]


def move_switch(info: Info, up: bool) -> list[Waypoint]:
    """Put the tilted fingers below (above) the lever and slide it up (down) the console."""
    if up:
        start, end, pitch = _on_console(-0.05), _on_console(SWITCH_TRAVEL - 0.01), -0.7
        approach = (0.0, -0.05, 0.05)
    else:
        start, end, pitch = _on_console(SWITCH_TRAVEL + 0.045), _on_console(0.01), -0.9
        approach = (0.0, -0.05, 0.03)
    return [
        Waypoint(start, pitch=pitch, approach=approach, tolerance=(0.025, 0.015, 0.015)),
        Waypoint(end, pitch=pitch, speed=0.5),
    ]


def lift_block(info: Info, name: str) -> list[Waypoint]:
    """Grasp across the short side, close, raise."""
    position, angle = _block(info, name)
    tool = info["robot_info"]["tcp_pos"]
    held = _near(info, position, (0.03, 0.03, 0.03))
    (x, y), yaw = _grasp(info, name, position[:2], angle)
    at = (x, y, BLOCK_HEIGHT - 0.004)
    pitch = _tilt(at)
    return [
        Waypoint(at, OPEN, pitch, yaw, tolerance=(0.01, 0.01, 0.016), approach=ABOVE),
        Waypoint(at, CLOSE, pitch, yaw, tolerance=(0.03, 0.03, 0.03), width=0.046, open=held),
        Waypoint((tool[0], tool[1], 0.60), CLOSE, pitch, yaw, open=held),
    ]


def push_block(info: Info, name: str, direction: float) -> list[Waypoint]:
    """Come down beside the block and push it along x."""
    (x, y, _), angle = _block(info, name)
    length, depth, _ = BLOCK_SIZES[SCENE.blocks[name]]
    half = abs(math.cos(angle)) * length / 2 + abs(math.sin(angle)) * depth / 2
    beside = (x - direction * (half + FINGER + 0.022), y, BLOCK_HEIGHT)
    behind = _near(info, beside, (0.045, 0.03, 0.03))
    beyond = (x + direction * 0.03, y, BLOCK_HEIGHT)
    return [
        Waypoint(beside, pitch=_tilt(beside), approach=ABOVE, tolerance=(0.02, 0.018, 0.02)),
        Waypoint(beyond, pitch=_tilt(beyond), speed=0.4, open=behind),
    ]


PLANS: dict[str, Plan] = {
    "open_drawer": open_drawer,
    "close_drawer": close_drawer,
    "move_slider_left": partial(move_slider, direction=-1.0),
    "move_slider_right": partial(move_slider, direction=1.0),
    "turn_on_lightbulb": partial(move_switch, up=True),
    "turn_off_lightbulb": partial(move_switch, up=False),
    "turn_on_led": press_button,
    "turn_off_led": press_button,
}
for _color in ("red", "blue", "pink"):
    _name = f"block_{_color}"
    PLANS[f"lift_{_color}_block_table"] = partial(lift_block, name=_name)
    PLANS[f"push_{_color}_block_left"] = partial(push_block, name=_name, direction=-1.0)
    PLANS[f"push_{_color}_block_right"] = partial(push_block, name=_name, direction=1.0)


def _near(info: Info, position: Sequence[float] | np.ndarray, distance: Vector) -> bool:
    """Whether the tool is no farther from a position than `distance` along any axis."""
    away = np.abs(info["robot_info"]["tcp_pos"] - np.asarray(position))
    return bool((away <= distance).all())


def _door(info: Info, name: str) -> float:
    return float(info["scene_info"]["doors"][name]["current_state"])


def _block(info: Info, name: str) -> tuple[np.ndarray, float]:
    """Position and yaw of a block."""
    block = info["scene_info"]["movable_objects"][name]
    return block["current_pos"], pybullet.getEulerFromQuaternion(block["current_orn"])[2]


def _nearest_yaw(angle: float, period: float) -> float:
    """The tool yaw nearest to its neutral one among those that look alike on the block."""
    return math.pi / 2 + (angle - math.pi / 2 + period / 2) % period - period / 2


def _grasp(
    info: Info, name: str, center: np.ndarray, angle: float
) -> tuple[tuple[float, float], float]:
    """Where to come down and how to turn so that no finger lands on another block: across the short
    side in the middle if possible, else a little to a side, else across the long side."""
    length, depth, _ = BLOCK_SIZES[SCENE.blocks[name]]
    square = length == depth
    yaws = [_nearest_yaw(angle, math.pi / 2 if square else math.pi)]
    if length < 0.07:
        yaws.append(yaws[0] - math.copysign(math.pi / 2, yaws[0] - math.pi / 2))
    grasps = [
        ((float(center[0] + shift * math.sin(yaw)), float(center[1] - shift * math.cos(yaw))), yaw)
        for yaw in yaws
        for shift in (0.0, 0.014, -0.014)
    ]
    others = [_block(info, other) for other in SCENE.blocks if other != name]
    sizes = [BLOCK_SIZES[SCENE.blocks[other]] for other in SCENE.blocks if other != name]
    for at, yaw in grasps:
        if not any(
            _lands_on(at, yaw, *other, size) for other, size in zip(others, sizes, strict=True)
        ):
            return at, yaw
    return grasps[0]


def _lands_on(
    at: tuple[float, float], yaw: float, block: np.ndarray, angle: float, size: Vector
) -> bool:
    """Whether a finger of the open gripper at a place would come down on a block."""
    for side in (-0.047, 0.047):
        x, y = at[0] + side * math.sin(yaw) - block[0], at[1] - side * math.cos(yaw) - block[1]
        along = abs(x * math.cos(angle) + y * math.sin(angle))
        across = abs(y * math.cos(angle) - x * math.sin(angle))
        if along < size[0] / 2 + 0.01 and across < size[1] / 2 + 0.01:
            return True
    return False


def _tilt(position: Vector) -> float:
    """How far the tool leans forward where the upright arm would be too short."""
    distance = math.hypot(position[0] - BASE_POSITION[0], position[1] - BASE_POSITION[1])
    return -float(np.clip((distance - 0.73) * 5, 0.0, 0.5))


def _on_console(travel: float) -> Vector:
    """A point in front of the console, `travel` metres up its face from the lowered lever."""
    outward = 0.012
    y = SWITCH_CENTER[0] + SWITCH_AXIS[1] * travel - SWITCH_AXIS[2] * outward
    z = SWITCH_CENTER[1] + SWITCH_AXIS[2] * travel + SWITCH_AXIS[1] * outward
    return (SCENE.switch, y, z)
