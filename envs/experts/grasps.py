"""Where to take hold of a block, so that no finger lands on anything else."""

import math
from dataclasses import dataclass

from firsthand.envs.experts import calvin_cabinet
from firsthand.envs.experts.world_view import (
    NEUTRAL_YAW,
    OPEN_FINGER,
    PAD,
    BlockPose,
    Vector,
    Waypoint,
    WorldView,
    lean,
)
from firsthand.envs.playtable.robot import CLOSE, OPEN

WIDEST = 0.066  # metres that fit between the fingers with room to spare
SHIFTS = (0.0, 0.014, -0.014, 0.028, -0.028)  # metres along the fingers' faces
SIDEWAYS = (0.0, 0.014, -0.014)  # metres by which one open finger is nearer to the block
CLEAR = 0.012  # metres between a finger's middle and anything it might land on
MOST_TURN = 1.9  # radians from the neutral yaw
KNUCKLE = 0.033  # metres between a finger's middle and the drawer's outer side
BUTTON_Y, BUTTON_RADIUS = -0.12, 0.033  # where a finger would stand on the button
SHELF_SKEW = 0.2  # radians that the hand may be turned there
SHELF_TURN = 0.75  # radians, behind the door, where the hand is wider than the cabinet is deep
HAND_HALF, HAND_ABOVE = (0.105, 0.034), 0.09  # metres: half the hand, its height above the tool
DOOR_FRONT = 0.0  # y that the hand should not reach beyond, in front of the door
UNDER_HANDLE = (0.13, -0.09)  # metres along x, and y, where the hand meets the door's handle
DOOR_BACK = 0.026  # y that the hand keeps behind the door
DESK_LIP = (-0.24, 7.0)  # y where the desk's edge comes near the hand, and lean for every metre


@dataclass(frozen=True)
class Grasp:
    """A pose of the tool around a block."""

    position: Vector
    pitch: float
    yaw: float
    obstructed: bool


def find_grasp(view: WorldView, block: BlockPose, turn: float = 0.0) -> Grasp:
    """The least inconvenient grasp: reachable without much leaning or turning, in the middle, clear
    of other things. `turn` is how far the tool will be turned afterwards, in radians."""
    candidates = [
        _cost_and_grasp(view, block, yaw, shift, sideways, turn)
        for yaw in _yaws(block)
        for shift in SHIFTS
        if abs(shift) < max(block.length / 2 - PAD, 0.015)
        for sideways in SIDEWAYS
    ]
    return min(candidates, key=lambda pair: pair[0])[1]


def grasp(view: WorldView, name: str, turn: float = 0.0, done: bool = False) -> list[Waypoint]:
    """Come down around a block with open fingers and close them. `done` skips all of it."""
    block = view.blocks[name]
    best = find_grasp(view, block, turn)
    held = view.near(block.position, (0.03, 0.03, 0.035))
    around = Waypoint(
        best.position, OPEN, best.pitch, best.yaw, tolerance=(0.01, 0.01, 0.014),
        approach=view.style.above(), done=done,
    )  # fmt: skip
    closed = Waypoint(
        best.position, CLOSE, best.pitch, best.yaw, tolerance=(0.03, 0.03, 0.03),
        width=block.depth + 0.03, open=held or done, done=done or view.holds(name),
    )  # fmt: skip
    return [around, closed]


def _yaws(block: BlockPose) -> list[float]:
    """Yaws of the tool at which the fingers close across the block, all within reach."""
    quarter = math.pi / 2
    angles = [block.angle + k * math.pi for k in range(-2, 3)]
    if block.length < WIDEST:
        angles = [block.angle + k * quarter for k in range(-4, 5)]
    within = [angle for angle in angles if abs(angle - NEUTRAL_YAW) <= MOST_TURN]
    return within or [NEUTRAL_YAW]


