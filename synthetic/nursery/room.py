"""The room around the nursery's table: walls, floor, table and furniture, all chosen by a seed."""

from dataclasses import dataclass

import numpy as np

from firsthand.rendering import textures
from firsthand.rendering.meshes import box, cylinder, plane, sphere
from firsthand.synthetic.nursery.simulation import Obstacle, Slider
from firsthand.synthetic.parts import (
    COLORS,
    DARK,
    PAPER,
    Color,
    MeshPart,
    Number,
    dyed,
    lathe,
    pose,
    rotation,
)

WOODS: tuple[Color, ...] = (
    (0.80, 0.62, 0.42),
    (0.62, 0.44, 0.28),
    (0.88, 0.80, 0.66),
    (0.45, 0.31, 0.22),
    (0.85, 0.85, 0.84),
)
LAMP_OFF: Color = (0.72, 0.68, 0.58)
LAMP_ON: Color = (1.9, 1.75, 1.2)
TEXELS = 64
FLOOR = -0.70  # metres below the table's top
BACK = 0.50  # where the table ends and furniture stands against


@dataclass(frozen=True)
class Furniture:
    """What stands on the table: moving parts with their meshes, fixed ones, where they are."""

    fixed: tuple[MeshPart, ...]
    sliders: tuple[tuple[Slider, tuple[MeshPart, ...]], ...]
    obstacles: tuple[Obstacle, ...]


def _pale(rng: np.random.Generator, low: float = 0.55, high: float = 0.95) -> Color:
    """A light colour that is not too grey."""
    middle = rng.uniform(low, high)
    return dyed(middle + rng.uniform(-0.15, 0.15, 3))


def _texture(rng: np.random.Generator, kind: str, color: Color) -> np.ndarray:
    """A texture of a kind around a colour."""
    seed, darker = int(rng.integers(2**31)), dyed(color, 0.72)
    return textures.surface(kind, seed, TEXELS, color, darker)


def pattern(rng: np.random.Generator) -> np.ndarray | None:
    """Decoration that a toy's colour multiplies: stripes, squares or nothing."""
    kind = rng.integers(4)
    if kind == 0:
        return textures.checker(int(rng.integers(2**31)), 32, 2, (1.0, 1.0, 1.0), (0.6, 0.6, 0.6))
    if kind == 1:
        stripes = np.full((32, 32, 3), 255, np.uint8)
        stripes[:, ::16], stripes[:, 1::16], stripes[:, 2::16], stripes[:, 3::16] = (150,) * 4
        return stripes
    return None


def room(rng: np.random.Generator) -> tuple[MeshPart, ...]:
    """Floor, three walls, table, and what hangs on and stands before the walls."""
    white = (1.0, 1.0, 1.0)
    wall = _texture(rng, str(rng.choice(["noise", "checker", "fabric", "tiles"])), _pale(rng))
    floor = _texture(rng, str(rng.choice(["wood", "noise", "tiles"])), _pale(rng, 0.3, 0.7))
    table_kind = str(rng.choice(["wood", "wood", "noise", "fabric"]))
    table = _texture(rng, table_kind, WOODS[rng.integers(len(WOODS))])
    back = rng.uniform(0.85, 1.3)
    width = rng.uniform(0.75, 1.1)
    upright = rotation(0, np.pi / 2)
    side = plane((3.0, 2.2)).tiled(rng.uniform(0.25, 0.6))
    ahead = plane((2 * width + 0.4, 2.2)).tiled(rng.uniform(0.25, 0.6))
    parts = [
        MeshPart(plane((3.2, 4.0)).tiled(0.5).transformed(pose(z=FLOOR)), white, floor),
        MeshPart(ahead.transformed(pose(0, back, 0.4, upright)), white, wall),
        MeshPart(
            side.transformed(pose(-width, 0, 0.4, rotation(2, np.pi / 2) @ upright)), white, wall
        ),
        MeshPart(
            side.transformed(pose(width, 0, 0.4, rotation(2, -np.pi / 2) @ upright)), white, wall
        ),
        MeshPart(box((1.1, 1.0, 0.03), (0, BACK - 0.43, -0.015)).tiled(0.6), white, table),
    ]
    for x in (-0.5, 0.5):
        leg = box((0.05, 0.05, -FLOOR), (x, BACK - 0.02, FLOOR / 2))
        parts.append(MeshPart(leg, dyed(WOODS[rng.integers(len(WOODS))], 0.6)))
    for _ in range(rng.integers(1, 4)):  # pictures and windows
        x, z = rng.uniform(-0.6, 0.6), rng.uniform(0.1, 0.5)
        w, h = rng.uniform(0.12, 0.35, 2)
        parts.append(MeshPart(box((w + 0.03, 0.02, h + 0.03), (x, back, z)), _pale(rng, 0.2, 0.8)))
        inside = (0.85, 0.93, 1.0) if rng.random() < 0.5 else _pale(rng, 0.2, 0.8)
        parts.append(MeshPart(box((w, 0.03, h), (x, back, z)), inside))
    for _ in range(rng.integers(0, 3)):  # cupboards, cushions and balls on the floor
        x, y = rng.uniform(-0.7, 0.7), rng.uniform(BACK + 0.2, back - 0.1)
        color = COLORS[str(rng.choice(list(COLORS)))]
        if rng.random() < 0.6:
            h = rng.uniform(0.3, 0.9)
            parts.append(MeshPart(box((0.3, 0.18, h), (x, y, FLOOR + h / 2)), _pale(rng, 0.3, 0.8)))
        else:
            parts.append(MeshPart(sphere(0.14, 14, 8).transformed(pose(x, y, FLOOR + 0.14)), color))
    return tuple(parts)


