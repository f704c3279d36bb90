"""Where the tool has to go to put blocks into the cabinet and the drawer, onto and off others."""

import math

import numpy as np

from firsthand.envs.experts import calvin_cabinet
from firsthand.envs.experts.grasps import grasp
from firsthand.envs.experts.world_view import (
    FINGER,
    NEUTRAL_YAW,
    ON_DESK,
    PAD,
    BlockPose,
    Vector,
    Waypoint,
    WorldView,
    lean,
)
from firsthand.envs.playtable.robot import CLOSE, OPEN
from firsthand.envs.tasks.contacts import held_block
from firsthand.envs.tasks.feasibility import BLOCK_EDGE, DESK_EDGE, DRAWER_FLOOR, DRAWER_INSIDE

SHELF_Y = 0.092
SHELF_EDGE, DRAWER_SIDE = 0.055, 0.10  # metres kept from the walls along x
DRAWER_EDGE = 0.085  # metres from the drawer's wall where a block can still fall in
HIDDEN = 0.06  # metres of distance to other blocks that an open compartment is worth
APART = 0.11  # metres between blocks beyond which more distance is worth nothing
# y as far as which the hand may reach in front of the sliding door, and in front of its handle
DOOR_FACE, HANDLE_FRONT = 0.001, -0.055
OUT_Y = -0.10  # y from where on a block can be lifted past the handle
HANDLE_REACH = 0.07  # metres along x from the handle's middle in which that counts
RELEASE_GAP = 0.003  # metres above its support at which a block is let go
FINGERTIP_ROOM = 0.013  # metres between the tool and what is below its fingertips
LEANING_BLOCK = 0.035  # metres by which the edge of a block hangs down where the tool leans
DROP = 0.025  # metres that a block falls into the drawer
# How far off its place a block may be let go, in metres along each axis: as far as it stays where
# it falls. Who imitates an expert that is more exact than that hovers and never lets go.
LOOSELY: Vector = (0.02, 0.02, 0.015)
IN_LINE: Vector = (0.013, 0.013, 0.012)  # onto another block


def place_in_slider(view: WorldView) -> list[Waypoint]:
    """Carry the block over the shelf, where the door is not, lower it and let go."""
    name = _subject(view)
    x = _free_x(view, name)
    if not view.layout.original:
        return _put_down(view, name, (x, SHELF_Y, ON_DESK + RELEASE_GAP))
    *grasped, over, let_go = _put_down(
        view, name, (x, calvin_cabinet.SHELF_Y, ON_DESK + RELEASE_GAP)
    )
    return [*grasped, *calvin_cabinet.uncover(view, x, name), over, let_go]


def place_in_drawer(view: WorldView) -> list[Waypoint]:
    """Carry the block over the open drawer and let it fall from low down."""
    name = _subject(view)
    y = (DRAWER_INSIDE[0] - view.door("base__drawer") + DESK_EDGE) / 2
    left, right = view.layout.drawer
    floor = DRAWER_FLOOR + calvin_cabinet.DRAWER * view.layout.original
    wished = float(np.clip(view.tool[0], left + DRAWER_SIDE, right - DRAWER_SIDE))
    taken = [block for block in view.others(name) if block.position[2] < DRAWER_FLOOR + 0.08]
    x = _farthest(taken, np.arange(left + DRAWER_SIDE, right - DRAWER_SIDE, 0.02), y, wished)
    return _put_down(view, name, (x, y, floor + BLOCK_EDGE / 2 + DROP))


def stack_block(view: WorldView) -> list[Waypoint]:
    """Lower the block onto another one, in line with it, and let go."""
    name = _subject(view)
    below = _base(view, name)
    angle = below.angle - view.blocks[name].angle
    quarter = math.pi / 2
    yaws = [view.tool_yaw + angle + k * quarter for k in range(-4, 5)]
    yaw = min(yaws, key=lambda yaw: abs(yaw - NEUTRAL_YAW) + 0.3 * abs(yaw - view.tool_yaw))
    place = (*below.position[:2].tolist(), below.top + BLOCK_EDGE / 2 + RELEASE_GAP)
    return _put_down(view, name, place, yaw, IN_LINE)


def unstack_block(view: WorldView) -> list[Waypoint]:
    """Push the upper block off the lower one, to the side where there is room; where there is none,
    or once they only lean on each other, take it away."""
    pair = stacked(view, view.start) or _closest(view)
    upper, lower = view.blocks[pair[0]], view.blocks[pair[1]]
    cost, direction = min((_cost_of_landing(view, upper, lower, way), way) for way in (-1.0, 1.0))
    if cost >= 1 or upper.position[2] < lower.top + 0.008 or view.holds(upper.name):
        return _take_away(view, upper)
    half, height = upper.half_width((1.0, 0.0)), float(upper.position[2]) + 0.004
    x, y = float(upper.position[0]), float(upper.position[1])
    beside = (x - direction * (half + FINGER + 0.022), y, height)
    beyond = (x + direction * 0.03, y, height)
    behind = view.near(beside, (0.05, 0.03, 0.03))
    return [
        Waypoint(
            beside, pitch=lean(beside), approach=view.style.above(), tolerance=(0.02, 0.018, 0.014)
        ),
        Waypoint(beyond, pitch=lean(beyond), speed=0.5, open=behind),
    ]


