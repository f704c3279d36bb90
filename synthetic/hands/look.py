"""What a clip looks like: the colours of desk, blocks, hand and room, and the light on them.

Clips to learn from and clips to measure on draw from different palettes, so that a desk, a wall, a
floor, a skin or a sleeve of the one is never met in the other. Blocks have the same colours in
both: those are what the sentences speak of.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from firsthand.envs.playtable.layouts import Finish
from firsthand.rendering import textures
from firsthand.rendering.light import Light
from firsthand.rendering.meshes import box, plane
from firsthand.synthetic.parts import Color, MeshPart, dyed, pose, rotation

TEXELS = 64
WHITE: Color = (1.0, 1.0, 1.0)

# The two ends of the range in which a block's colour lies.
BLOCK_COLORS: Mapping[str, tuple[Color, Color]] = {
    "red": ((0.72, 0.12, 0.10), (1.0, 0.03, 0.02)),
    "blue": ((0.12, 0.26, 0.66), (0.02, 0.05, 1.0)),
    "pink": ((0.96, 0.48, 0.66), (1.0, 0.03, 0.95)),
    "green": ((0.10, 0.42, 0.16), (0.22, 0.74, 0.24)),
    "yellow": ((0.90, 0.74, 0.12), (1.0, 0.94, 0.14)),
    "orange": ((0.88, 0.40, 0.06), (1.0, 0.55, 0.10)),
    "purple": ((0.34, 0.14, 0.48), (0.48, 0.22, 0.66)),
    "white": ((0.84, 0.84, 0.82), (0.97, 0.97, 0.96)),
    "black": ((0.06, 0.06, 0.07), (0.14, 0.14, 0.15)),
}
USUAL = 3  # of them are three times as frequent as the others: those of CALVIN's blocks


@dataclass(frozen=True)
class Palette:
    """What one split is drawn with, by name; desks have a colour for the carcass, one for the front
    of door and drawer."""

    desks: Mapping[str, tuple[Color, Color]]
    walls: Mapping[str, Color]
    floors: Mapping[str, Color]
    patterns: tuple[str, ...]  # of walls and floors, see `textures.surface`
    skins: Mapping[str, Color]
    sleeves: Mapping[str, Color]


PALETTES: Mapping[str, Palette] = {
    "train": Palette(
        desks={
            "birch": ((0.88, 0.79, 0.62), (0.80, 0.68, 0.50)),
            "walnut": ((0.42, 0.29, 0.20), (0.33, 0.22, 0.15)),
            "white": ((0.92, 0.92, 0.90), (0.80, 0.82, 0.84)),
            "gray": ((0.55, 0.56, 0.58), (0.42, 0.43, 0.46)),
            "mint": ((0.62, 0.80, 0.72), (0.88, 0.90, 0.86)),
            "sky": ((0.58, 0.72, 0.86), (0.86, 0.86, 0.84)),
            "oak": ((0.72, 0.56, 0.36), (0.52, 0.38, 0.24)),
            "cream": ((0.94, 0.89, 0.76), (0.60, 0.46, 0.32)),
            "slate": ((0.30, 0.33, 0.37), (0.62, 0.60, 0.56)),
            "olive": ((0.50, 0.52, 0.34), (0.74, 0.70, 0.54)),
        },
        walls={
            "chalk": (0.90, 0.90, 0.88),
            "sand": (0.84, 0.76, 0.62),
            "sage": (0.66, 0.74, 0.62),
            "sky": (0.66, 0.78, 0.90),
            "rose": (0.88, 0.74, 0.72),
            "steel": (0.52, 0.56, 0.62),
            "brick": (0.62, 0.40, 0.32),
        },
        floors={
            "pine": (0.76, 0.60, 0.40),
            "walnut": (0.44, 0.31, 0.22),
            "stone": (0.62, 0.61, 0.58),
            "gray": (0.42, 0.44, 0.46),
            "green": (0.44, 0.54, 0.42),
        },
        patterns=("wood", "noise", "fabric", "checker"),
        skins={
            "porcelain": (0.96, 0.80, 0.70),
            "tan": (0.80, 0.58, 0.42),
            "brown": (0.58, 0.39, 0.27),
            "umber": (0.44, 0.29, 0.20),
            "ebony": (0.27, 0.18, 0.13),
        },
        sleeves={
            "navy": (0.14, 0.18, 0.34),
            "gray": (0.50, 0.50, 0.52),
            "white": (0.90, 0.90, 0.88),
            "maroon": (0.42, 0.12, 0.14),
            "moss": (0.28, 0.36, 0.22),
            "mustard": (0.76, 0.58, 0.18),
            "black": (0.10, 0.10, 0.11),
        },
    ),
    "valid": Palette(
        desks={
            "cherry": ((0.62, 0.32, 0.22), (0.74, 0.46, 0.34)),
            "lilac": ((0.74, 0.68, 0.84), (0.92, 0.90, 0.94)),
            "teal": ((0.24, 0.50, 0.52), (0.84, 0.80, 0.70)),
        },
        walls={
            "lemon": (0.92, 0.88, 0.58),
            "lilac": (0.74, 0.66, 0.84),
            "petrol": (0.28, 0.46, 0.50),
        },
        floors={"terracotta": (0.70, 0.42, 0.30), "ivory": (0.88, 0.84, 0.72)},
        patterns=("tiles", "stripes"),
        skins={"peach": (0.90, 0.68, 0.54), "sienna": (0.69, 0.47, 0.33)},
        sleeves={"turquoise": (0.18, 0.58, 0.60), "rust": (0.66, 0.32, 0.14)},
    ),
}


@dataclass(frozen=True)
class ClipLook:
    """Everything about a clip that is seen and does not move.

    `names` says what was drawn from the palette, `blocks` are colours' names, `colors` the colours,
    in one order; `gain` is the camera's exposure and white balance.
    """

    names: Mapping[str, str]
    finish: Finish
    grain: UInt8[np.ndarray, "s s 3"]
    blocks: tuple[str, ...]
    colors: tuple[Color, ...]
    skin: Color
    sleeve: Color
    bare: float  # metres of the forearm that the sleeve leaves bare
    side: int  # 1: a right hand, -1: a left one
    room: tuple[MeshPart, ...]
    light: Light
    gain: Float[np.ndarray, "3"]


def sample_look(split: str, blocks: int, rng: np.random.Generator) -> ClipLook:
    """Choose how a clip of a split looks that shows so many blocks, each of another colour."""
    palette = PALETTES[split]
    names = {
        kind: str(rng.choice(list(choices)))
        for kind, choices in (
            ("desk", palette.desks),
            ("wall", palette.walls),
            ("floor", palette.floors),
            ("skin", palette.skins),
            ("sleeve", palette.sleeves),
        )
    }
    body, front = (_shaded(color, rng) for color in palette.desks[names["desk"]])
    metal = float(rng.uniform(0.25, 0.85))
    contrast = float(rng.uniform(0.04, 0.35))
    finish = Finish(
        body=body,
        front=front,
        inside=dyed(0.5 + 0.5 * np.array(body), float(rng.uniform(0.85, 1.05))),
        handle=(metal, metal, min(1.0, metal * 1.05)),
        grain=int(rng.integers(2**31)),
        rings=int(rng.integers(3, 13)),
        contrast=contrast,
    )
    dark = 1 - contrast
    shares = np.array([3.0] * USUAL + [1.0] * (len(BLOCK_COLORS) - USUAL))
    chosen = rng.choice(list(BLOCK_COLORS), blocks, replace=False, p=shares / shares.sum())
    side = 1 if rng.random() < 0.7 else -1
    ambient = float(rng.uniform(0.38, 0.55))
    return ClipLook(
        names={**names, "hand": "right" if side > 0 else "left"},
        finish=finish,
        grain=textures.wood(finish.grain, TEXELS, WHITE, (dark, dark, dark), finish.rings),
        blocks=tuple(str(name) for name in chosen),
        colors=tuple(_between(*BLOCK_COLORS[str(name)], rng) for name in chosen),
        skin=_shaded(palette.skins[names["skin"]], rng, 0.03),
        sleeve=_shaded(palette.sleeves[names["sleeve"]], rng, 0.06),
        bare=float(rng.uniform(0.02, 0.22)),
        side=side,
        room=_room(palette, names, rng),
        light=Light(
            direction=(rng.uniform(-0.8, 0.8), rng.uniform(-0.8, 0.5), rng.uniform(0.7, 1.2)),
            ambient=ambient,
            diffuse=float(rng.uniform(0.95, 1.08)) - 1.2 * ambient,
            shaded=float(rng.uniform(0.1, 0.45)),
        ),
        gain=rng.uniform(0.85, 1.1) * (1 + rng.uniform(-0.06, 0.06, 3)),
    )


def _shaded(color: Color, rng: np.random.Generator, by: float = 0.05) -> Color:
    return dyed(color, float(rng.uniform(1 - by, 1 + by)))


def _between(low: Color, high: Color, rng: np.random.Generator) -> Color:
    return dyed(np.array(low) + rng.random() * (np.array(high) - np.array(low)))


def _room(
    palette: Palette, names: Mapping[str, str], rng: np.random.Generator
) -> tuple[MeshPart, ...]:
    """Floor, the two walls that a head at the desk may see, and what hangs on the one behind."""
    wall, floor = (
        _surface(palette, color, rng)
        for color in (palette.walls[names["wall"]], palette.floors[names["floor"]])
    )
    behind, beside = float(rng.uniform(0.3, 1.4)), float(rng.uniform(0.7, 1.8))
    tile = float(rng.uniform(0.3, 0.8))
    upright = plane((6.0, 3.0)).transformed(pose(z=1.5, turn=rotation(0, np.pi / 2))).tiled(tile)
    parts = [
        MeshPart(plane((6.0, 6.0)).tiled(float(rng.uniform(0.4, 0.9))), WHITE, floor),
        MeshPart(upright.transformed(pose(y=behind)), WHITE, wall),
        MeshPart(upright.transformed(pose(x=-beside, turn=rotation(2, np.pi / 2))), WHITE, wall),
    ]
    for _ in range(int(rng.integers(0, 4))):  # pictures, shelves and cupboards
        x, z = rng.uniform(-1.0, 0.6), rng.uniform(0.1, 1.1)
        w, h, d = rng.uniform(0.12, 0.45), rng.uniform(0.12, 0.45), rng.uniform(0.01, 0.12)
        color = _shaded(palette.walls[str(rng.choice(list(palette.walls)))], rng, 0.3)
        parts.append(MeshPart(box((w, d, h), (x, behind, z)), color))
    return tuple(parts)


def _surface(
    palette: Palette, color: Color, rng: np.random.Generator
) -> UInt8[np.ndarray, "s s 3"]:
    seed, darker = int(rng.integers(2**31)), dyed(color, float(rng.uniform(0.75, 0.92)))
    kind = str(rng.choice(palette.patterns))
    return textures.surface(kind, seed, TEXELS, _shaded(color, rng), darker)