def furnish(rng: np.random.Generator) -> Furniture:
    """Two pieces at the back of the table: drawer, cupboard with a sliding door, lamp or screen."""
    kinds = rng.choice(
        ["drawer", "door", "lamp", "screen"], 2, p=[0.27, 0.23, 0.23, 0.27], replace=False
    )
    sides = [-1, 1] if rng.random() < 0.5 else [1, -1]
    fixed, sliders, obstacles = [], [], []
    for kind, side in zip(kinds, sides, strict=True):
        x = side * rng.uniform(0.17, 0.22)
        piece = _PIECES[str(kind)](rng, x)
        fixed += piece.fixed
        sliders += piece.sliders
        obstacles += piece.obstacles
    return Furniture(tuple(fixed), tuple(sliders), tuple(obstacles))


def _block(low: tuple[Number, ...], high: tuple[Number, ...], screen: bool = False) -> Obstacle:
    return Obstacle(np.array(low), np.array(high), screen)


def _drawer(rng: np.random.Generator, x: float) -> Furniture:
    w, d, h, t = rng.uniform(0.18, 0.22), 0.15, rng.uniform(0.08, 0.11), 0.008
    y, color = BACK - 0.12, WOODS[rng.integers(len(WOODS))]
    walls = [
        box((w, d, t), (x, y, h - t / 2)),
        box((t, d, h), (x - (w - t) / 2, y, h / 2)),
        box((t, d, h), (x + (w - t) / 2, y, h / 2)),
        box((w, t, h), (x, y + (d - t) / 2, h / 2)),
    ]
    inner = dyed(color, 0.75) if rng.random() < 0.5 else _pale(rng)
    iw, ih, front = w - 2.6 * t, 0.62 * h, -d / 2
    tray = [
        box((iw, d - 2 * t, t), (0, 0, -ih / 2)),
        box((t, d - 2 * t, ih), (-iw / 2 + t / 2, 0, 0)),
        box((t, d - 2 * t, ih), (iw / 2 - t / 2, 0, 0)),
        box((iw, t, ih), (0, -front - 1.5 * t, 0)),
    ]
    face = box((w - 2.2 * t, t, h - 1.4 * t), (0, front + t / 2, 0.02 * h))
    knob = cylinder(0.011, 0.03, 10).transformed(pose(0, front - 0.012, 0, rotation(0, np.pi / 2)))
    parts = (*(MeshPart(mesh, PAPER) for mesh in tray), MeshPart(face, inner), MeshPart(knob, DARK))
    slider = Slider(
        "drawer",
        home=np.array([x, y, 0.46 * h]),
        axis=np.array([0.0, -1.0, 0.0]),
        high=0.10,
        value=0.10 * int(rng.integers(2)),
        grip=np.array([0.0, front - 0.028, 0.0]),
        half=np.array([w, d, h]) / 2,
    )
    block = _block((x - w / 2, y - d / 2 - 0.03, 0), (x + w / 2, y + d / 2, h))
    return Furniture(tuple(MeshPart(mesh, color) for mesh in walls), ((slider, parts),), (block,))


