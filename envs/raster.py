"""A deterministic software rasteriser: textures, a sun and its shadow, depth, segmentation.

World coordinates are metres with z up. Pictures have row 0 at the top; a pixel's colour is taken at
its centre. Deferred shading: a z-buffer pass finds the nearest triangle of every pixel, and only
that triangle is shaded (Deering et al., "The triangle processor and normal vector shader", 1988).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32, UInt8

from envs.camera import Camera, Picture
from envs.meshes import Mesh, Number, Vector, corner_normals
from envs.textures import Atlas
from episodes.errors import UserError


@dataclass(frozen=True)
class Instance:
    """A mesh to draw. `color` (0..1) multiplies the texture; `id` is what segmentation shows."""

    mesh: Mesh
    color: Vector = (1.0, 1.0, 1.0)
    texture: UInt8[np.ndarray, "h w 3"] | None = None
    id: int = 0


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


class Rasteriser:
    """Draws a fixed set of instances at given poses.

    Raises:
        UserError: a texture's side is not a power of two, or its mesh has no texture coordinates.
    """

    def __init__(
        self,
        instances: Sequence[Instance],
        light: Light | None = None,
        background: Vector = (0.80, 0.84, 0.88),
    ) -> None:
        self.instances = tuple(instances)
        self.light = Light() if light is None else light
        meshes = [instance.mesh for instance in self.instances]
        for instance in self.instances:
            if instance.texture is not None and instance.mesh.uv is None:
                raise UserError(
                    f"instance {instance.id} has a texture but its mesh has no texture"
                    " coordinates: give it some with Mesh.tiled(metres)"
                )
        self._vertex_start = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
        self._face_start = np.cumsum([0] + [len(mesh.faces) for mesh in meshes])
        total = int(self._face_start[-1])
        self._vertices = _stack([mesh.vertices for mesh in meshes], (3,), np.float32)
        self._faces = _stack([mesh.faces for mesh in meshes], (3,), np.int32)
        self._normals = _stack([corner_normals(mesh) for mesh in meshes], (3, 3), np.float32)
        blank = [np.zeros((len(m.faces), 3, 2)) if m.uv is None else m.uv for m in meshes]
        corners = _stack([mesh.vertices[mesh.faces] for mesh in meshes], (3, 3), np.float64)
        self._uv = _stack(blank, (3, 2), np.float32)
        counts = [len(mesh.faces) for mesh in meshes]
        self._face_instance = np.repeat(np.arange(len(meshes)), counts).astype(np.int32)
        self._ids = np.array([instance.id for instance in self.instances], dtype=np.int32)
        self._colors = _stack([[instance.color] for instance in self.instances], (3,), np.float64)
        self._spheres = _stack([[_sphere(mesh)] for mesh in meshes], (4,), np.float64)
        self._background = np.round(np.clip(background, 0, 1) * 255).astype(np.uint8)
        textures = [i.texture for i in self.instances if i.texture is not None]
        atlas = Atlas.of(textures)
        self._atlas = atlas.texels
        rows = [atlas.where.get(id(i.texture), (-1, 0, 0, 0)) for i in self.instances]
        self._textures = np.array(rows, dtype=np.int64).reshape(-1, 4)
        self._texels = _texel_density(corners, self._uv)
        self._texels *= 2 ** (self._textures[:, 1:3].sum(1) / 2)[self._face_instance]
        self._texels = self._texels.astype(np.float32)
        self._points = np.empty((max([0, *np.diff(self._vertex_start)]), 5))
        self._edges = np.empty((total, 9))
        self._owners: dict[tuple[int, int], Int32[np.ndarray, "h w"]] = {}  # by size
        self._depths: dict[tuple[int, int], Float32[np.ndarray, "h w"]] = {}
        self._shadow_map = np.zeros((self.light.resolution,) * 2, np.float32)
        self._shadow_poses = np.full((len(meshes), 4, 4), np.nan)  # what the map shows
        self._shadow_present = np.zeros(len(meshes), np.bool_)
        self._still_map = self._shadow_map.copy()  # shows only what is `still`
        self._still = np.zeros(len(meshes), np.bool_)

    def draw(
        self,
        camera: Camera,
        poses: Float[np.ndarray, "n 4 4"],
        colors: Float[np.ndarray, "n 3"] | None = None,
        visible: Bool[np.ndarray, "n"] | None = None,
    ) -> Picture:
        """The picture with every instance at its pose (mesh frame to world, rigid).

        `colors` replaces the instances' own; instances that are not `visible` are left out.
        """
        from envs.raster_shading import shade

        count = len(self.instances)
        if poses.shape != (count, 4, 4):
            raise UserError(f"poses must have shape ({count}, 4, 4), not {poses.shape}")
        tints = self._colors if colors is None else np.ascontiguousarray(colors, dtype=np.float64)
        present = np.ones(count, np.bool_) if visible is None else np.ascontiguousarray(visible)
        poses = np.ascontiguousarray(poses, dtype=np.float64)
        rows, shadow = self._shadow(camera, poses, present)
        height, width = camera.height, camera.width
        if (height, width) not in self._owners:
            self._owners[height, width] = np.empty((height, width), np.int32)
            self._depths[height, width] = np.empty((height, width), np.float32)
        owner, inverse_depth = self._owners[height, width], self._depths[height, width]
        inverse_depth.fill(1 / camera.far)
        owner.fill(-1)
        self._cover(camera, poses, present, 1.0, inverse_depth, owner)
        picture = Picture(
            np.empty((height, width, 3), np.uint8),
            np.empty((height, width), np.float32),
            np.empty((height, width), np.int32),
        )
        shade(
            inverse_depth,
            owner,
            self._edges,
            self._face_instance,
            self._normals,
            self._uv,
            self._texels,
            tints,
            poses,
            self._atlas,
            self._textures,
            self.light.terms,
            1 / camera.focal,
            rows,
            shadow,
            self._background,
            self._ids,
            picture.rgb,
            picture.depth,
            picture.segmentation,
        )
        return picture

    def _cover(
        self,
        camera: Camera,
        poses: Float[np.ndarray, "n 4 4"],
        present: Bool[np.ndarray, "n"],
        facing: float,
        inverse_depth: Float32[np.ndarray, "h w"],
        owner: Int32[np.ndarray, "_ _"],
    ) -> None:
        """Add to the z-buffer the faces that look at the camera (facing 1) or away (-1)."""
        from envs.raster_kernels import cover

        cover(
            self._vertices,
            self._faces,
            self._vertex_start,
            self._face_start,
            self._spheres,
            poses,
            present,
            camera.to_pixels,
            facing,
            camera.near,
            self._points,
            self._edges,
            inverse_depth,
            owner,
        )

    def _shadow(
        self, camera: Camera, poses: Float[np.ndarray, "n 4 4"], present: Bool[np.ndarray, "n"]
    ) -> tuple[Float[np.ndarray, "3 4"], Float32[np.ndarray, "s s"]]:
        """The light's depth map of back faces, and the way from the camera's pixels to its texels.

        Back faces, because a lit surface cannot lie behind its own back: nothing shades itself by
        rounding. Only what has moved is drawn again, over the map of all that stood still: nearest
        depths do not depend on the order of drawing.
        """
        if not self.light.resolution:
            return np.zeros((3, 4)), self._shadow_map
        moved = (poses != self._shadow_poses).any((1, 2)) | (present != self._shadow_present)
        if moved.any():
            light, nobody = self.light.camera, np.zeros((0, 0), np.int32)
            if not self._still.any() or (moved & self._still).any():
                self._still = ~moved
                self._still_map.fill(1 / light.far)
                self._cover(light, poses, present & self._still, -1.0, self._still_map, nobody)
            self._shadow_map[:] = self._still_map
            self._cover(light, poses, present & ~self._still, -1.0, self._shadow_map, nobody)
            self._shadow_poses, self._shadow_present = poses.copy(), present.copy()
        to_light = self.light.camera.to_pixels
        rows = np.empty((3, 4))
        rows[:, :3] = to_light[:, :3] @ camera.from_pixels
        rows[:, 3] = to_light[:, 3] - rows[:, :3] @ camera.to_pixels[:, 3]
        return rows, self._shadow_map


def _stack(parts: Sequence, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Concatenate along the first axis; no parts make an empty array of the right shape."""
    joined = np.concatenate(parts) if parts else np.zeros((0, *shape))
    return np.ascontiguousarray(joined, dtype=dtype)


def _sphere(mesh: Mesh) -> Float[np.ndarray, "4"]:
    """Centre and radius of a sphere around a mesh."""
    center = (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    return np.append(center, np.linalg.norm(mesh.vertices - center, axis=1).max())


def _texel_density(
    corners: Float[np.ndarray, "f 3 3"], uv: Float[np.ndarray, "f 3 2"]
) -> Float[np.ndarray, "f"]:
    """Texture tiles per metre of surface, for every face."""
    sides = corners[:, 1:] - corners[:, :1]
    space = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    side, other = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    tile = np.abs(side[:, 0] * other[:, 1] - side[:, 1] * other[:, 0])
    return np.sqrt(tile / np.maximum(space, 1e-20))