def _take_away(view: WorldView, block: BlockPose) -> list[Waypoint]:
    """Take a block and put it down where the table is free."""
    xs = np.arange(view.layout.spawn_table[0], view.layout.spawn_table[1], 0.02)
    others = [other for other in view.others(block.name) if other.position[1] < 0.03]
    y = -0.10
    x = _farthest(others, xs, y, float(block.position[0]))
    return _put_down(view, block.name, (x, y, ON_DESK + RELEASE_GAP))


def push_into_drawer(view: WorldView) -> list[Waypoint]:
    """Push a block over the desk's edge into the drawer from behind; where the fingers do not fit
    between it and the door, take it and let it fall."""
    block = _nearest_above_drawer(view)
    x, y = float(block.position[0]) + view.style.offset, float(block.position[1])
    half = block.half_width((0.0, 1.0))
    back = y + half + PAD + 0.018
    beside = (x, back, ON_DESK)
    pitch = lean((x, back, ON_DESK)) if back < -0.06 else -0.3
    crowded = any(other.covers(x, back, FINGER + 0.012) for other in view.others(block.name))
    off_desk = y < DESK_EDGE - 0.01
    handle = sum(view.layout.door) / 2 - view.door("base__slide")
    room = HANDLE_FRONT if abs(x - handle) < HANDLE_REACH else DOOR_FACE
    left, right = view.layout.drawer
    falls = min(max(x, left + DRAWER_EDGE), right - DRAWER_EDGE)
    no_room = not off_desk and (back + PAD > room or crowded or abs(x - falls) > 0.02)
    if no_room or view.holds(block.name):
        return _carry_over_edge(view, block, falls)
    behind = view.near(beside, (0.03, 0.045, 0.03))
    return [
        Waypoint(beside, pitch=pitch, approach=view.style.above(), tolerance=(0.015, 0.014, 0.02)),
        Waypoint((x, y - 0.03, ON_DESK), pitch=pitch, speed=0.4, open=behind),
    ]


def _carry_over_edge(view: WorldView, block: BlockPose, x: float) -> list[Waypoint]:
    """Take a block, draw it out from under the sliding door's handle, let it fall into the drawer
    at some x."""
    *grasped, over, let_go = _put_down(view, block.name, (x, DESK_EDGE - 0.07, ON_DESK + 0.01))
    tool, yaw = view.tool, view.tool_yaw
    out = (float(tool[0]), OUT_Y - 0.02, float(tool[2]))
    drawn = Waypoint(
        out, pitch=lean(out, yaw), yaw=yaw, speed=0.35, open=view.holds(block.name),
        done=bool(block.position[1] < OUT_Y), carries=True,
    )  # fmt: skip
    return [*grasped, drawn, over, let_go]


def stacked(view: WorldView, info: object = None) -> tuple[str, str] | None:
    """The names of a block and of the one it lies on, if there are such, now or in another info."""
    after = view if info is None else WorldView(info, info, view.layout, view.style)  # pyright: ignore
    for upper in after.blocks.values():
        for lower in after.others(upper.name):
            above = abs(upper.position[2] - upper.height / 2 - lower.top) < 0.012
            if above and lower.covers(float(upper.position[0]), float(upper.position[1]), 0.01):
                return upper.name, lower.name
    return None


def _put_down(
    view: WorldView,
    name: str,
    place: Vector,
    yaw: float | None = None,
    tolerance: Vector = LOOSELY,
) -> list[Waypoint]:
    """Bring the middle of a block to a place and let go; take it first if it is not held."""
    holds = view.holds(name)
    offset = view.tool - view.blocks[name].position if holds else np.array([0, 0, -0.004])
    at = (place[0] + float(offset[0]), place[1] + float(offset[1]), place[2] + float(offset[2]))
    if yaw is None:
        yaw = float(np.clip(view.tool_yaw, NEUTRAL_YAW - 0.3, NEUTRAL_YAW + 0.3))
    pitch = lean((at[0], at[1], at[2] + 0.05), yaw)
    if view.layout.original and at[1] > 0.03:
        pitch = min(pitch, calvin_cabinet.LEAN)
    lower_edge = LEANING_BLOCK * math.sin(abs(pitch))
    lowest = place[2] - BLOCK_EDGE / 2 + FINGERTIP_ROOM  # however the block is held
    at = (at[0], at[1], max(at[2], lowest) + lower_edge)
    over = Waypoint(
        at, CLOSE, pitch, yaw, tolerance=tolerance, approach=(0.0, 0.0, 0.08),
        open=holds, carries=True,
    )  # fmt: skip
    let_go = Waypoint(at, OPEN, pitch, yaw, opened=0.07, open=view.near(at, (0.03, 0.03, 0.03)))
    return [*grasp(view, name, done=holds), over, let_go]


