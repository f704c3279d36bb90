"""The cabinet of CALVIN's own desks, as experts deal with it.

Its front leans back, and so does the sliding door, which covers the shelf like a lid: nothing under
it can be reached, and the hand has to lean forward to come in beneath the top.
"""

from dataclasses import replace

from envs.experts_fixtures import move_slider
from envs.experts_sight import FINGER, Sight, Waypoint

LEAN = -0.5  # radians of pitch
WALL, DOOR, SLOPE, TOP = 0.42, 0.48, 1.73, 0.66  # metres high at y = 0, metres a metre, at most
FINGERS = 0.06  # metres from the middle of the gripper to the outer sides of its open fingers
HAND = 0.125  # metres along x from the middle of the hand to its ends
SHELF_Y = 0.075  # where blocks are put: no further in than they must be


def height(sight: Sight, x: float, y: float) -> float:
    """How high the cabinet and its door are at a place, seen by the fingers."""
    left, right = sight.layout.shelf
    tops = [0.0]
    if y > 0.01 and not left + FINGERS < x < right - FINGERS:
        tops.append(min(WALL + SLOPE * y, TOP))
    low, high = covered(sight)
    if y > -0.01 and low - FINGERS < x < high + FINGERS:
        tops.append(min(DOOR + SLOPE * y, TOP))
    return max(tops)


def covered(sight: Sight) -> tuple[float, float]:
    """From where to where along x the door covers the shelf."""
    slide = sight.door("base__slide")
    return sight.layout.door[0] - slide, sight.layout.door[1] - slide


def uncover(sight: Sight, x: float, carried: str | None = None) -> list[Waypoint]:
    """Push the door off what the hand needs around `x`; with the block that is to be carried there,
    once it is held."""
    low, high = covered(sight)
    clear = high < x - HAND or low > x + HAND or not (carried is None or sight.holds(carried))
    direction = 1.0 if x < (sight.layout.shelf[0] + sight.layout.shelf[1]) / 2 else -1.0
    half = FINGER if carried is None else sight.blocks[carried].half_width((1.0, 0.0))
    push = move_slider(sight, direction, half + 0.01 * (carried is not None), clear)
    return [replace(waypoint, carries=carried is not None) for waypoint in push]


def reachable(sight: Sight, x: float) -> bool:
    """Whether the door can be pushed off a place on the shelf."""
    low, high = sight.layout.door
    return x + HAND < low or x - HAND > high - sight.layout.door_travel
