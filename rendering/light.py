"""The sun and the sky that light a picture."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from firsthand.rendering.camera import Camera
from firsthand.rendering.meshes import Number, Vector


@dataclass(frozen=True)
class Light:
    """A sun and the sky. A surface's brightness is

    ambient (1 + above n_z) + diffuse max(0, n . direction) (1, or `shaded` where shadow falls).

    Shadows fall within `radius` metres of `center`, from a map of `resolution`^2; 0 means none.
    """

    direction: Vector = (-0.35, -0.3, 1.0)  # towards the light
    ambient: Number = 0.45
    above: Number = 0.2
    diffuse: Number = 0.45
    shaded: Number = 0.25
    center: Vector = (0.0, -0.05, 0.4)
    radius: Number = 0.6
    resolution: int = 160

    @cached_property
    def unit(self) -> Float[np.ndarray, "3"]:
        return np.asarray(self.direction) / np.linalg.norm(self.direction)

    @cached_property
    def terms(self) -> Float[np.ndarray, "7"]:
        """What shading needs, as one vector."""
        above = self.ambient * self.above
        return np.array([self.ambient, above, self.diffuse, self.shaded, *self.unit], np.float64)

    @cached_property
    def camera(self) -> Camera:
        """What the light sees: a camera so far away that its rays are all but parallel."""
        distance = 40 * self.radius
        center = np.asarray(self.center, dtype=np.float64)
        up = (0.0, 1.0, 0.0) if abs(self.unit[2]) > 0.9 else (0.0, 0.0, 1.0)
        return Camera.look_at(
            center + distance * self.unit,
            center,
            up,
            fov=float(2 * np.degrees(np.arctan2(self.radius, distance))),
            near=distance / 2,
            far=distance * 2,
            width=self.resolution,
            height=self.resolution,
        )