def _subject(view: WorldView) -> str:
    """The block that was in the gripper when the task was given, else the one nearest to it."""
    name = held_block(view.start)
    if name is not None:
        return name
    began = WorldView(view.start, view.start, view.layout, view.style)
    return min(
        began.blocks.values(), key=lambda block: float(np.linalg.norm(block.position - began.tool))
    ).name


def _free_x(view: WorldView, name: str) -> float:
    """Where on the shelf to put a block: far from others, in the open, easy to reach."""
    left, right = view.layout.shelf
    door = [edge - view.door("base__slide") for edge in view.layout.door]
    others = [block for block in view.others(name) if block.position[1] > 0.03]

    def merit(x: float) -> float:
        gap = min([abs(x - float(block.position[0])) for block in others], default=APART)
        open_ = not door[0] - 0.05 < x < door[1] + 0.05
        middle = (left + door[0]) / 2 if door[0] - left > right - door[1] else (right + door[1]) / 2
        effort = -lean((x, SHELF_Y, ON_DESK + 0.05))
        if view.layout.original:
            return (
                min(gap, APART)
                - 0.5 * calvin_cabinet.to_push(view, x, calvin_cabinet.FINGERS)
                - 0.2 * effort
            )
        return min(gap, APART) + HIDDEN * open_ - 0.1 * abs(x - middle) - 0.2 * effort

    return float(max(np.arange(left + SHELF_EDGE, right - SHELF_EDGE, 0.01), key=merit))


def _farthest(taken: list[BlockPose], xs: np.ndarray, y: float, wished: float) -> float:
    """Of some x, one near the wished one at which a block at y is clear of others."""

    def merit(x: float) -> float:
        gaps = [math.hypot(x - block.position[0], y - block.position[1]) for block in taken]
        return min([APART, *gaps]) - 0.1 * abs(x - wished)

    return float(max(xs, key=merit))


def _base(view: WorldView, name: str) -> BlockPose:
    """The block on the table to stack on: the one nearest to the other seen from above, if nothing
    is on it. No sentence says which, so it must be one that a picture tells."""
    pair = stacked(view)
    taken = pair[1] if pair is not None and pair[0] != name else None
    others = [block for block in view.others(name) if block.name != taken]

    def cost(block: BlockPose) -> float:
        _, y, z = block.position
        off_table = y > 0.0 or abs(z - ON_DESK) > 0.02
        return off_table + math.dist(block.position[:2], view.blocks[name].position[:2])

    return min(others, key=cost)


def _closest(view: WorldView) -> tuple[str, str]:
    """The two blocks closest to each other."""
    names = list(view.blocks)
    pairs = [(a, b) for a in names for b in names if a != b]
    return min(
        pairs,
        key=lambda pair: float(
            np.linalg.norm(view.blocks[pair[0]].position - view.blocks[pair[1]].position)
        ),
    )


def _cost_of_landing(
    view: WorldView, upper: BlockPose, lower: BlockPose, direction: float
) -> float:
    """How unwelcome it is that the upper block falls down on one side; 1 where there is no room."""
    x, y = float(lower.position[0]), float(lower.position[1])
    others = view.others(upper.name, lower.name)
    places = [x + direction * distance for distance in (0.06, 0.10, 0.14)]
    hits = any(block.covers(place, y, 0.045) for block in others for place in places)
    button = any(abs(place - view.layout.button) < 0.05 for place in places)
    effort = -lean((places[1], y, ON_DESK))
    return hits + 0.3 * button + 0.5 * effort + (abs(places[1]) > 0.36)


def _nearest_above_drawer(view: WorldView) -> BlockPose:
    """The block to push: on the table, in front of the drawer, and near its edge; or in the gripper
    already."""
    left, right = view.layout.drawer
    held = [block for block in view.blocks.values() if view.holds(block.name)]
    if held:
        return held[0]

    def cost(block: BlockPose) -> float:
        x, y, z = block.position
        beside = max(left + 0.045 - x, x - right + 0.045, 0.0)
        return float(y) + 100 * beside + 10 * (abs(z - ON_DESK) > 0.03) + 10 * (y > 0.0)

    return min(view.blocks.values(), key=cost)
