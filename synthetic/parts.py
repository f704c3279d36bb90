"""What drawn things are put together from: coloured meshes, and how they are placed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from firsthand.rendering.meshes import Mesh

Number = int | float
Color = tuple[float, float, float]

COLORS: dict[str, Color] = {
    "red": (0.82, 0.13, 0.12),
    "blue": (0.13, 0.27, 0.80),
    "pink": (0.95, 0.45, 0.65),
    "green": (0.16, 0.60, 0.22),
    "yellow": (0.95, 0.80, 0.12),
    "orange": (0.95, 0.48, 0.08),
    "purple": (0.50, 0.20, 0.65),
    "white": (0.92, 0.92, 0.90),
}
DARK: Color = (0.10, 0.10, 0.12)
PAPER: Color = (0.95, 0.93, 0.86)
WOOD: Color = (0.55, 0.36, 0.20)


@dataclass(frozen=True)
class MeshPart:
    """A mesh in its body's frame. With `color` None it wears the colour of its thing."""

    mesh: Mesh
    color: Color | None = None
    texture: UInt8[np.ndarray, "h w 3"] | None = None


def lathe(profile: Sequence[tuple[Number, Number]], segments: int = 14) -> Mesh:
    """The surface swept by a profile of (radius, height) turned round z.

    The profile runs with the outside on its right: upwards along an outer wall. Texture
    coordinates are (turn, share of the profile's length).
    """
    radii, heights = np.array(profile).T
    turn = np.arange(segments) * (2 * np.pi / segments)
    rings = np.stack(
        [
            np.outer(radii, np.cos(turn)),
            np.outer(radii, np.sin(turn)),
            np.repeat(heights[:, None], segments, 1),
        ],
        axis=-1,
    )
    steps = np.hypot(np.diff(radii), np.diff(heights))
    along = np.concatenate([[0.0], np.cumsum(steps)]) / steps.sum()
    faces, uv = [], []
    for i in range(len(profile) - 1):
        for j in range(segments):
            k = (j + 1) % segments
            a, b, c, d = (
                i * segments + j,
                i * segments + k,
                (i + 1) * segments + k,
                (i + 1) * segments + j,
            )
            ua, ub = j / segments, (j + 1) / segments
            if radii[i] > 1e-9:
                faces.append((a, b, c))
                uv.append(((ua, along[i]), (ub, along[i]), (ub, along[i + 1])))
            if radii[i + 1] > 1e-9:
                faces.append((a, c, d))
                uv.append(((ua, along[i]), (ub, along[i + 1]), (ua, along[i + 1])))
    return Mesh(
        rings.reshape(-1, 3).astype(np.float32),
        np.array(faces, np.int32),
        np.array(uv, np.float32),
    )


def pose(
    x: Number = 0, y: Number = 0, z: Number = 0, turn: Float[np.ndarray, "3 3"] | None = None
) -> Float[np.ndarray, "4 4"]:
    """A rigid transform from a translation and a rotation."""
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    if turn is not None:
        matrix[:3, :3] = turn
    return matrix


def placed(
    position: Float[np.ndarray, "3"], turn: Float[np.ndarray, "3 3"] | None = None
) -> Float[np.ndarray, "4 4"]:
    """A rigid transform to a position."""
    x, y, z = position
    return pose(x, y, z, turn)


def dyed(color: Iterable[float], shade: float = 1.0) -> Color:
    """A colour made darker or lighter, within what can be shown."""
    red, green, blue = (float(min(1.0, max(0.0, shade * value))) for value in color)
    return red, green, blue


def rotation(axis: int, angle: float) -> Float[np.ndarray, "3 3"]:
    """Right-handed rotation by `angle` radians about x (0), y (1) or z (2)."""
    matrix = np.eye(3)
    c, s = np.cos(angle), np.sin(angle)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[i, i] = matrix[j, j] = c
    matrix[j, i], matrix[i, j] = s, -s
    return matrix
