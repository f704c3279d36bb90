"""A scene's desk built from boxes, cylinders and spheres, and how its doors and buttons move.

Dimensions, joint and link names are those of CALVIN's simulated desks (Mees et al. 2022).
"""

import math
from dataclasses import dataclass

from firsthand.envs.playtable.layouts import (
    BUTTON_TRAVEL,
    DRAWER_TRAVEL,
    LIGHT_OFF,
    SWITCH_AXIS,
    SWITCH_CENTER,
    SWITCH_TRAVEL,
    TABLE_TOP,
    DeskLayout,
    Extent,
    Number,
    Vector,
)

RUBBER: Vector = (0.20, 0.20, 0.22)
BULB_CENTER = (0.152, 0.675)  # y, z
LEAN = math.radians(60)  # angle of the console's face above the desk
LINK_MASS = 0.2  # kg, of a door, button or switch
WIDTH, DEPTH, HEIGHT = 0.882, 0.362, 0.649  # of the whole desk


@dataclass(frozen=True)
class DeskPart:
    """A primitive of a link: its outline in metres, and where it sits in the link's frame.

    `size` holds the three edges of a box, (radius, length) of a cylinder along z, or (radius,) of
    a sphere. `roll` turns it about the x axis, in radians. Only a `solid` part can be touched.
    """

    link: str
    shape: str
    size: tuple[Number, ...]
    position: Vector
    color: Vector
    roll: Number = 0.0
    solid: bool = True


@dataclass(frozen=True)
class Joint:
    """A prismatic joint from the base to `link`: from 0 to `upper` metres along `axis`."""

    name: str
    link: str
    origin: Vector
    axis: Vector | None = None  # None: fixed
    upper: Number = 0.0


def box(
    link: str, x: Extent, y: Extent, z: Extent,
    color: Vector, solid: bool = True,
) -> DeskPart:  # fmt: skip
    """A box given by its extents in the link's frame."""
    size = (x[1] - x[0], y[1] - y[0], z[1] - z[0])
    return DeskPart(link, "box", size, (sum(x) / 2, sum(y) / 2, sum(z) / 2), color, solid=solid)


def joints(layout: DeskLayout) -> list[Joint]:
    """The desk's joints in the order of their links, 0 to 6, as CALVIN numbers them."""
    button = (layout.button, -0.12, TABLE_TOP)
    switch = (layout.switch, *SWITCH_CENTER)
    slide = (sum(layout.door) / 2, 0.015, TABLE_TOP)
    drawer = (sum(layout.drawer) / 2, 0.0, 0.0)
    return [
        Joint("base__button", "button_link", button, (0, 0, -1), BUTTON_TRAVEL),
        Joint("base__switch", "switch_link", switch, SWITCH_AXIS, SWITCH_TRAVEL),
        Joint("base__slide", "slide_link", slide, (-1, 0, 0), layout.door_travel),
        Joint("base__drawer", "drawer_link", drawer, (0, -1, 0), DRAWER_TRAVEL),
        Joint("base__led", "led_link", (layout.led, -0.055, TABLE_TOP)),
        Joint("base__light", "light_link", (layout.bulb, *BULB_CENTER)),
        Joint("base__plank", "plank_link", (sum(layout.shelf) / 2, 0, TABLE_TOP)),
    ]


def parts(layout: DeskLayout) -> list[DeskPart]:
    """Every primitive of the desk."""
    return _body(layout) + _cabinet(layout) + _console(layout) + _drawer(layout) + _fixtures(layout)


def _body(layout: DeskLayout) -> list[DeskPart]:
    """Legs, the carcass around the drawer, and the desk top in front of the cabinet."""
    x, y, finish = WIDTH / 2, DEPTH / 2, layout.finish
    left, right = layout.drawer[0] - 0.004, layout.drawer[1] + 0.004
    legs = [
        box("base_link", (a, a + 0.05), (b, b + 0.05), (0, 0.30), finish.front)
        for a in (-x, x - 0.05)
        for b in (-y, y - 0.05)
    ]
    return [
        *legs,
        box("base_link", (-x, left), (-y, y), (0.30, 0.425), finish.body),
        box("base_link", (right, x), (-y, y), (0.30, 0.425), finish.body),
        box("base_link", (left, right), (-y, y), (0.295, 0.305), finish.body),
        box("base_link", (left, right), (y - 0.02, y), (0.305, 0.425), finish.body),
        box("base_link", (-x, x), (-y, 0.03), (0.425, TABLE_TOP), finish.body),
        box("base_link", (-x, layout.shelf[0]), (0.03, y), (0.425, TABLE_TOP), finish.body),
        box("base_link", (layout.shelf[1], x), (0.03, y), (0.425, TABLE_TOP), finish.body),
    ]