def _cost_and_grasp(
    view: WorldView, block: BlockPose, yaw: float, shift: float, sideways: float, turn: float
) -> tuple[float, Grasp]:
    along = shift + view.style.offset
    x = float(block.position[0]) + along * math.cos(yaw) + sideways * math.sin(yaw)
    y = float(block.position[1]) + along * math.sin(yaw) - sideways * math.cos(yaw)
    floor = block.top - block.height
    z = max(float(block.position[2]) - 0.004, floor + 0.018)
    in_drawer, in_shelf = floor < 0.40, y > 0.03
    pitch = min(lean((x, y, z + 0.06), yaw), lean((x, y, z), yaw))
    if in_drawer:
        z += 0.008
        edge, slope = DESK_LIP
        pitch = -min(max((y - edge) * slope, 0.0), 0.5)
    end = yaw + turn
    cost = -pitch + 0.3 * abs(yaw - NEUTRAL_YAW) + 10 * abs(shift) + 12 * abs(sideways)
    cost += 0.15 * abs(yaw - view.tool_yaw)
    if not in_drawer and not in_shelf:
        reach = y + HAND_HALF[0] * abs(math.cos(yaw)) + HAND_HALF[1] * abs(math.sin(yaw))
        cost += 10 * max(reach - DOOR_FRONT, 0.0)
        handle = sum(view.layout.door) / 2 - view.door("base__slide")
        if abs(x - handle) < UNDER_HANDLE[0] and y > UNDER_HANDLE[1]:
            z += 0.01  # for the hand to pass above it
    if turn:
        cost += 0.3 * abs(end - NEUTRAL_YAW) + 20 * max(abs(end - NEUTRAL_YAW) - MOST_TURN, 0.0)
    if in_shelf:
        cost += 5 * max(abs(yaw - NEUTRAL_YAW) - SHELF_TURN, 0.0)
        # Between door and back wall there is no room for the hand to turn; the block will give way.
        yaw = min(max(yaw, NEUTRAL_YAW - SHELF_SKEW), NEUTRAL_YAW + SHELF_SKEW)
        missing = 0.0 if view.layout.original else _missing_behind_door(view, x, y, yaw)
        if view.layout.original:
            pitch = min(pitch, calvin_cabinet.LEAN)
        if missing > 0:
            backward = min(missing / HAND_ABOVE, 0.35)
            cost += 5 * missing * (pitch < 0)
            pitch = backward if pitch == 0 else pitch
    obstruction = _obstruction(view, block, x, y, yaw, in_drawer, in_shelf)
    return cost + obstruction, Grasp((x, y, z), pitch, yaw, obstruction >= 2)


def _missing_behind_door(view: WorldView, x: float, y: float, yaw: float) -> float:
    """How many metres too near to the door in front of it the upright hand would come."""
    slide = view.door("base__slide")
    left, right = (edge - slide for edge in view.layout.door)
    if not left - HAND_HALF[0] < x < right + HAND_HALF[0]:
        return 0.0
    front = y - HAND_HALF[1] - HAND_HALF[0] * abs(math.cos(yaw))
    return max(DOOR_BACK - front, 0.0)


def _obstruction(
    view: WorldView,
    block: BlockPose,
    x: float,
    y: float,
    yaw: float,
    in_drawer: bool,
    in_shelf: bool,
) -> float:
    """What it costs that fingers would land on other blocks or on walls."""
    cost = 0.0
    walls = view.layout.drawer if in_drawer else view.layout.shelf if in_shelf else None
    margin = KNUCKLE if in_drawer else CLEAR
    button = (view.layout.button, BUTTON_Y)
    for side in (-OPEN_FINGER, OPEN_FINGER):
        finger_x, finger_y = x + side * math.sin(yaw), y - side * math.cos(yaw)
        for other in view.others(block.name):
            if abs(other.position[2] - block.position[2]) < 0.03:
                cost += 2.0 * other.covers(finger_x, finger_y, CLEAR)
        cost += 1.0 * (math.dist((finger_x, finger_y), button) < BUTTON_RADIUS and not in_drawer)
        if walls is not None:
            cost += 1.0 * (not walls[0] + margin < finger_x < walls[1] - margin)
    return cost