def _door(rng: np.random.Generator, x: float) -> Furniture:
    w, d, h, t = rng.uniform(0.24, 0.27), 0.12, rng.uniform(0.11, 0.14), 0.008
    y, color = BACK - 0.10, WOODS[rng.integers(len(WOODS))]
    walls = [
        box((w, d, t), (x, y, h - t / 2)),
        box((w, d, t), (x, y, t / 2)),
        box((t, d, h), (x - (w - t) / 2, y, h / 2)),
        box((t, d, h), (x + (w - t) / 2, y, h / 2)),
        box((w, t, h), (x, y + (d - t) / 2, h / 2)),
    ]
    paint = COLORS[str(rng.choice(list(COLORS)))] if rng.random() < 0.6 else _pale(rng)
    panel = box((0.5 * w, t, h - 2 * t))
    knob = box((0.014, 0.024, 0.05), (0, -0.014, 0))
    slider = Slider(
        "door",
        home=np.array([x - 0.25 * w + t, y - d / 2 - t / 2, h / 2]),
        axis=np.array([1.0, 0.0, 0.0]),
        high=0.5 * w - 2 * t,
        grip=np.array([0.0, -0.035, 0.0]),
        half=np.array([0.25 * w, t / 2, h / 2]),
        value=float(rng.integers(2)) * (0.5 * w - 2 * t),
    )
    block = _block((x - w / 2, y - d / 2 - 0.05, 0), (x + w / 2, y + d / 2, h))
    parts = (MeshPart(panel, paint), MeshPart(knob, DARK))
    return Furniture(tuple(MeshPart(mesh, color) for mesh in walls), ((slider, parts),), (block,))


def _lamp(rng: np.random.Generator, x: float) -> Furniture:
    y, h = BACK - 0.08, rng.uniform(0.16, 0.22)
    color = COLORS[str(rng.choice(list(COLORS)))] if rng.random() < 0.5 else DARK
    foot = cylinder(0.05, 0.02, 18).transformed(pose(x, y, 0.01))
    plinth = cylinder(0.030, 0.016, 14).transformed(pose(x, y - 0.085, 0.008))
    stem = cylinder(0.008, h, 8).transformed(pose(x, y, h / 2))
    shade = lathe([(0.07, 0.0), (0.042, 0.075), (0.0, 0.075)], 16)
    button = cylinder(0.019, 0.018, 12)
    red = COLORS["red"] if rng.random() < 0.5 else COLORS["green"]
    slider = Slider(
        "lamp",
        home=np.array([x, y - 0.085, 0.024]),
        axis=np.array([0.0, 0.0, -1.0]),
        high=0.012,
        grip=np.array([0.0, -0.005, 0.035]),
        half=np.array([0.02, 0.02, 0.01]),
        lit=bool(rng.random() < 0.3),
    )
    lit_part = MeshPart(shade.transformed(pose(x, y, h - 0.02)), LAMP_OFF)
    fixed = (MeshPart(foot, color), MeshPart(stem, color), MeshPart(plinth, color), lit_part)
    block = _block((x - 0.055, y - 0.125, 0), (x + 0.055, y + 0.055, h))
    return Furniture(fixed, ((slider, (MeshPart(button, red),)),), (block,))


def _screen(rng: np.random.Generator, x: float) -> Furniture:
    w, d, h = rng.uniform(0.15, 0.20), 0.05, rng.uniform(0.14, 0.18)
    x, y = 0.9 * x, rng.uniform(0.23, 0.27)
    paint = COLORS[str(rng.choice(list(COLORS)))]
    texture = textures.noise(int(rng.integers(2**31)), 32, 4, (0.75, 0.75, 0.75), (1, 1, 1))
    cover = box((0.7 * w, 0.002, 0.45 * h), (x, y - d / 2, 0.55 * h))
    fixed = (
        MeshPart(box((w, d, h), (x, y, h / 2)).tiled(0.2), paint, texture),
        MeshPart(cover, _pale(rng)),
    )
    block = _block((x - w / 2, y - d / 2, 0), (x + w / 2, y + d / 2, h), screen=True)
    return Furniture(fixed, (), (block,))


_PIECES = {"drawer": _drawer, "door": _door, "lamp": _lamp, "screen": _screen}
