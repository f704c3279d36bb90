"""How high the tool must be to cross what stands on the desk."""

import numpy as np
from jaxtyping import Float

from firsthand.envs.experts import calvin_cabinet
from firsthand.envs.experts.world_view import WorldView
from firsthand.envs.playtable.desk_geometry import WIDTH
from firsthand.envs.playtable.layouts import TABLE_TOP

FINGERTIP = 0.01  # metres from the tool point down to the tips of the fingers
GAP = 0.02  # metres kept between the fingertips and what they cross
BLOCK_MARGIN = 0.025  # metres beside a block in which the fingers would touch it
CLOSED_MARGIN = 0.016  # metres beside a block in which the closed fingers would touch it
HANGING = 0.03  # metres that a block in the gripper reaches further down
SPACING = 0.02  # metres between the places of a way that are looked at
ARRIVED = 0.03  # metres of the way before its end that are left to the way in

DESK_FRONT = -0.195
DOOR_DEPTH, DOOR_TOP = (-0.048, 0.036), 0.575
WALL_TOP = 0.50
CONSOLE_FRONT, CONSOLE_TOP = -0.015, 0.64
DRAWER_TOP, HANDLE_DEPTH = 0.422, 0.095


def needed_height(view: WorldView, goal: Float[np.ndarray, "3"], carrying: bool) -> float:
    """The least height of the tool on the straight way from where it is to above `goal`."""
    way = goal[:2] - view.tool[:2]
    length = max(float(np.linalg.norm(way)), ARRIVED)
    count = int(np.ceil((length - ARRIVED) / SPACING)) + 1
    shares = np.linspace(0.0, 1 - ARRIVED / length, count)
    places = [view.tool[:2] + share * way for share in shares]
    obstacle = max(_top(view, float(x), float(y), carrying) for x, y in places)
    return obstacle + FINGERTIP + GAP + HANGING * carrying


def height_beside(view: WorldView, target: Float[np.ndarray, "3"]) -> float:
    """The least height of the tool where it is, at the end of its way: above a block that it would
    come down on, unless it is to."""
    x, y = float(view.tool[0]), float(view.tool[1])
    wanted_x, wanted_y = float(target[0]), float(target[1])
    tops = [
        block.top + FINGERTIP + GAP
        for block in view.blocks.values()
        if block.covers(x, y, CLOSED_MARGIN)
        and not block.covers(wanted_x, wanted_y, 0.0)
        and not view.holds(block.name)
    ]
    return max(tops, default=0.0)


def _top(view: WorldView, x: float, y: float, carrying: bool) -> float:
    """The height of what stands at a place, seen by the fingers: a little wider than it is."""
    layout, tops = view.layout, [0.0]
    slide, drawer = view.door("base__slide"), view.door("base__drawer")
    if y > DESK_FRONT:
        tops.append(TABLE_TOP)
    if layout.drawer[0] - 0.02 < x < layout.drawer[1] + 0.02 and y > -0.181 - HANDLE_DEPTH - drawer:
        tops.append(DRAWER_TOP)
    if DOOR_DEPTH[0] < y < DOOR_DEPTH[1] and (
        layout.door[0] - slide - 0.03 < x < layout.door[1] - slide + 0.03
    ):
        tops.append(DOOR_TOP)
    if y > 0.015 and any(abs(x - edge) < 0.03 for edge in layout.shelf):
        tops.append(WALL_TOP)
    if y > CONSOLE_FRONT and (
        layout.switch - 0.13 < x < layout.switch + 0.13 or abs(x) > WIDTH / 2 - 0.02
    ):
        tops.append(CONSOLE_TOP)
    if layout.original:
        tops.append(calvin_cabinet.height(view, x, y))
    for block in view.blocks.values():
        if carrying and view.holds(block.name):
            continue
        if block.covers(x, y, BLOCK_MARGIN):
            tops.append(block.top)
    return max(tops)
