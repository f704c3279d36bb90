"""Where a picture is taken from, and what the picture holds."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Float32, Int32, UInt8

from firsthand.common.errors import UserError
from firsthand.rendering.meshes import Number, Vector


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: `view` maps world to OpenGL camera axes (x right, y up, looking along -z).

    `fov` is the vertical field of view in degrees; `near` and `far` are metres of depth. Of a
    camera that is `fixed` a renderer may keep what it saw, for as long as it is the same object.
    """

    view: Float[np.ndarray, "4 4"]
    fov: Number
    near: Number
    far: Number
    width: int
    height: int
    fixed: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.near < self.far:
            raise UserError(f"a camera needs 0 < near < far, not near={self.near} far={self.far}")
        if not 0 < self.fov < 180:
            raise UserError(f"a camera's fov must lie between 0 and 180 degrees, not {self.fov}")
        if self.width < 1 or self.height < 1:
            raise UserError(f"a picture needs at least 1x1 pixels, not {self.width}x{self.height}")

    @classmethod
    def look_at(
        cls,
        eye: Vector,
        target: Vector,
        up: Vector,
        *,
        fov: Number,
        near: Number,
        far: Number,
        width: int,
        height: int,
        fixed: bool = False,
    ) -> "Camera":
        """A camera at `eye` that looks at `target` with `up` pointing upwards in the picture."""
        position = np.asarray(eye, dtype=np.float64)
        backward = position - np.asarray(target, dtype=np.float64)
        backward /= np.linalg.norm(backward)
        right = np.cross(np.asarray(up, dtype=np.float64), backward)
        right /= np.linalg.norm(right)
        view = np.eye(4)
        view[:3, :3] = right, np.cross(backward, right), backward
        view[:3, 3] = -view[:3, :3] @ position
        return cls(view, fov, near, far, width, height, fixed)

    @cached_property
    def focal(self) -> float:
        """Focal length in pixels, the same in both directions."""
        return self.height / 2 / np.tan(np.radians(self.fov) / 2)

    @cached_property
    def to_pixels(self) -> Float[np.ndarray, "3 4"]:
        """World point -> (x w, y w, w): column x and row y with pixel centres at whole numbers."""
        x, y = (self.width - 1) / 2, (self.height - 1) / 2
        intrinsics = np.array([[self.focal, 0, -x], [0, -self.focal, -y], [0, 0, -1.0]])
        return intrinsics @ self.view[:3]

    @cached_property
    def from_pixels(self) -> Float[np.ndarray, "3 3"]:
        """(x, y, 1) of a pixel -> the world direction whose points lie one metre deep."""
        x, y, size = (self.width - 1) / 2, (self.height - 1) / 2, 1 / self.focal
        rays = np.array([[size, 0, -x * size], [0, -size, y * size], [0, 0, -1.0]])
        return self.view[:3, :3].T @ rays


@dataclass(frozen=True)
class Picture:
    """What a camera saw: depth in metres along the optical axis (`far` where nothing is),
    and the id of the instance seen (-1 where nothing is)."""

    rgb: UInt8[np.ndarray, "h w 3"]
    depth: Float32[np.ndarray, "h w"]
    segmentation: Int32[np.ndarray, "h w"]
