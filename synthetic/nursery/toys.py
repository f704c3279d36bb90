"""What lies on the nursery's table: toys by noun, colour and size, each a few small meshes."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8

from firsthand.rendering.meshes import box, cylinder
from firsthand.synthetic.parts import (
    COLORS,
    DARK,
    PAPER,
    WOOD,
    MeshPart,
    dyed,
    lathe,
    pose,
    rotation,
    sphere,
)

SIZES: dict[str, float] = {"small": 0.78, "": 1.0, "big": 1.28}


@dataclass(frozen=True)
class Toy:
    """A thing that a hand can move: an upright disc of `radius`, `half_height` above its middle.

    Lengths are metres; the body's frame has its origin in the toy's middle. `rolls` toys roll on
    after a push; `hollow` ones (the bucket) stand upside down and can cover others.
    """

    noun: str
    color: str
    size: str
    parts: tuple[MeshPart, ...]
    radius: float
    half_height: float
    rolls: bool = False
    hollow: bool = False
    flat_top: bool = False

    @property
    def name(self) -> str:
        """The full description, as "small red ball"."""
        return " ".join(word for word in (self.size, self.color, self.noun) if word)

    def covers(self, other: "Toy") -> bool:
        """Whether the other toy fits inside when this one is put over it."""
        low = other.half_height < 0.75 * self.half_height
        return self.hollow and not other.hollow and low and other.radius < 0.72 * self.radius


LYING = rotation(1, np.pi / 2)  # turns a cylinder's axis from z to x


def _ball(s: float) -> tuple[list[MeshPart], float, float]:
    r = 0.036 * s
    return [MeshPart(sphere(r))], r, r


def _block(s: float) -> tuple[list[MeshPart], float, float]:
    a = 0.054 * s
    return [MeshPart(box((a, a, a)))], 0.56 * a, a / 2


def _cup(s: float) -> tuple[list[MeshPart], float, float]:
    r, h = 0.034 * s, 0.038 * s
    wall = [(0, -h), (0.8 * r, -h), (r, h), (0.88 * r, h), (0.7 * r, -0.85 * h), (0, -0.85 * h)]
    handle = [
        box((0.5 * r, 0.3 * r, 0.3 * r)).transformed(pose(1.15 * r, 0, z))
        for z in (0.5 * h, -0.4 * h)
    ]
    grip = box((0.25 * r, 0.3 * r, 1.2 * h)).transformed(pose(1.5 * r, 0, 0.05 * h))
    return [MeshPart(lathe(wall)), *(MeshPart(mesh) for mesh in (*handle, grip))], 1.1 * r, h


def _car(s: float) -> tuple[list[MeshPart], float, float]:
    w, length, h = 0.042 * s, 0.086 * s, 0.024 * s
    wheels = [
        MeshPart(cylinder(0.30 * w, 0.010, 12).transformed(pose(x, y, -h + 0.30 * w, LYING)), DARK)
        for x in (-w / 2, w / 2)
        for y in (-0.3 * length, 0.3 * length)
    ]
    hull = box((w, length, h)).transformed(pose(z=-0.25 * h))
    cabin = box((0.85 * w, 0.5 * length, 0.75 * h)).transformed(pose(0, -0.05 * length, 0.62 * h))
    window = box((0.7 * w, 0.52 * length, 0.4 * h)).transformed(pose(0, -0.05 * length, 0.62 * h))
    return (
        [MeshPart(hull), MeshPart(cabin), MeshPart(window, (0.6, 0.8, 0.9)), *wheels],
        0.46 * length,
        h,
    )


def _bottle(s: float) -> tuple[list[MeshPart], float, float]:
    r, h = 0.027 * s, 0.062 * s
    wall = [(0, -h), (r, -h), (r, 0.2 * h), (0.4 * r, 0.55 * h), (0.4 * r, 0.8 * h)]
    cap = lathe([(0.5 * r, 0.75 * h), (0.5 * r, h), (0, h)], 10)
    label = lathe([(1.03 * r, -0.6 * h), (1.03 * r, 0.0)])
    return [MeshPart(lathe(wall)), MeshPart(cap, DARK), MeshPart(label, PAPER)], r, h


def _duck(s: float) -> tuple[list[MeshPart], float, float]:
    r = 0.030 * s
    body = sphere(r).transformed(np.diag([1.0, 1.3, 0.85, 1.0])).transformed(pose(z=-0.6 * r))
    head = sphere(0.62 * r).transformed(pose(0, -0.75 * r, 0.80 * r))
    beak = lathe([(0.34 * r, 0), (0, 0.55 * r)], 8).transformed(
        pose(0, -1.25 * r, 0.72 * r, rotation(0, np.pi / 2))
    )
    eyes = [
        MeshPart(sphere(0.12 * r).transformed(pose(x, -1.2 * r, 1.05 * r)), DARK)
        for x in (-0.3 * r, 0.3 * r)
    ]
    return (
        [MeshPart(body), MeshPart(head), MeshPart(beak, (0.95, 0.45, 0.05)), *eyes],
        1.25 * r,
        1.42 * r,
    )


def _book(s: float) -> tuple[list[MeshPart], float, float]:
    w, length, h = 0.072 * s, 0.096 * s, 0.022 * s
    covers = [
        MeshPart(box((w, length, 0.2 * h)).transformed(pose(z=z))) for z in (-0.4 * h, 0.4 * h)
    ]
    spine = box((0.05 * w, length, h)).transformed(pose(-0.475 * w))
    pages = box((0.93 * w, 0.95 * length, 0.6 * h)).transformed(pose(-0.01 * w))
    title = box((0.5 * w, 0.2 * length, 0.02 * h)).transformed(pose(0, 0.2 * length, 0.5 * h))
    return (
        [*covers, MeshPart(spine), MeshPart(pages, PAPER), MeshPart(title, PAPER)],
        0.5 * length,
        h / 2,
    )


def _ring(s: float) -> tuple[list[MeshPart], float, float]:
    r, tube = 0.030 * s, 0.013 * s
    turn = np.linspace(-np.pi, np.pi, 9)
    mesh = lathe([(r + tube * np.cos(a), tube * np.sin(a)) for a in turn], 16)
    return [MeshPart(mesh)], r + tube, tube


def _tree(s: float) -> tuple[list[MeshPart], float, float]:
    r, h = 0.034 * s, 0.060 * s
    crown = lathe(
        [(0, -0.5 * h), (r, -0.5 * h), (0.45 * r, 0.2 * h), (0.7 * r, 0.15 * h), (0, h)], 12
    )
    trunk = lathe([(0, -h), (0.35 * r, -h), (0.3 * r, -0.5 * h)], 8)
    return [MeshPart(crown), MeshPart(trunk, WOOD)], r, h


def _mushroom(s: float) -> tuple[list[MeshPart], float, float]:
    r, h = 0.036 * s, 0.036 * s
    cap = lathe([(0, -0.1 * h), (r, -0.1 * h), (0.85 * r, 0.5 * h), (0.45 * r, 0.9 * h), (0, h)])
    stem = lathe([(0, -h), (0.5 * r, -h), (0.38 * r, 0)], 10)
    return [MeshPart(cap), MeshPart(stem, PAPER)], r, h


def _bear(s: float) -> tuple[list[MeshPart], float, float]:
    r = 0.026 * s
    shapes = [
        (1.0, 0, 0, -0.85),
        (0.75, 0, -0.1, 0.75),
        (0.3, -0.6, 0, 1.45),
        (0.3, 0.6, 0, 1.45),
        (0.38, -0.95, -0.3, -0.5),
        (0.38, 0.95, -0.3, -0.5),
        (0.42, -0.5, -0.9, -1.4),
        (0.42, 0.5, -0.9, -1.4),
    ]
    limbs = [
        MeshPart(sphere(k * r).transformed(pose(x * r, y * r, z * r))) for k, x, y, z in shapes
    ]
    face = [
        MeshPart(sphere(0.3 * r).transformed(pose(0, -0.75 * r, 0.6 * r)), PAPER),
        *(
            MeshPart(sphere(0.1 * r).transformed(pose(x * r, -0.75 * r, 0.95 * r)), DARK)
            for x in (-0.3, 0.3)
        ),
    ]
    return [*limbs, *face], 1.25 * r, 1.8 * r


def _drum(s: float) -> tuple[list[MeshPart], float, float]:
    r, h = 0.040 * s, 0.030 * s
    skin = lathe([(0.94 * r, h), (0, h)], 16)
    rims = [
        lathe([(1.04 * r, z - 0.1 * h), (1.04 * r, z + 0.1 * h)], 16) for z in (-0.9 * h, 0.9 * h)
    ]
    wall = lathe([(0, -h), (r, -h), (r, h), (0.94 * r, h)], 16)
    return (
        [MeshPart(wall), MeshPart(skin, PAPER), *(MeshPart(rim, WOOD) for rim in rims)],
        1.04 * r,
        h,
    )


def _bucket(s: float) -> tuple[list[MeshPart], float, float]:
    r, h = 0.064 * s, 0.056 * s
    wall = lathe([(0.93 * r, -h), (r, -h), (r, -0.85 * h), (0.72 * r, h), (0, h)], 18)
    inside = lathe([(0, 0.9 * h), (0.66 * r, 0.9 * h), (0.93 * r, -h)], 18)
    stripe = lathe([(0.94 * r, -0.35 * h), (0.86 * r, 0.15 * h)], 18)
    return [MeshPart(wall), MeshPart(inside, DARK), MeshPart(stripe, PAPER)], r, h


@dataclass(frozen=True)
class ToyKind:
    """How toys of a noun are built, at scale 1, and what they do when pushed or stacked on."""

    build: Callable[[float], tuple[list[MeshPart], float, float]]
    rolls: bool = False
    hollow: bool = False
    flat_top: bool = False
    patterned: bool = False


KINDS: dict[str, ToyKind] = {
    "block": ToyKind(_block, flat_top=True),
    "ball": ToyKind(_ball, rolls=True, patterned=True),
    "cup": ToyKind(_cup),
    "car": ToyKind(_car),
    "bottle": ToyKind(_bottle),
    "duck": ToyKind(_duck),
    "book": ToyKind(_book, flat_top=True),
    "ring": ToyKind(_ring),
    "tree": ToyKind(_tree),
    "mushroom": ToyKind(_mushroom),
    "bear": ToyKind(_bear),
    "drum": ToyKind(_drum, flat_top=True, patterned=True),
    "bucket": ToyKind(_bucket, hollow=True),
}


def make_toy(
    noun: str,
    color: str,
    size: str,
    shade: float = 1.0,
    pattern: UInt8[np.ndarray, "h w 3"] | None = None,
) -> Toy:
    """A toy whose colour is darkened or lightened by `shade`, its first part wearing `pattern`."""
    kind = KINDS[noun]
    parts, radius, half_height = kind.build(SIZES[size])
    paint = dyed(COLORS[color], shade)
    painted = [replace(part, color=part.color or paint) for part in parts]
    if pattern is not None and kind.patterned:
        painted[0] = replace(painted[0], mesh=painted[0].mesh.tiled(0.05), texture=pattern)
    return Toy(
        noun,
        color,
        size,
        tuple(painted),
        radius,
        half_height,
        kind.rolls,
        kind.hollow,
        kind.flat_top,
    )
