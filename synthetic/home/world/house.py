"""The rooms of a home and its garden: floor, walls, what stands along them, and the light.

The floor is z = 0 and its middle the origin. What is named in speech is not here: things come and
go, rooms stay.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from firsthand.rendering.meshes import box, cylinder
from firsthand.rendering.rasterizer import Light
from firsthand.synthetic.home.world.furnishings import (
    Builder,
    Rng,
    Support,
    cot,
    cupboards,
    screen,
    shelves,
    sofa,
    wardrobe,
)
from firsthand.synthetic.parts import DARK, PAPER, Color, MeshPart, dyed, pose, rotation


@dataclass(frozen=True)
class House:
    """One room. `half` are half its sides; things and viewers keep `MARGIN` off the walls."""

    kind: str
    parts: tuple[MeshPart, ...]
    supports: tuple[Support, ...]
    half: Float[np.ndarray, "2"]
    light: Light
    sky: Color
    gain: Float[np.ndarray, "3"]  # exposure and white balance


def _nursery(b: Builder) -> None:
    b.floor(b.any_of("wood", "noise", "checker"), b.pale(0.45, 0.8))
    b.walls(b.any_of("noise", "checker", "stripes"), b.pale(0.7, 0.98))
    b.rug(b.any_of("checker", "fabric", "stripes"))
    shelves(b, 0, b.draw(-0.5, 0.5))
    cot(b, 1, b.draw(-0.5, 0.5))
    b.support("wood", b.bright())


def _kitchen(b: Builder) -> None:
    b.floor(b.any_of("tiles", "checker"), b.pale(0.5, 0.9))
    b.walls(b.any_of("tiles", "noise"), b.pale(0.75, 0.98), tile=0.5)
    color, top = b.pale(0.4, 0.95), b.wood()
    cupboards(b, 0, 0.85, color, top)
    if b.chance(0.6):
        cupboards(b, 3, 0.85, color, top)
    steel = dyed((0.80, 0.82, 0.84), b.draw(0.7, 1.1))
    b.against(
        1,
        b.draw(-0.6, 0.6),
        ((0.7, 0.6, 1.6), (0, -0.3, 0.8), steel),
        ((0.66, 0.03, 0.5), (0, -0.61, 1.3), dyed(steel, 1.1)),
        ((0.03, 0.06, 0.4), (0.25, -0.63, 1.3), DARK),
    )
    b.support("wood", b.wood())


def _living_room(b: Builder) -> None:
    b.floor(b.any_of("wood", "wood", "noise"), b.wood())
    b.walls(b.any_of("noise", "fabric", "stripes"), b.pale(0.6, 0.95))
    b.rug(b.any_of("fabric", "noise", "stripes"))
    sofa(b, 0, b.draw(-0.4, 0.4))
    screen(b, 2, b.draw(-0.4, 0.4))
    shelves(b, 1, b.draw(-0.5, 0.5))
    b.support("wood", b.wood())


def _bedroom(b: Builder) -> None:
    b.floor(b.any_of("noise", "wood"), b.pale(0.4, 0.75))
    b.walls(b.any_of("noise", "stripes", "fabric"), b.pale(0.6, 0.95))
    b.rug(b.any_of("fabric", "checker"))
    wardrobe(b, 0, b.draw(-0.6, 0.6))
    if b.chance(0.5):
        wardrobe(b, 1, b.draw(-0.6, 0.6))
    b.support("fabric", b.pale(0.4, 0.9))


def _fence(b: Builder, color: Color) -> None:
    b.walls("stripes", color, high=b.draw(1.0, 1.6), tile=0.25)


def _bushes(b: Builder) -> None:
    for side in range(4):
        for _ in range(int(b.rng.integers(1, 4))):
            wide, high = b.draw(0.4, 1.0), b.draw(0.3, 0.9)
            green = dyed((0.18, 0.45, 0.18), b.draw(0.7, 1.3))
            along = b.draw(-0.8, 0.8) * b.half[side % 2]
            b.against(side, along, ((wide, 0.4, high), (0, -0.3, high / 2), green))


def _garden(b: Builder) -> None:
    b.floor("noise", dyed((0.35, 0.62, 0.25), b.draw(0.8, 1.2)), tile=1.0)
    _fence(b, b.wood())
    _bushes(b)
    b.support("noise", (0.80, 0.70, 0.45))


def _bathroom(b: Builder) -> None:
    b.floor("tiles", b.pale(0.5, 0.9), tile=0.6)
    b.walls("tiles", b.pale(0.6, 0.98), tile=0.6)
    b.against(
        0,
        0,
        ((1.5, 0.6, 0.5), (0, -0.3, 0.25), (0.96, 0.96, 0.97)),
        ((1.35, 0.45, 0.02), (0, -0.3, 0.5), (0.55, 0.75, 0.88)),
    )
    b.against(
        1,
        b.draw(-0.5, 0.5),
        ((0.2, 0.2, 0.7), (0, -0.2, 0.35), PAPER),
        ((0.6, 0.45, 0.15), (0, -0.25, 0.75), (0.96, 0.96, 0.97)),
        ((0.6, 0.03, 0.7), (0, -0.02, 1.4), (0.75, 0.85, 0.90)),
    )
    b.rug("fabric")
    b.support("tiles", b.pale())


def _playground(b: Builder) -> None:
    b.floor("noise", dyed((0.88, 0.76, 0.52), b.draw(0.85, 1.1)), tile=0.6)
    _fence(b, b.bright())
    _bushes(b)
    ramp = box((0.5, 1.6, 0.05)).transformed(pose(-0.6, b.half[1] - 0.6, 0.6, rotation(0, 0.75)))
    b.parts.append(MeshPart(ramp, b.bright()))
    for x in (0.4, 1.4):
        post = cylinder(0.05, 2.0, 8).transformed(pose(x, b.half[1] - 0.5, 1.0))
        b.parts.append(MeshPart(post, b.bright()))
    b.support("noise", b.bright())


ROOMS: dict[str, Callable[[Builder], None]] = {
    "nursery": _nursery,
    "kitchen": _kitchen,
    "living room": _living_room,
    "bedroom": _bedroom,
    "garden": _garden,
}
NEW_ROOMS: dict[str, Callable[[Builder], None]] = {
    "bathroom": _bathroom,
    "playground": _playground,
}  # kept for testing: no training picture shows them
OUTSIDE = ("garden", "playground")


def build_house(kind: str, rng: Rng) -> House:
    """A new room of a kind of `ROOMS` or `NEW_ROOMS`, with its light."""
    builder = Builder(rng, rng.uniform(1.7, 2.3, 2))
    (ROOMS | NEW_ROOMS)[kind](builder)
    outside = kind in OUTSIDE
    if not outside:
        for side in range(4):
            if builder.chance(0.6):
                builder.hanging(side)
    ambient = rng.uniform(0.5, 0.62) if outside else rng.uniform(0.42, 0.62)
    light = Light(
        (rng.uniform(-0.8, 0.8), rng.uniform(-0.8, 0.8), rng.uniform(0.8, 1.3)),
        ambient=ambient,
        diffuse=rng.uniform(0.95, 1.15) - ambient * 1.15,
        shaded=rng.uniform(0.1, 0.4),
        center=(0.0, 0.0, 0.3),
        radius=2.2,
        resolution=256,
    )
    warm = rng.uniform(-0.1, 0.1)
    gain = rng.uniform(0.8, 1.15) * (1 + np.array([warm, 0.0, -warm]) + rng.uniform(-0.03, 0.03, 3))
    sky = dyed((0.60, 0.78, 0.95), rng.uniform(0.85, 1.05)) if outside else (0.85, 0.85, 0.84)
    return House(
        kind, tuple(builder.parts), tuple(builder.supports), builder.half, light, sky, gain
    )
