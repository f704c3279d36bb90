"""From which layouts a task can be begun: its door can move, its light is as it must be, its block
lies where it must, in the open and with room around it.
"""

import numpy as np
from jaxtyping import Float

from firsthand.envs.playtable.layouts import BLOCK_SIZES, DRAWER_TRAVEL, SPAWN_Z, DeskLayout
from firsthand.envs.tasks.conditions import (
    BlockLifted,
    BlockPlaced,
    BlockPushed,
    BlockPushedInto,
    BlockRotated,
    BlockStacked,
    BlockUnstacked,
    DoorMoved,
    LightToggled,
)
from firsthand.envs.tasks.tasks import BLOCKS, BULB, DRAWER, LED, SLIDE, TASKS, block_slice

BLOCK_EDGE = 0.04  # m, width and height of every block
DRAWER_FLOOR = 0.318  # m above the floor
DRAWER_INSIDE = (-0.159, 0.12)  # m, y inside the closed drawer
DRAWER_OUT = 0.15  # m, from where on a drawer counts as open
DESK_EDGE = -0.181  # m, y of the desk's front
_SLACK = 0.01  # m of joint travel that must remain beyond the threshold
_PUSH_MARGIN = (0.07, 0.05)  # m by which a push may leave the stretch where blocks are put
_BUTTON_MARGIN = 0.075  # m, half a block, the button and a finger
_SHELF_MARGIN = 0.03  # m between a block to be grasped and the door in front of its neighbour
_LIGHT_INDEX = {"lightbulb": BULB, "led": LED}


def feasible(
    task: str, scene_obs: Float[np.ndarray, "24"], layout: DeskLayout, held: str | None = None
) -> bool:
    """Whether the task can be begun from a layout, with a block `held` in the gripper or none.

    Raises:
        KeyError: there is no such task.
    """
    condition = TASKS[task].condition
    if isinstance(condition, BlockPlaced | BlockStacked):
        return held is not None and _has_destination(condition, scene_obs, layout, held)
    if held is not None:
        return False
    match condition:
        case DoorMoved(joint, by):
            slides = joint == "base__slide"
            target = scene_obs[SLIDE if slides else DRAWER] + by + np.sign(by) * _SLACK
            return bool(0 <= target <= (layout.door_travel if slides else DRAWER_TRAVEL))
        case LightToggled(light, before):
            return bool(scene_obs[_LIGHT_INDEX[light]] > 0.5) == before
        case BlockRotated(block, _):
            return on_table(scene_obs, block)
        case BlockPushed(block, by):
            low, high = push_range(layout)
            end = scene_obs[block_slice(block)][0] + by
            return on_table(scene_obs, block) and bool(low <= end <= high)
        case BlockLifted(block, _, "plank_link"):
            return in_the_open(scene_obs, block, layout)
        case BlockLifted(block, _, "drawer_link"):
            return in_drawer(scene_obs, block) and bool(scene_obs[DRAWER] > DRAWER_OUT)
        case BlockLifted(block):
            return on_table(scene_obs, block)
        case BlockPushedInto():
            return bool(scene_obs[DRAWER] > DRAWER_OUT) and any(
                on_table(scene_obs, block) and _before_drawer(scene_obs, block, layout)
                for block in BLOCKS
            )
        case BlockUnstacked():
            return any(_stacked(scene_obs, block) for block in BLOCKS)
    raise TypeError(f"unknown condition {condition}")


def on_table(scene_obs: Float[np.ndarray, "24"], block: str) -> bool:
    """Whether a block lies on the table's open top, in front of the sliding door."""
    x, y, z = scene_obs[block_slice(block)][:3]
    return bool(abs(x) < 0.42 and DESK_EDGE < y < 0.0 and abs(z - SPAWN_Z) < 0.02)


def in_shelf(scene_obs: Float[np.ndarray, "24"], block: str, layout: DeskLayout) -> bool:
    """Whether a block lies in the cabinet behind the sliding door."""
    x, y, z = scene_obs[block_slice(block)][:3]
    left, right = layout.shelf
    return bool(left < x < right and 0.03 < y < 0.17 and abs(z - SPAWN_Z) < 0.02)


def in_the_open(scene_obs: Float[np.ndarray, "24"], block: str, layout: DeskLayout) -> bool:
    """Whether a block lies in the cabinet and the door is not in front of it."""
    x = scene_obs[block_slice(block)][0]
    left, right = (edge - scene_obs[SLIDE] for edge in layout.door)
    free = x < left - _SHELF_MARGIN or x > right + _SHELF_MARGIN
    return bool(free) and in_shelf(scene_obs, block, layout)


def in_drawer(scene_obs: Float[np.ndarray, "24"], block: str) -> bool:
    """Whether a block lies in the part of the drawer that has been pulled out."""
    _, y, z = scene_obs[block_slice(block)][:3]
    front = DRAWER_INSIDE[0] - scene_obs[DRAWER]
    return bool(front < y < DESK_EDGE and z < DRAWER_FLOOR + BLOCK_EDGE)


def push_range(layout: DeskLayout) -> tuple[float, float]:
    """The world x between which a push may end: on the desk, and clear of the button."""
    low, high = layout.spawn_table[0] - _PUSH_MARGIN[0], layout.spawn_table[1] + _PUSH_MARGIN[1]
    if layout.button < sum(layout.spawn_table) / 2:
        return max(low, layout.button + _BUTTON_MARGIN), high
    return low, min(high, layout.button - _BUTTON_MARGIN)


def _before_drawer(scene_obs: Float[np.ndarray, "24"], block: str, layout: DeskLayout) -> bool:
    """Whether a block pushed to the front falls into the drawer."""
    half = BLOCK_SIZES["big"][0] / 2 + _SLACK
    x = scene_obs[block_slice(block)][0]
    return bool(layout.drawer[0] + half < x < layout.drawer[1] - half)


def _stacked(scene_obs: Float[np.ndarray, "24"], block: str) -> bool:
    """Whether a block lies on another one on the table."""
    x, y, z = scene_obs[block_slice(block)][:3]
    return bool(abs(z - SPAWN_Z - BLOCK_EDGE) < 0.01) and any(
        on_table(scene_obs, other)
        and np.hypot(*(scene_obs[block_slice(other)][:2] - (x, y))) < BLOCK_EDGE
        for other in BLOCKS
        if other != block
    )


def _has_destination(
    condition: BlockPlaced | BlockStacked,
    scene_obs: Float[np.ndarray, "24"],
    layout: DeskLayout,
    held: str,
) -> bool:
    if isinstance(condition, BlockStacked):
        return any(on_table(scene_obs, block) for block in BLOCKS if block != held)
    return condition.link != "drawer_link" or bool(scene_obs[DRAWER] > DRAWER_OUT)
