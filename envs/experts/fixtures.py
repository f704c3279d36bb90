"""Where the tool has to go to move doors, to press the button and to move the switch."""

from firsthand.envs.experts.world_view import FINGER, Vector, Waypoint, WorldView, lean
from firsthand.envs.playtable.desk_geometry import SWITCH_AXIS, SWITCH_CENTER
from firsthand.envs.playtable.layouts import DRAWER_TRAVEL, SWITCH_TRAVEL

BAR = (-0.260, -0.232)  # y of the drawer's bar when it is closed
BAR_HEIGHT = 0.36
HANDLE_HALF, HANDLE_Y, HANDLE_Z = 0.02, -0.024, 0.518  # of the sliding door's handle
BUTTON_Y = -0.12
BESIDE = 0.022  # metres between a finger and what it is going to push
OVERSHOOT = 0.02  # metres by which a door is pushed further than it goes


def open_drawer(view: WorldView) -> list[Waypoint]:
    """Reach behind the bar and pull."""
    out = view.door("base__drawer")
    x = sum(view.layout.drawer_bar) / 2 + 0.03 * view.style.sway
    behind = (x, BAR[1] - out + 0.019, BAR_HEIGHT - 0.005)
    pulled = (x, BAR[1] - DRAWER_TRAVEL - OVERSHOOT, BAR_HEIGHT - 0.005)
    hooked = view.near(behind, (0.12, 0.025, 0.022))
    way_in: Vector = (0.0, 0.0, 0.11 * max(view.style.height, 0.9))
    return [
        Waypoint(behind, approach=way_in, tolerance=(0.06, 0.014, 0.016)),
        Waypoint(pulled, speed=0.5, open=hooked),
    ]


def close_drawer(view: WorldView) -> list[Waypoint]:
    """Come down in front of the bar and push."""
    out = view.door("base__drawer")
    x = sum(view.layout.drawer_bar) / 2 + 0.03 * view.style.sway
    front = (x, BAR[0] - out - 0.04, BAR_HEIGHT + 0.005)
    pushed = (x, BAR[0] + OVERSHOOT, BAR_HEIGHT + 0.005)
    in_front = view.near(front, (0.12, 0.05, 0.03))
    way_in: Vector = (0.0, 0.0, 0.11 * max(view.style.height, 0.9))
    return [
        Waypoint(front, approach=way_in, tolerance=(0.06, 0.03, 0.025)),
        Waypoint(pushed, speed=0.5, open=in_front),
    ]


def move_slider(
    view: WorldView, direction: float, half: float = FINGER, done: bool = False
) -> list[Waypoint]:
    """Push the door's handle from its other side, towards `direction` along x. `half` is half the
    width of what pushes; `done` skips all of it."""
    closed = sum(view.layout.door) / 2
    handle = closed - view.door("base__slide")
    end = closed if direction > 0 else closed - view.layout.door_travel
    reach = HANDLE_HALF + half
    beside = (handle - direction * (reach + BESIDE), HANDLE_Y, HANDLE_Z)
    pushed = (end - direction * (reach - OVERSHOOT - 0.01), HANDLE_Y, HANDLE_Z)
    way_in = (-0.02 * direction, -0.03, 0.06 * view.style.height)
    behind = view.near(beside, (0.04, 0.022, 0.028))
    return [
        Waypoint(
            beside, pitch=lean(beside), approach=way_in, tolerance=(0.02, 0.014, 0.018), done=done
        ),
        Waypoint(pushed, pitch=lean(pushed), speed=0.5, open=behind or done, done=done),
    ]


def press_button(view: WorldView) -> list[Waypoint]:
    """Press with the closed fingers."""
    x = view.layout.button + view.style.offset
    above = (x, BUTTON_Y + view.style.offset, 0.485)
    down = (above[0], above[1], 0.435)
    over = view.near(above, (0.02, 0.02, 0.06))
    pitch = lean(above)
    return [
        Waypoint(
            above, pitch=pitch, approach=view.style.above(0.05), tolerance=(0.014, 0.014, 0.03)
        ),
        Waypoint(down, pitch=pitch, open=over),
    ]


def move_switch(view: WorldView, up: bool) -> list[Waypoint]:
    """Put the tilted fingers below (above) the lever and slide it up (down) the console."""
    if up:
        start, end = _on_console(view, -0.05), _on_console(view, SWITCH_TRAVEL - 0.01)
        pitch, rise = -0.7, 0.05
    else:
        start, end = _on_console(view, SWITCH_TRAVEL + 0.045), _on_console(view, 0.01)
        pitch, rise = -0.9, 0.03
    way_in = (0.0, -0.05, rise * view.style.height)
    middle = [(one + other) / 2 for one, other in zip(start, end, strict=True)]
    return [
        Waypoint(start, pitch=pitch, approach=way_in, tolerance=(0.025, 0.015, 0.015)),
        Waypoint(end, pitch=pitch, speed=0.5, open=view.near(middle, (0.06, 0.08, 0.10))),
    ]


def _on_console(view: WorldView, travel: float) -> Vector:
    """A point in front of the console, `travel` metres up its face from the lowered lever."""
    outward = 0.012
    y = SWITCH_CENTER[0] + SWITCH_AXIS[1] * travel - SWITCH_AXIS[2] * outward
    z = SWITCH_CENTER[1] + SWITCH_AXIS[2] * travel + SWITCH_AXIS[1] * outward
    return (view.layout.switch + 0.02 * view.style.sway, y, z)
