"""What rooms are built from: floors, walls, rugs, pictures, and the furniture along the walls."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from firsthand.rendering import textures
from firsthand.rendering.meshes import box, plane
from firsthand.synthetic.parts import (
    COLORS,
    DARK,
    PAPER,
    Color,
    MeshPart,
    Number,
    dyed,
    placed,
    pose,
    rotation,
)

TEXELS = 64
WHITE: Color = (1.0, 1.0, 1.0)
MARGIN = 0.75  # metres along the walls that furniture may take up
Rng = np.random.Generator


@dataclass(frozen=True)
class Support:
    """Something low and flat that things lie on."""

    middle: Float[np.ndarray, "2"]
    half: Float[np.ndarray, "2"]
    height: float


class Builder:
    """Collects the parts of a room of some size."""

    def __init__(self, rng: Rng, half: Float[np.ndarray, "2"]) -> None:
        self.rng, self.half = rng, half
        self.parts: list[MeshPart] = []
        self.supports: list[Support] = []

    def draw(self, low: Number, high: Number) -> float:
        return float(self.rng.uniform(low, high))

    def chance(self, share: Number) -> bool:
        return bool(self.rng.random() < share)

    def pale(self, low: Number = 0.55, high: Number = 0.95) -> Color:
        """A light colour that is not too grey."""
        return dyed(self.draw(low, high) + self.rng.uniform(-0.14, 0.14, 3))

    def bright(self) -> Color:
        return COLORS[str(self.rng.choice(list(COLORS)))]

    def wood(self) -> Color:
        woods = ((0.80, 0.62, 0.42), (0.62, 0.44, 0.28), (0.88, 0.80, 0.66), (0.45, 0.31, 0.22))
        return woods[int(self.rng.integers(len(woods)))]

    def texture(self, kind: str, color: Color) -> UInt8[np.ndarray, "s s 3"]:
        seed, darker = int(self.rng.integers(2**31)), dyed(color, self.draw(0.65, 0.85))
        return textures.surface(kind, seed, TEXELS, color, darker)

    def any_of(self, *kinds: str) -> str:
        return str(self.rng.choice(kinds))

    def floor(self, kind: str, color: Color, tile: float = 0.8) -> None:
        mesh = plane(list(2 * self.half + 0.02)).tiled(tile)
        self.parts.append(MeshPart(mesh, WHITE, self.texture(kind, color)))

    def walls(self, kind: str, color: Color, high: float = 2.5, tile: float = 0.7) -> None:
        skin = self.texture(kind, color)
        upright = rotation(0, np.pi / 2)
        for side in range(4):
            turn = rotation(2, side * np.pi / 2)
            wide, away = self.half[side % 2], self.half[1 - side % 2]
            mesh = plane((2 * wide + 0.02, high)).tiled(tile)
            at = turn @ np.array([0, away, high / 2])
            self.parts.append(MeshPart(mesh.transformed(placed(at, turn @ upright)), WHITE, skin))

    def rug(self, kind: str) -> None:
        size = self.rng.uniform(1.0, 2.2, 2)
        mesh = plane(list(size)).tiled(self.draw(0.3, 1.0))
        x, y = self.rng.uniform(-0.4, 0.4, 2)
        at = pose(x, y, 0.004, rotation(2, self.draw(0, np.pi)))
        self.parts.append(MeshPart(mesh.transformed(at), WHITE, self.texture(kind, self.bright())))

    def against(
        self,
        side: int,
        along: Number,
        *pieces: tuple[tuple[Number, ...], tuple[Number, ...], Color],
    ) -> None:
        """Boxes (size, middle, colour) seen from the room: x along wall `side`, y towards it.

        y = 0 is the wall itself and the room lies at y < 0.
        """
        turn = rotation(2, side * np.pi / 2)
        away = self.half[1 - side % 2]
        for size, middle, color in pieces:
            at = turn @ (np.array(middle, np.float64) + [along, away, 0])
            self.parts.append(MeshPart(box(size).transformed(placed(at, turn)), color))

    def hanging(self, side: int) -> None:
        """A picture or a window on a wall."""
        w, h = self.draw(0.3, 0.7), self.draw(0.3, 0.6)
        along, z = self.draw(-0.5, 0.5) * self.half[side % 2], self.draw(1.0, 1.5)
        glass = self.chance(0.4)
        inside = (0.80, 0.92, 1.0) if glass else self.bright()
        frame = PAPER if glass else self.wood()
        self.against(
            side,
            along,
            ((w + 0.08, 0.04, h + 0.08), (0, -0.02, z), frame),
            ((w, 0.06, h), (0, -0.02, z), inside),
        )
        if glass:
            self.against(side, along, ((0.03, 0.08, h), (0, -0.02, z), frame))
        else:
            spots = [
                (
                    (0.4 * w, 0.07, 0.3 * h),
                    (self.draw(-0.25, 0.25) * w, -0.02, z + k * h),
                    self.bright(),
                )
                for k in (-0.2, 0.15)
            ]
            self.against(side, along, *spots)

    def support(self, kind: str, color: Color) -> None:
        """A low chest that things lie on."""
        reach = self.half - MARGIN
        middle = self.rng.uniform(-0.8, 0.8, 2) * reach
        half, height = self.rng.uniform(0.22, 0.42, 2), self.draw(0.16, 0.42)
        mesh = box((*(2 * half), height)).tiled(0.5)
        at = pose(middle[0], middle[1], height / 2)
        self.parts.append(MeshPart(mesh.transformed(at), WHITE, self.texture(kind, color)))
        self.supports.append(Support(middle, half, height))


def cupboards(b: Builder, side: int, high: Number, color: Color, top: Color) -> None:
    """A row of cupboards with doors and knobs."""
    wide = 0.5
    count = int(b.half[side % 2] * 2 / wide) - 1
    for k in range(count):
        along = (k - (count - 1) / 2) * wide
        b.against(
            side,
            along,
            ((wide, 0.5, high), (0, -0.25, high / 2), color),
            ((0.92 * wide, 0.03, 0.85 * high), (0, -0.51, high / 2), dyed(color, 1.1)),
            ((0.03, 0.05, 0.1), (0.38 * wide, -0.54, 0.75 * high), DARK),
        )
    b.against(side, 0, ((count * wide + 0.05, 0.56, 0.04), (0, -0.28, high + 0.02), top))


def shelves(b: Builder, side: int, along: float) -> None:
    """Open shelves with coloured boxes and books."""
    wood, wide, high = b.wood(), b.draw(0.6, 1.0), b.draw(0.8, 1.5)
    rows = int(high / 0.32)
    b.against(side, along, ((wide, 0.02, high), (0, -0.01, high / 2), dyed(wood, 0.7)))
    for x in (-wide / 2, wide / 2):
        b.against(side, along, ((0.03, 0.3, high), (x, -0.15, high / 2), wood))
    for row in range(rows + 1):
        z = row * high / rows
        b.against(side, along, ((wide, 0.3, 0.025), (0, -0.15, z + 0.01), wood))
        x = -wide / 2 + 0.06
        while row < rows and x < wide / 2 - 0.12:
            w, h = b.draw(0.04, 0.16), b.draw(0.1, 0.24)
            if b.chance(0.75):
                b.against(
                    side,
                    along,
                    ((w, 0.2, h), (x + w / 2, -0.16, z + 0.025 + h / 2), b.pale(0.2, 0.9)),
                )
            x += w + 0.02


def sofa(b: Builder, side: int, along: float) -> None:
    color, wide = b.pale(0.2, 0.8), b.draw(1.2, 1.7)
    cushion = b.bright()
    b.against(
        side,
        along,
        ((wide, 0.65, 0.36), (0, -0.35, 0.18), color),
        ((wide, 0.2, 0.75), (0, -0.12, 0.37), dyed(color, 0.92)),
        ((0.16, 0.65, 0.52), (-wide / 2, -0.35, 0.26), dyed(color, 0.88)),
        ((0.16, 0.65, 0.52), (wide / 2, -0.35, 0.26), dyed(color, 0.88)),
        ((0.35, 0.14, 0.3), (b.draw(-0.4, 0.4), -0.3, 0.5), cushion),
    )


def screen(b: Builder, side: int, along: float) -> None:
    """A television on its stand."""
    b.against(
        side,
        along,
        ((1.1, 0.4, 0.4), (0, -0.2, 0.2), b.wood()),
        ((0.95, 0.06, 0.55), (0, -0.2, 0.72), DARK),
        ((0.88, 0.07, 0.48), (0, -0.205, 0.72), b.pale(0.1, 0.5)),
    )


def wardrobe(b: Builder, side: int, along: float) -> None:
    color, high = b.pale(0.4, 0.9), b.draw(1.4, 2.0)
    b.against(
        side,
        along,
        ((0.9, 0.5, high), (0, -0.25, high / 2), color),
        ((0.42, 0.03, 0.9 * high), (-0.22, -0.51, high / 2), dyed(color, 1.1)),
        ((0.42, 0.03, 0.9 * high), (0.22, -0.51, high / 2), dyed(color, 1.1)),
        ((0.03, 0.05, 0.2), (-0.05, -0.54, high / 2), DARK),
        ((0.03, 0.05, 0.2), (0.05, -0.54, high / 2), DARK),
    )


def cot(b: Builder, side: int, along: float) -> None:
    """Bars along a wall, a mattress behind them."""
    color = b.pale(0.6, 0.95)
    bars = [((0.025, 0.025, 0.6), (x, -0.6, 0.4), color) for x in np.linspace(-0.55, 0.55, 9)]
    rails = [((1.15, 0.04, 0.05), (0, -0.6, z), color) for z in (0.1, 0.7)]
    b.against(side, along, *bars, *rails, ((1.1, 0.55, 0.15), (0, -0.3, 0.25), b.bright()))
