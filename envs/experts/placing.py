"""Where the tool has to go to put blocks into the cabinet and the drawer, onto and off others."""

import math

import numpy as np

from firsthand.envs.experts import calvin_cabinet as lid
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


def place_in_slider(sight: WorldView) -> list[Waypoint]:
    """Carry the block over the shelf, where the door is not, lower it and let go."""
    name = _subject(sight)
    x = _free_x(sight, name)
    if not sight.layout.original:
        return _put_down(sight, name, (x, SHELF_Y, ON_DESK + RELEASE_GAP))
    *grasped, over, let_go = _put_down(sight, name, (x, lid.SHELF_Y, ON_DESK + RELEASE_GAP))
    return [*grasped, *lid.uncover(sight, x, name), over, let_go]


def place_in_drawer(sight: WorldView) -> list[Waypoint]:
    """Carry the block over the open drawer and let it fall from low down."""
    name = _subject(sight)
    y = (DRAWER_INSIDE[0] - sight.door("base__drawer") + DESK_EDGE) / 2
    left, right = sight.layout.drawer
    floor = DRAWER_FLOOR + lid.DRAWER * sight.layout.original
    wished = float(np.clip(sight.tool[0], left + DRAWER_SIDE, right - DRAWER_SIDE))
    taken = [block for block in sight.others(name) if block.position[2] < DRAWER_FLOOR + 0.08]
    x = _farthest(taken, np.arange(left + DRAWER_SIDE, right - DRAWER_SIDE, 0.02), y, wished)
    return _put_down(sight, name, (x, y, floor + BLOCK_EDGE / 2 + DROP))


def stack_block(sight: WorldView) -> list[Waypoint]:
    """Lower the block onto another one, in line with it, and let go."""
    name = _subject(sight)
    below = _base(sight, name)
    angle = below.angle - sight.blocks[name].angle
    quarter = math.pi / 2
    yaws = [sight.tool_yaw + angle + k * quarter for k in range(-4, 5)]
    yaw = min(yaws, key=lambda yaw: abs(yaw - NEUTRAL_YAW) + 0.3 * abs(yaw - sight.tool_yaw))
    top = below.top + BLOCK_EDGE / 2 + RELEASE_GAP
    return _put_down(sight, name, (float(below.position[0]), float(below.position[1]), top), yaw)


def unstack_block(sight: WorldView) -> list[Waypoint]:
    """Push the upper block off the lower one, to the side where there is room; where there is none,
    or once they only lean on each other, take it away."""
    pair = stacked(sight, sight.start) or _closest(sight)
    upper, lower = sight.blocks[pair[0]], sight.blocks[pair[1]]
    cost, direction = min(
        (_cost_of_landing(sight, upper, lower, way), way)
        for way in (float(sight.style.side), -float(sight.style.side))
    )
    if cost >= 1 or upper.position[2] < lower.top + 0.008 or sight.holds(upper.name):
        return _take_away(sight, upper)
    half, height = upper.half_width((1.0, 0.0)), float(upper.position[2]) + 0.004
    x, y = float(upper.position[0]), float(upper.position[1])
    beside = (x - direction * (half + FINGER + 0.022), y, height)
    beyond = (x + direction * 0.03, y, height)
    behind = sight.near(beside, (0.05, 0.03, 0.03))
    return [
        Waypoint(
            beside, pitch=lean(beside), approach=sight.style.above(), tolerance=(0.02, 0.018, 0.014)
        ),
        Waypoint(beyond, pitch=lean(beyond), speed=0.5, open=behind),
    ]


def _take_away(sight: WorldView, block: BlockPose) -> list[Waypoint]:
    """Take a block and put it down where the table is free."""
    xs = np.arange(sight.layout.spawn_table[0], sight.layout.spawn_table[1], 0.02)
    others = [other for other in sight.others(block.name) if other.position[1] < 0.03]
    y = -0.10
    x = _farthest(others, xs, y, float(block.position[0]))
    return _put_down(sight, block.name, (x, y, ON_DESK + RELEASE_GAP))


