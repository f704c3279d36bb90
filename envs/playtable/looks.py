"""Random looks of a desk: colours, textures, light and cameras of one episode.

Visual domain randomisation (Tobin et al. 2017): a policy that has seen many looks has a chance with
another. Only what is drawn changes; bodies, contacts and what the arm does stay as they are.
"""

import colorsys
import zlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, UInt8

from firsthand.rendering.camera import Camera
from firsthand.rendering.light import Light
from firsthand.rendering.textures import surface

Rgb = tuple[float, float, float]
Bounds = tuple[float, float]

TEXTURE = 128  # texels an edge
KINDS = ("wood", "checker", "tiles", "fabric", "noise")
# How much darker a texture may make its surface; blocks and arm stay recognisable.
CONTRAST: dict[str, Bounds] = {
    "desk": (0.05, 0.5), "floor": (0.05, 0.5), "block": (0.0, 0.2), "robot": (0.0, 0.2),
}  # fmt: skip
SATURATION, VALUE = (0.0, 0.6), (0.4, 0.95)  # of desk, arm and floor
BLOCK_HUE, BLOCK_WHITE, BLOCK_VALUE = 0.025, (0.0, 0.25), (0.65, 1.0)  # a red block stays red
ELEVATION = (0.6, 1.4)  # radians of the sun above the horizon; it may stand anywhere around
AMBIENT, DIFFUSE, SHADED = (0.4, 0.6), (0.3, 0.6), (0.1, 0.5)  # of `rendering.light.Light`
# How far a camera may be from where it stands: metres, radians, and share of its field of view; the
# fixed one hardly sees less than usual, for lamp and arm are near the edges of its picture.
STATIC_MOVED, STATIC_TURNED, STATIC_ZOOMED = 0.25, 0.004, (-0.01, 0.10)
DISTANCE = 4.2  # metres of the fixed camera from the desk
GRIPPER_MOVED, GRIPPER_TURNED, GRIPPER_ZOOMED = 0.004, 0.04, (-0.05, 0.05)


@dataclass(frozen=True)
class Look:
    """One of them, a pure function of its seed."""

    seed: int

    @classmethod
    def of(cls, *states: Float[np.ndarray, " _"]) -> "Look":
        """The look of an episode that begins in a state: the same whenever it is restored."""
        return cls(zlib.crc32(np.concatenate(states).tobytes()))

    def _rng(self, *what: object) -> np.random.Generator:
        return np.random.default_rng((self.seed, zlib.crc32(repr(what).encode())))

    def color(self, part: str, own: Rgb) -> Rgb:
        """The colour of what has its `own` in the scene: all of it gets the same."""
        rng = self._rng(part, own)
        if part != "block":
            return colorsys.hsv_to_rgb(rng.random(), rng.uniform(*SATURATION), rng.uniform(*VALUE))
        hue, _, _ = colorsys.rgb_to_hsv(*own)
        saturation = 1 - rng.uniform(*BLOCK_WHITE)
        hue = (hue + rng.uniform(-BLOCK_HUE, BLOCK_HUE)) % 1
        return colorsys.hsv_to_rgb(hue, saturation, rng.uniform(*BLOCK_VALUE))

    def texture(self, part: str) -> UInt8[np.ndarray, "s s 3"]:
        """What its surface is like, to be multiplied by its colour."""
        rng = self._rng(part)
        dark = 1 - rng.uniform(*CONTRAST[part])
        kind = KINDS[rng.integers(len(KINDS))]
        return surface(kind, int(rng.integers(2**31)), TEXTURE, (1, 1, 1), (dark, dark, dark))

    @cached_property
    def background(self) -> Rgb:
        return self.color("background", (0.0, 0.0, 0.0))

    @cached_property
    def light(self) -> Light:
        rng = self._rng("light")
        around, up = rng.uniform(0, 2 * np.pi), rng.uniform(*ELEVATION)
        level = float(np.cos(up))
        direction = level * float(np.cos(around)), level * float(np.sin(around)), float(np.sin(up))
        ambient, diffuse, shaded = (rng.uniform(*b) for b in (AMBIENT, DIFFUSE, SHADED))
        return Light(direction, ambient, diffuse=diffuse, shaded=shaded)

    def static(self, camera: Camera) -> Camera:
        """The fixed camera, moved about where it stands and still looking at the desk."""
        return self._moved(
            "rgb_static", camera, STATIC_MOVED, STATIC_TURNED, STATIC_ZOOMED, DISTANCE
        )

    def gripper(self, camera: Camera) -> Camera:
        """The camera in the hand, as it was mounted this time."""
        return self._moved("rgb_gripper", camera, GRIPPER_MOVED, GRIPPER_TURNED, GRIPPER_ZOOMED)

    def _moved(
        self,
        name: str,
        camera: Camera,
        metres: float,
        radians: float,
        zoomed: Bounds,
        distance: float | None = None,
    ) -> Camera:
        """A camera shifted and turned at random; one that looks at something at a `distance` is
        turned back to it first."""
        rng = self._rng(name)
        shift, turn = rng.uniform(-metres, metres, 3), rng.uniform(-radians, radians, 3)
        if distance is not None:
            turn[:2] += np.array([shift[1], -shift[0]]) / distance
        view = np.eye(4)
        view[:3, :3], view[:3, 3] = _rotation(turn), -_rotation(turn) @ shift
        fov = camera.fov * (1 + rng.uniform(*zoomed))
        return replace(camera, view=view @ camera.view, fov=fov)


def _rotation(turn: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """The matrix of a turn about an axis by its length in radians (Rodrigues)."""
    angle = max(float(np.linalg.norm(turn)), 1e-12)
    x, y, z = turn / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
