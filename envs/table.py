"""The desk as data: which boxes, cylinders and spheres it is made of, and how its doors move.

Dimensions, joint ranges, joint and link names are those of CALVIN's simulated desks (Mees et al.
2022); the geometry is built here from primitives. Another scene is another `Layout`.
"""

import math
from dataclasses import dataclass

Number = float | int
Vector = tuple[Number, Number, Number]
Extent = tuple[Number, Number]

TABLE_TOP = 0.44  # metres above the floor
BLOCK_COLORS: dict[str, Vector] = {
    "block_red": (0.82, 0.10, 0.10),
    "block_blue": (0.10, 0.20, 0.85),
    "block_pink": (0.95, 0.30, 0.75),
}
BLOCK_SIZES: dict[str, Vector] = {
    "small": (0.04, 0.04, 0.04),
    "middle": (0.056, 0.04, 0.04),
    "big": (0.08, 0.04, 0.04),
}
OAK: Vector = (0.80, 0.64, 0.45)
WALNUT: Vector = (0.47, 0.32, 0.21)
IVORY: Vector = (0.90, 0.87, 0.80)
STEEL: Vector = (0.33, 0.34, 0.37)
RUBBER: Vector = (0.20, 0.20, 0.22)
LIGHT_OFF: Vector = (0.97, 0.97, 0.97)
LIGHT_ON: dict[str, Vector] = {"lightbulb": (1.0, 0.90, 0.0), "led": (0.1, 1.0, 0.15)}


@dataclass(frozen=True)
class Part:
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


@dataclass(frozen=True)
class Layout:
    """Where a scene's fixtures are, as world x in metres, and which block has which size.

    `door` and `drawer` are the extents at joint position 0, `shelf` that of the cabinet's floor.
    """

    door: Extent
    door_travel: float
    shelf: Extent
    drawer: Extent
    drawer_bar: Extent
    button: float
    led: float
    switch: float
    bulb: float
    blocks: dict[str, str]
    spawn_table: Extent
    spawn_left: Extent
    spawn_right: Extent


LAYOUTS: dict[str, Layout] = {
    "D": Layout(
        door=(-0.105, 0.185),
        door_travel=0.28,
        shelf=(-0.364, 0.164),
        drawer=(-0.125, 0.325),
        drawer_bar=(0.06, 0.30),
        button=-0.12,
        led=-0.12,
        switch=0.30,
        bulb=0.30,
        blocks={"block_red": "middle", "block_blue": "small", "block_pink": "big"},
        spawn_table=(0.0, 0.35),
        spawn_left=(-0.32, -0.16),
        spawn_right=(-0.05, 0.13),
    ),
}

BULB_CENTER = (0.152, 0.675)  # y, z
SWITCH_CENTER: tuple[float, float] = (0.0385, 0.5165)  # y, z of the lever when it is down
SWITCH_TRAVEL = 0.088
SWITCH_AXIS: Vector = (0.0, 0.5, math.sqrt(0.75))  # up the console, which leans back by 30 degrees
LEAN = math.radians(60)  # angle of the console's face above the desk
DRAWER_TRAVEL = 0.22
BUTTON_TRAVEL = 0.02
LINK_MASS = 0.2  # kg, of a door, button or switch
WIDTH, DEPTH, HEIGHT = 0.882, 0.362, 0.649  # of the whole desk


def box(
    link: str, x: Extent, y: Extent, z: Extent,
    color: Vector, solid: bool = True,
) -> Part:  # fmt: skip
    """A box given by its extents in the link's frame."""
    size = (x[1] - x[0], y[1] - y[0], z[1] - z[0])
    return Part(link, "box", size, (sum(x) / 2, sum(y) / 2, sum(z) / 2), color, solid=solid)


def joints(layout: Layout) -> list[Joint]:
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


def parts(layout: Layout) -> list[Part]:
    """Every primitive of the desk."""
    return _body(layout) + _cabinet(layout) + _console(layout) + _drawer(layout) + _fixtures(layout)