def push_into_drawer(sight: WorldView) -> list[Waypoint]:
    """Push a block over the desk's edge into the drawer from behind; where the fingers do not fit
    between it and the door, take it and let it fall."""
    block = _nearest_above_drawer(sight)
    x, y = float(block.position[0]) + sight.style.offset, float(block.position[1])
    half = block.half_width((0.0, 1.0))
    back = y + half + PAD + 0.018
    beside = (x, back, ON_DESK)
    pitch = lean((x, back, ON_DESK)) if back < -0.06 else -0.3
    crowded = any(other.covers(x, back, FINGER + 0.012) for other in sight.others(block.name))
    off_desk = y < DESK_EDGE - 0.01
    handle = sum(sight.layout.door) / 2 - sight.door("base__slide")
    room = HANDLE_FRONT if abs(x - handle) < HANDLE_REACH else DOOR_FACE
    left, right = sight.layout.drawer
    falls = min(max(x, left + DRAWER_EDGE), right - DRAWER_EDGE)
    no_room = not off_desk and (back + PAD > room or crowded or abs(x - falls) > 0.02)
    if no_room or sight.holds(block.name):
        return _carry_over_edge(sight, block, falls)
    behind = sight.near(beside, (0.03, 0.045, 0.03))
    return [
        Waypoint(beside, pitch=pitch, approach=sight.style.above(), tolerance=(0.015, 0.014, 0.02)),
        Waypoint((x, y - 0.03, ON_DESK), pitch=pitch, speed=0.4, open=behind),
    ]


def _carry_over_edge(sight: WorldView, block: BlockPose, x: float) -> list[Waypoint]:
    """Take a block, draw it out from under the sliding door's handle, let it fall into the drawer
    at some x."""
    *grasped, over, let_go = _put_down(sight, block.name, (x, DESK_EDGE - 0.07, ON_DESK + 0.01))
    tool, yaw = sight.tool, sight.tool_yaw
    out = (float(tool[0]), OUT_Y - 0.02, float(tool[2]))
    drawn = Waypoint(
        out, pitch=lean(out, yaw), yaw=yaw, speed=0.35, open=sight.holds(block.name),
        done=bool(block.position[1] < OUT_Y), carries=True,
    )  # fmt: skip
    return [*grasped, drawn, over, let_go]


def stacked(sight: WorldView, info: object = None) -> tuple[str, str] | None:
    """The names of a block and of the one it lies on, if there are such, now or in another info."""
    view = sight if info is None else WorldView(info, info, sight.layout, sight.style)  # pyright: ignore
    for upper in view.blocks.values():
        for lower in view.others(upper.name):
            above = abs(upper.position[2] - upper.height / 2 - lower.top) < 0.012
            if above and lower.covers(float(upper.position[0]), float(upper.position[1]), 0.01):
                return upper.name, lower.name
    return None


def _put_down(
    sight: WorldView, name: str, place: Vector, yaw: float | None = None
) -> list[Waypoint]:
    """Bring the middle of a block to a place and let go; take it first if it is not held."""
    holds = sight.holds(name)
    offset = sight.tool - sight.blocks[name].position if holds else np.array([0, 0, -0.004])
    at = (place[0] + float(offset[0]), place[1] + float(offset[1]), place[2] + float(offset[2]))
    if yaw is None:
        yaw = float(np.clip(sight.tool_yaw, NEUTRAL_YAW - 0.3, NEUTRAL_YAW + 0.3))
    pitch = lean((at[0], at[1], at[2] + 0.05), yaw)
    if sight.layout.original and at[1] > 0.03:
        pitch = min(pitch, lid.LEAN)
    lower_edge = LEANING_BLOCK * math.sin(abs(pitch))
    lowest = place[2] - BLOCK_EDGE / 2 + FINGERTIP_ROOM  # however the block is held
    at = (at[0], at[1], max(at[2], lowest) + lower_edge)
    over = Waypoint(
        at, CLOSE, pitch, yaw, tolerance=(0.008, 0.008, 0.007), approach=(0.0, 0.0, 0.08),
        open=holds, carries=True,
    )  # fmt: skip
    let_go = Waypoint(at, OPEN, pitch, yaw, opened=0.07, open=sight.near(at, (0.03, 0.03, 0.03)))
    return [*grasp(sight, name, done=holds), over, let_go]