def _cabinet(layout: DeskLayout) -> list[DeskPart]:
    """The open-topped cabinet behind the sliding door: back, sides, the shelf it stands on."""
    x, y, finish = WIDTH / 2, DEPTH / 2, layout.finish
    left, right = layout.shelf
    half = (right - left) / 2
    return [
        box("base_link", (-x, x), (y - 0.012, y), (TABLE_TOP, HEIGHT), finish.body),
        box("base_link", (left - 0.012, left), (0.03, y - 0.012), (TABLE_TOP, 0.50), finish.front),
        box(
            "base_link", (right, right + 0.012), (0.03, y - 0.012), (TABLE_TOP, 0.50), finish.front
        ),
        box("plank_link", (-half, half), (0.03, y - 0.012), (-0.015, 0), finish.inside),
    ]


def _console(layout: DeskLayout) -> list[DeskPart]:
    """The leaning face the switch slides on, filled behind by steps that it hides."""
    on_right = layout.switch > 0
    x = (layout.switch - 0.10, WIDTH / 2) if on_right else (-WIDTH / 2, layout.switch + 0.10)
    back = DEPTH / 2 - 0.012
    # The face passes behind the lever; `foot` is where it meets the desk top.
    foot = SWITCH_CENTER[0] + 0.026 - (SWITCH_CENTER[1] - 0.015 - TABLE_TOP) / math.tan(LEAN)
    length, thickness = 0.225, 0.012
    along, normal = (math.cos(LEAN), math.sin(LEAN)), (math.sin(LEAN), -math.cos(LEAN))
    middle = (
        sum(x) / 2,
        foot + along[0] * length / 2 + normal[0] * thickness / 2,
        TABLE_TOP + along[1] * length / 2 + normal[1] * thickness / 2,
    )
    size = (x[1] - x[0], length, thickness)
    face = DeskPart("base_link", "box", size, middle, layout.finish.inside, roll=LEAN)
    steps = []
    for low, top in ((0.44, 0.49), (0.49, 0.54), (0.54, 0.59), (0.59, 0.63)):
        front = foot + (top - TABLE_TOP) / math.tan(LEAN) + thickness
        steps.append(box("base_link", x, (front, back), (low, top), layout.finish.body))
    return [face, *steps]


def _drawer(layout: DeskLayout) -> list[DeskPart]:
    """An open box with a front and a handle bar, in the frame of the closed drawer."""
    center, finish = sum(layout.drawer) / 2, layout.finish
    half = (layout.drawer[1] - layout.drawer[0]) / 2
    left, right = (edge - center for edge in layout.drawer_bar)
    side, floor = (-0.169, 0.13), 0.315
    return [
        box("drawer_link", (-half, half), (-0.181, -0.169), (0.308, 0.422), finish.front),
        box("drawer_link", (-half, half), side, (floor - 0.007, floor + 0.003), finish.inside),
        box("drawer_link", (-half, 0.01 - half), side, (floor, 0.41), finish.front),
        box("drawer_link", (half - 0.01, half), side, (floor, 0.41), finish.front),
        box("drawer_link", (-half, half), (0.12, 0.13), (floor, 0.41), finish.front),
        box("drawer_link", (left, right), (-0.260, -0.232), (0.345, 0.373), finish.handle),
        box("drawer_link", (left, left + 0.02), (-0.232, -0.181), (0.345, 0.373), finish.handle),
        box("drawer_link", (right - 0.02, right), (-0.232, -0.181), (0.345, 0.373), finish.handle),
    ]


def _fixtures(layout: DeskLayout) -> list[DeskPart]:
    """Door, button, switch and lamps, each in its link's frame."""
    half, finish = (layout.door[1] - layout.door[0]) / 2, layout.finish
    ring = (layout.button, -0.12, TABLE_TOP)
    socket = (layout.bulb, BULB_CENTER[0], BULB_CENTER[1] - 0.035)
    lever = DeskPart("switch_link", "box", (0.12, 0.03, 0.06), (0, 0, 0), finish.handle, roll=LEAN)
    return [
        box("slide_link", (-half, half), (-0.006, 0.006), (0.002, 0.135), finish.front),
        box("slide_link", (-0.02, 0.02), (-0.046, -0.006), (0.06, 0.09), finish.handle),
        DeskPart("button_link", "cylinder", (0.021, 0.02), (0, 0, 0.01), RUBBER),
        DeskPart("base_link", "cylinder", (0.03, 0.002), ring, finish.handle, solid=False),
        lever,
        DeskPart("led_link", "cylinder", (0.022, 0.012), (0, 0, 0.006), LIGHT_OFF, solid=False),
        DeskPart("light_link", "sphere", (0.030,), (0, 0, 0), LIGHT_OFF, solid=False),
        DeskPart("base_link", "cylinder", (0.016, 0.02), socket, finish.handle, solid=False),
    ]