def _body(layout: Layout) -> list[Part]:
    """Legs, the carcass around the drawer, and the desk top in front of the cabinet."""
    x, y = WIDTH / 2, DEPTH / 2
    left, right = layout.drawer[0] - 0.004, layout.drawer[1] + 0.004
    legs = [
        box("base_link", (a, a + 0.05), (b, b + 0.05), (0, 0.30), WALNUT)
        for a in (-x, x - 0.05)
        for b in (-y, y - 0.05)
    ]
    return [
        *legs,
        box("base_link", (-x, left), (-y, y), (0.30, 0.425), OAK),
        box("base_link", (right, x), (-y, y), (0.30, 0.425), OAK),
        box("base_link", (left, right), (-y, y), (0.295, 0.305), OAK),
        box("base_link", (left, right), (y - 0.02, y), (0.305, 0.425), OAK),
        box("base_link", (-x, x), (-y, 0.03), (0.425, TABLE_TOP), OAK),
        box("base_link", (-x, layout.shelf[0]), (0.03, y), (0.425, TABLE_TOP), OAK),
        box("base_link", (layout.shelf[1], x), (0.03, y), (0.425, TABLE_TOP), OAK),
    ]


def _cabinet(layout: Layout) -> list[Part]:
    """The open-topped cabinet behind the sliding door: back, sides, the shelf it stands on."""
    x, y = WIDTH / 2, DEPTH / 2
    left, right = layout.shelf
    half = (right - left) / 2
    return [
        box("base_link", (-x, x), (y - 0.012, y), (TABLE_TOP, HEIGHT), OAK),
        box("base_link", (left - 0.012, left), (0.03, y - 0.012), (TABLE_TOP, 0.60), WALNUT),
        box("base_link", (right, right + 0.012), (0.03, y - 0.012), (TABLE_TOP, 0.60), WALNUT),
        box("plank_link", (-half, half), (0.03, y - 0.012), (-0.015, 0), IVORY),
    ]


def _console(layout: Layout) -> list[Part]:
    """The leaning face the switch slides on, filled behind by steps that it hides."""
    x = (layout.switch - 0.10, min(layout.switch + 0.141, WIDTH / 2))
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
    face = Part("base_link", "box", size, middle, IVORY, roll=LEAN)
    steps = []
    for low, top in ((0.44, 0.49), (0.49, 0.54), (0.54, 0.59), (0.59, 0.63)):
        front = foot + (top - TABLE_TOP) / math.tan(LEAN) + thickness
        steps.append(box("base_link", x, (front, back), (low, top), OAK))
    return [face, *steps]


def _drawer(layout: Layout) -> list[Part]:
    """An open box with a front and a handle bar, in the frame of the closed drawer."""
    center = sum(layout.drawer) / 2
    half = (layout.drawer[1] - layout.drawer[0]) / 2
    left, right = (edge - center for edge in layout.drawer_bar)
    side, floor = (-0.169, 0.13), 0.315
    return [
        box("drawer_link", (-half, half), (-0.181, -0.169), (0.308, 0.422), WALNUT),
        box("drawer_link", (-half, half), side, (floor - 0.007, floor + 0.003), IVORY),
        box("drawer_link", (-half, 0.01 - half), side, (floor, 0.41), WALNUT),
        box("drawer_link", (half - 0.01, half), side, (floor, 0.41), WALNUT),
        box("drawer_link", (-half, half), (0.12, 0.13), (floor, 0.41), WALNUT),
        box("drawer_link", (left, right), (-0.260, -0.232), (0.345, 0.373), STEEL),
        box("drawer_link", (left, left + 0.02), (-0.232, -0.181), (0.345, 0.373), STEEL),
        box("drawer_link", (right - 0.02, right), (-0.232, -0.181), (0.345, 0.373), STEEL),
    ]


def _fixtures(layout: Layout) -> list[Part]:
    """Door, button, switch and lamps, each in its link's frame."""
    half = (layout.door[1] - layout.door[0]) / 2
    ring = (layout.button, -0.12, TABLE_TOP)
    socket = (layout.bulb, BULB_CENTER[0], BULB_CENTER[1] - 0.035)
    lever = Part("switch_link", "box", (0.12, 0.03, 0.06), (0, 0, 0), STEEL, roll=LEAN)
    return [
        box("slide_link", (-half, half), (-0.006, 0.006), (0.002, 0.135), WALNUT),
        box("slide_link", (-0.02, 0.02), (-0.046, -0.006), (0.06, 0.09), STEEL),
        Part("button_link", "cylinder", (0.021, 0.02), (0, 0, 0.01), RUBBER),
        Part("base_link", "cylinder", (0.03, 0.002), ring, STEEL, solid=False),
        lever,
        Part("led_link", "cylinder", (0.022, 0.012), (0, 0, 0.006), LIGHT_OFF, solid=False),
        Part("light_link", "sphere", (0.030,), (0, 0, 0), LIGHT_OFF, solid=False),
        Part("base_link", "cylinder", (0.016, 0.02), socket, STEEL, solid=False),
    ]
