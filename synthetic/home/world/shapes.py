"""What the things of the home are sculpted from: swept, turned and cut-out meshes, joined by paint.

A sculpture stands on z = 0 at the origin and looks towards -y. Lengths are metres.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, UInt8

from firsthand.rendering import meshes
from firsthand.rendering.meshes import Mesh, merge
from firsthand.synthetic.home.world.pybullet_meshes import found
from firsthand.synthetic.parts import DARK, Color, MeshPart, Number, dyed, lathe, pose, rotation

Turn = Float[np.ndarray, "3 3"]
Point = Sequence[Number] | Float[np.ndarray, "3"]
Outline = Sequence[Sequence[Number]] | Float[np.ndarray, "n 2"]


def tube(points: Sequence[Point], radii: Sequence[Number], segments: int = 10) -> Mesh:
    """A round tube along a line of points, its ends closed, as thick at each point as `radii`."""
    line, sizes = np.array(points, np.float64), np.array(radii, np.float64)
    ahead = np.gradient(line, axis=0)
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    # One fixed direction that no part of the line follows keeps the rings from twisting.
    reference = np.eye(3)[np.abs(ahead).max(axis=0).argmin()]
    side = np.cross(ahead, reference)
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    other = np.cross(ahead, side)
    turn = np.arange(segments) * (2 * np.pi / segments)
    circle = np.cos(turn)[:, None, None] * side + np.sin(turn)[:, None, None] * other
    rings = line + sizes[:, None] * circle
    vertices = np.concatenate([rings.swapaxes(0, 1).reshape(-1, 3), line[:1], line[-1:]])
    count, last = len(line), len(vertices) - 1
    i, j = np.meshgrid(np.arange(count - 1) * segments, np.arange(segments), indexing="ij")
    k = (j + 1) % segments
    quads = np.stack([i + j, i + k, i + segments + k, i + segments + j], axis=-1).reshape(-1, 4)
    j, k, top = j[0], k[0], (count - 1) * segments
    caps = [np.stack([np.full(segments, last - 1), k, j], 1)]
    caps += [np.stack([np.full(segments, last), top + j, top + k], 1)]
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]], *caps])
    return Mesh(vertices.astype(np.float32), faces.astype(np.int32))


def plate(outline: Outline, thickness: Number) -> Mesh:
    """A board cut along an outline (x, z) that the origin sees all of; thick along y.

    The outline runs counter-clockwise for someone who looks along +y.
    """
    flat = np.array(outline, np.float64)
    count = len(flat)
    front, back = np.insert(flat, 1, -thickness / 2, 1), np.insert(flat, 1, thickness / 2, 1)
    middle = np.array([[0.0, -thickness / 2, 0.0], [0.0, thickness / 2, 0.0]])
    this = np.arange(count)
    following = (this + 1) % count
    faces = np.concatenate([
        np.stack([np.full(count, 2 * count), this, following], 1),
        np.stack([np.full(count, 2 * count + 1), count + following, count + this], 1),
        np.stack([this, count + this, count + following], 1),
        np.stack([this, count + following, following], 1),
    ])  # fmt: skip
    vertices = np.concatenate([front, back, middle]).astype(np.float32)
    return Mesh(vertices, faces.astype(np.int32))


def smooth(outline: Outline, steps: int = 3) -> Float[np.ndarray, "n 2"]:
    """A closed outline rounded by cutting its corners (Chaikin 1974)."""
    points = np.array(outline, np.float64)
    for _ in range(steps):
        following = np.roll(points, -1, axis=0)
        pairs = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], 1)
        points = pairs.reshape(-1, 2)
    return points


def ellipse(width: Number, height: Number, count: int = 14) -> Float[np.ndarray, "n 2"]:
    """An outline with half axes `width` and `height`."""
    turn = np.arange(count) * (2 * np.pi / count)
    return np.stack([width * np.cos(turn), height * np.sin(turn)], 1)


def _unit_ball(rings: int, segments: int) -> Mesh:
    return lathe([(np.sin(a), -np.cos(a)) for a in np.linspace(0, np.pi, rings + 1)], segments)


# As fine as can be told: the radius up to which each is round enough, in metres.
_BALLS = ((0.012, _unit_ball(5, 7)), (0.04, _unit_ball(6, 10)), (np.inf, _unit_ball(8, 14)))


@dataclass
class Sculptor:
    """Puts a thing together. What is added without a colour wears `paint`."""

    rng: np.random.Generator
    paint: Color
    second: Color
    pattern: UInt8[np.ndarray, "h w 3"] | None = None
    _pieces: dict[tuple[Color, bool], list[Mesh]] = field(default_factory=dict)

    def draw(self, low: Number, high: Number) -> float:
        """A number between two others."""
        return float(self.rng.uniform(low, high))

    def chance(self, share: Number) -> bool:
        return bool(self.rng.random() < share)

    def pick(self, *choices: Color) -> Color:
        """One of some colours, a little darker or lighter."""
        return dyed(choices[int(self.rng.integers(len(choices)))], self.draw(0.85, 1.1))

    def add(
        self,
        mesh: Mesh,
        at: Point = (0, 0, 0),
        color: Color | None = None,
        turn: Turn | None = None,
        patterned: bool = False,
    ) -> None:
        """Add a mesh, turned and then moved. A patterned one wears the thing's pattern, if any."""
        x, y, z = at
        placed = mesh.transformed(pose(x, y, z, turn))
        worn = patterned and self.pattern is not None
        if worn:
            uv = None if placed.uv is None else placed.uv * np.array([3, 2], np.float32)
            placed = placed.tiled(0.1) if uv is None else replace(placed, uv=uv)
        self._pieces.setdefault((color or self.paint, worn), []).append(placed)

    def ball(
        self,
        radius: Number | Point,
        at: Point = (0, 0, 0),
        color: Color | None = None,
        turn: Turn | None = None,
        patterned: bool = False,
    ) -> None:
        """A ball, or with three radii an ellipsoid, about `at`."""
        radii = np.broadcast_to(np.asarray(radius, np.float64), 3)
        mesh = next(mesh for largest, mesh in _BALLS if radii.max() <= largest)
        self.add(mesh.transformed(np.diag([*radii, 1.0])), at, color, turn, patterned)

    def box(
        self,
        size: Point,
        at: Point = (0, 0, 0),
        color: Color | None = None,
        turn: Turn | None = None,
        patterned: bool = False,
    ) -> None:
        """A box about `at`."""
        self.add(meshes.box(list(size)), at, color, turn, patterned)

    def lathe(
        self,
        profile: Sequence[tuple[Number, Number]],
        at: Point = (0, 0, 0),
        color: Color | None = None,
        turn: Turn | None = None,
        patterned: bool = False,
        segments: int = 14,
    ) -> None:
        """A profile of (radius, height) turned round z, the outside on its right."""
        self.add(lathe(profile, segments), at, color, turn, patterned)

    def disc(
        self,
        radius: Number,
        thickness: Number,
        at: Point = (0, 0, 0),
        color: Color | None = None,
        turn: Turn | None = None,
    ) -> None:
        """A flat cylinder about `at`, its axis along z before it is turned."""
        h = thickness / 2
        self.lathe([(0, -h), (radius, -h), (radius, h), (0, h)], at, color, turn)

    def tube(
        self, points: Sequence[Point], radii: Sequence[Number] | Number, color: Color | None = None
    ) -> None:
        """A round tube along points."""
        sizes = list(np.broadcast_to(np.asarray(radii, np.float64), len(points)))
        self.add(tube(points, sizes), color=color)

    def plate(
        self,
        outline: Outline,
        thickness: Number,
        at: Point = (0, 0, 0),
        color: Color | None = None,
        turn: Turn | None = None,
    ) -> None:
        """A board cut along an outline (see the function `plate`)."""
        self.add(plate(outline, thickness), at, color, turn)

    def find(self, noun: str, height: Number, color: Color | None = None) -> None:
        """Add a shape that somebody else has made (see `synthetic.home.world.pybullet_meshes`)."""
        self.add(found(noun).transformed(np.diag([height, height, height, 1.0])), color=color)

    def eyes(self, apart: Number, at: Point, size: Number) -> None:
        """Two dark beads, `apart` from the middle."""
        x, y, z = at
        for side in (-1, 1):
            self.ball(size, (x + side * apart, y, z), DARK)

    def parts(self, scale: Number = 1.0) -> tuple[MeshPart, ...]:
        """The finished thing, in the middle of the floor: one part for each paint."""
        corners = np.concatenate([m.vertices for ms in self._pieces.values() for m in ms])
        low, high = corners.min(0), corners.max(0)
        grown = np.diag([scale, scale, scale, 1.0])
        grown[:3, 3] = -scale * np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
        return tuple(
            MeshPart(merge(pieces).transformed(grown), color, self.pattern if worn else None)
            for (color, worn), pieces in self._pieces.items()
        )


FOUND = 0.2  # share of the things that are not of our making, where there are such
FACING = rotation(0, np.pi / 2)  # z becomes -y: a disc then faces the viewer
LYING = rotation(1, np.pi / 2)  # z becomes x: an axle


def size_of(parts: Sequence[MeshPart]) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """The lowest and the highest corner of the box around some parts."""
    corners = np.concatenate([part.mesh.vertices for part in parts])
    return corners.min(0).astype(np.float64), corners.max(0).astype(np.float64)