def _subject(sight: WorldView) -> str:
    """The block that was in the gripper when the task was given, else the one nearest to it."""
    name = held_block(sight.start)
    if name is not None:
        return name
    began = WorldView(sight.start, sight.start, sight.layout, sight.style)
    return min(
        began.blocks.values(), key=lambda block: float(np.linalg.norm(block.position - began.tool))
    ).name


def _free_x(sight: WorldView, name: str) -> float:
    """Where on the shelf to put a block: far from others, in the open, easy to reach."""
    left, right = sight.layout.shelf
    door = [edge - sight.door("base__slide") for edge in sight.layout.door]
    others = [block for block in sight.others(name) if block.position[1] > 0.03]

    def merit(x: float) -> float:
        gap = min([abs(x - float(block.position[0])) for block in others], default=APART)
        open_ = not door[0] - 0.05 < x < door[1] + 0.05
        middle = (left + door[0]) / 2 if door[0] - left > right - door[1] else (right + door[1]) / 2
        effort = -lean((x, SHELF_Y, ON_DESK + 0.05))
        if sight.layout.original:
            return min(gap, APART) - 0.5 * lid.to_push(sight, x, lid.FINGERS) - 0.2 * effort
        return min(gap, APART) + HIDDEN * open_ - 0.1 * abs(x - middle) - 0.2 * effort

    return float(max(np.arange(left + SHELF_EDGE, right - SHELF_EDGE, 0.01), key=merit))


def _farthest(taken: list[BlockPose], xs: np.ndarray, y: float, wished: float) -> float:
    """Of some x, one near the wished one at which a block at y is clear of others."""

    def merit(x: float) -> float:
        gaps = [math.hypot(x - block.position[0], y - block.position[1]) for block in taken]
        return min([APART, *gaps]) - 0.1 * abs(x - wished)

    return float(max(xs, key=merit))


def _base(sight: WorldView, name: str) -> BlockPose:
    """The block on the table to stack on: near, and with nothing on it."""
    pair = stacked(sight)
    taken = pair[1] if pair is not None and pair[0] != name else None
    others = [block for block in sight.others(name) if block.name != taken]

    def cost(block: BlockPose) -> float:
        x, y, z = block.position
        off_table = y > 0.0 or abs(z - ON_DESK) > 0.02
        return 5 * off_table - lean((x, y, z + 0.1)) - 2 * block.depth - block.length

    return min(others, key=cost)


def _closest(sight: WorldView) -> tuple[str, str]:
    """The two blocks closest to each other."""
    names = list(sight.blocks)
    pairs = [(a, b) for a in names for b in names if a != b]
    return min(
        pairs,
        key=lambda pair: float(
            np.linalg.norm(sight.blocks[pair[0]].position - sight.blocks[pair[1]].position)
        ),
    )


def _cost_of_landing(
    sight: WorldView, upper: BlockPose, lower: BlockPose, direction: float
) -> float:
    """How unwelcome it is that the upper block falls down on one side; 1 where there is no room."""
    x, y = float(lower.position[0]), float(lower.position[1])
    others = sight.others(upper.name, lower.name)
    places = [x + direction * distance for distance in (0.06, 0.10, 0.14)]
    hits = any(block.covers(place, y, 0.045) for block in others for place in places)
    button = any(abs(place - sight.layout.button) < 0.05 for place in places)
    effort = -lean((places[1], y, ON_DESK))
    return hits + 0.3 * button + 0.5 * effort + (abs(places[1]) > 0.36)


def _nearest_above_drawer(sight: WorldView) -> BlockPose:
    """The block to push: on the table, in front of the drawer, and near its edge; or in the gripper
    already."""
    left, right = sight.layout.drawer
    held = [block for block in sight.blocks.values() if sight.holds(block.name)]
    if held:
        return held[0]

    def cost(block: BlockPose) -> float:
        x, y, z = block.position
        beside = max(left + 0.045 - x, x - right + 0.045, 0.0)
        return float(y) + 100 * beside + 10 * (abs(z - ON_DESK) > 0.03) + 10 * (y > 0.0)

    return min(sight.blocks.values(), key=cost)
