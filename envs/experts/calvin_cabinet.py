"""The cabinet of CALVIN's own desks, as experts deal with it.

Its front leans back, and so does the sliding door, which covers the shelf like a lid: nothing under
it can be reached, and the hand has to lean forward to come in beneath the top.
"""

from dataclasses import replace

from firsthand.envs.experts.fixtures import HANDLE_Y, HANDLE_Z, move_slider
from firsthand.envs.experts.world_view import FINGER, Waypoint, WorldView

LEAN = -0.65  # radians of pitch
WALL, DOOR, SLOPE, TOP = 0.42, 0.48, 1.73, 0.66  # metres high at y = 0, metres a metre, at most
FINGERS = 0.06  # metres from the middle of the gripper to the outer sides of its open fingers
HAND = 0.125  # metres along x from the middle of the hand to its ends
ASIDE = 0.10  # metres along x from the handle where open fingers do not touch it
DRAWER = 0.024  # metres by which the drawer's floor is higher
SHELF_Y = 0.065  # where blocks are put: no further in than they must be


def height(view: WorldView, x: float, y: float) -> float:
    """How high the cabinet and its door are at a place, seen by the fingers."""
    left, right = view.layout.shelf
    tops = [0.0]
    if y > 0.01 and not left + FINGERS < x < right - FINGERS:
        tops.append(min(WALL + SLOPE * y, TOP))
    low, high = covered(view)
    if y > -0.01 and low - FINGERS < x < high + FINGERS:
        tops.append(min(DOOR + SLOPE * y, TOP))
    return max(tops)


def covered(view: WorldView) -> tuple[float, float]:
    """From where to where along x the door covers the shelf."""
    slide = view.door("base__slide")
    return view.layout.door[0] - slide, view.layout.door[1] - slide


def uncover(view: WorldView, x: float, carried: str | None = None) -> list[Waypoint]:
    """Push the door off what is needed around `x`: by the hand to take a block, by the fingers to
    put down the one that is `carried`, once it is held."""
    room = HAND if carried is None else FINGERS
    clear = to_push(view, x, room) == 0 or not (carried is None or view.holds(carried))
    direction = _way_off(view, x)
    half = FINGER if carried is None else view.blocks[carried].half_width((1.0, 0.0))
    push = move_slider(view, direction, half + 0.01 * (carried is not None), clear)
    way = [*push, _away_from_handle(view, direction)]
    return [replace(waypoint, carries=carried is not None) for waypoint in way]


def to_push(view: WorldView, x: float, room: float) -> float:
    """How many metres the door has to move until it is off `x` and as much `room` beside it; more
    than it can where that is impossible."""
    low, high = covered(view)
    travel = view.layout.door_travel
    if high < x - room or low > x + room:
        return 0.0
    if _way_off(view, x) > 0:
        way, left = x + room - low, view.door("base__slide")
    else:
        way, left = high - (x - room), travel - view.door("base__slide")
    return way if way <= left else 2 * travel


def _way_off(view: WorldView, x: float) -> float:
    """In which direction along x the door leaves a place."""
    return 1.0 if x < sum(view.layout.shelf) / 2 else -1.0


def _away_from_handle(view: WorldView, direction: float) -> Waypoint:
    """Back off with closed fingers: open ones would hook the handle and take the door along."""
    handle = sum(view.layout.door) / 2 - view.door("base__slide")
    x, y, z = view.tool
    near = abs(x - handle) < 0.8 * ASIDE and y > HANDLE_Y - 0.05 and z < TOP
    aside = (handle - direction * ASIDE, HANDLE_Y - 0.01, HANDLE_Z)
    return Waypoint(aside, tolerance=(0.02, 0.03, 0.03), done=not near)
