"""A deterministic software rasteriser: textures, a sun and its shadow, depth, segmentation.

World coordinates are metres with z up. Pictures have row 0 at the top; a pixel's colour is taken at
its centre. Deferred shading: a z-buffer pass finds the nearest triangle of every pixel, and only
that triangle is shaded (Deering et al., "The triangle processor and normal vector shader", 1988).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32, UInt8

from firsthand.common.errors import UserError
from firsthand.rendering.camera import Camera, Picture
from firsthand.rendering.framebuffer import Framebuffer, FrameState
from firsthand.rendering.light import Light
from firsthand.rendering.meshes import Mesh, Vector, corner_normals
from firsthand.rendering.textures import Atlas

BACKGROUND = (0.80, 0.84, 0.88)
FIXED_CAMERAS = 4  # whose last pictures a rasteriser remembers


@dataclass(frozen=True)
class Instance:
    """A mesh to draw. `color` (0..1) multiplies the texture; `id` is what segmentation shows."""

    mesh: Mesh
    color: Vector = (1.0, 1.0, 1.0)
    texture: UInt8[np.ndarray, "h w 3"] | None = None
    id: int = 0


class Rasteriser:
    """Draws a fixed set of instances at given poses.

    Raises:
        UserError: a texture's side is not a power of two, or its mesh has no texture coordinates.
    """

    def __init__(
        self,
        instances: Sequence[Instance],
        light: Light | None = None,
        background: Vector = BACKGROUND,
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
        self._fixed: list[tuple[Camera, Framebuffer]] = []
        self._moving: dict[tuple[int, int], Framebuffer] = {}  # by size
        self._shadow_map = np.zeros((self.light.resolution,) * 2, np.float32)
        self._shadow_snapshot = FrameState(len(meshes))  # what the map shows
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
        from firsthand.rendering.shading import shade_pixels

        count = len(self.instances)
        if poses.shape != (count, 4, 4):
            raise UserError(f"poses must have shape ({count}, 4, 4), not {poses.shape}")
        tints = self._colors if colors is None else np.ascontiguousarray(colors, dtype=np.float64)
        present = np.ones(count, np.bool_) if visible is None else np.ascontiguousarray(visible)
        poses = np.ascontiguousarray(poses, dtype=np.float64)
        self._shadow(poses, present, tints)
        canvas = self._canvas(camera)
        if not camera.fixed:
            canvas.forget()
            self._cover_all(camera, canvas, poses, present)
        else:
            canvas.compare_shadow(self._shadow_map)
            if canvas.snapshot.update(poses, present, tints):
                self._cover_moved(camera, canvas, poses, present)
        shade_pixels(
            canvas.inverse_depth,
            canvas.owner,
            canvas.edges,
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
            self._to_shadow(camera),
            self._shadow_map,
            self._background,
            self._ids,
            canvas.snapshot.changed,
            canvas.shadow_changed,
            canvas.known,
            canvas.spots,
            canvas.rgb,
            canvas.depth,
            canvas.segmentation,
        )
        return Picture(canvas.rgb.copy(), canvas.depth.copy(), canvas.segmentation.copy())

    def _canvas(self, camera: Camera) -> Framebuffer:
        """A fixed camera has its own, which remembers; moving ones of a size share one."""
        for known, canvas in self._fixed:
            if known is camera:
                return canvas
        size = camera.height, camera.width
        if not camera.fixed and size in self._moving:
            return self._moving[size]
        counts = len(self._faces), len(self.instances), self.light.resolution
        canvas = Framebuffer(*size, *counts)
        if camera.fixed:
            self._fixed = [*self._fixed[1 - FIXED_CAMERAS :], (camera, canvas)]
        else:
            self._moving[size] = canvas
        return canvas

    def _cover_all(
        self,
        camera: Camera,
        canvas: Framebuffer,
        poses: Float[np.ndarray, "n 4 4"],
        present: Bool[np.ndarray, "n"],
    ) -> None:
        """Find the nearest face of every pixel."""
        depth, owner = canvas.inverse_depth, canvas.owner
        depth.fill(1 / camera.far)
        owner.fill(-1)
        self._cover(camera, poses, present, 1.0, canvas.edges, depth, owner)

    def _cover_moved(
        self,
        camera: Camera,
        canvas: Framebuffer,
        poses: Float[np.ndarray, "n 4 4"],
        present: Bool[np.ndarray, "n"],
    ) -> None:
        """The same for a fixed camera: what has moved is drawn over what stood still."""
        moved = canvas.snapshot.moved
        if not canvas.still.any() or (moved & canvas.still).any():
            canvas.still = ~moved
            self._cover_all(camera, canvas, poses, present & canvas.still)
            canvas.still_depth[:], canvas.still_owner[:] = canvas.inverse_depth, canvas.owner
        depth, owner = canvas.inverse_depth, canvas.owner
        depth[:], owner[:] = canvas.still_depth, canvas.still_owner
        others = present & ~canvas.still
        self._cover(camera, poses, others, 1.0, canvas.edges, depth, owner)

    def _cover(
        self,
        camera: Camera,
        poses: Float[np.ndarray, "n 4 4"],
        present: Bool[np.ndarray, "n"],
        facing: float,
        edges: Float[np.ndarray, "f _"],
        inverse_depth: Float32[np.ndarray, "h w"],
        owner: Int32[np.ndarray, "_ _"],
    ) -> None:
        """Add to the z-buffer the faces that look at the camera (facing 1) or away (-1)."""
        from firsthand.rendering.kernels import rasterize

        rasterize(
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
            edges,
            inverse_depth,
            owner,
        )

    def _shadow(
        self,
        poses: Float[np.ndarray, "n 4 4"],
        present: Bool[np.ndarray, "n"],
        tints: Float[np.ndarray, "n 3"],
    ) -> None:
        """Bring the light's depth map of back faces up to date.

        Back faces, because a lit surface cannot lie behind its own back: nothing shades itself by
        rounding. Only what has moved is drawn again, over the map of all that stood still: nearest
        depths do not depend on the order of drawing.
        """
        if not self.light.resolution or not self._shadow_snapshot.update(poses, present, tints):
            return
        light, nobody = self.light.camera, np.zeros((0, 0), np.int32)
        moved, edges = self._shadow_snapshot.moved, np.empty((len(self._faces), 0))
        if not self._still.any() or (moved & self._still).any():
            self._still = ~moved
            self._still_map.fill(1 / light.far)
            self._cover(light, poses, present & self._still, -1.0, edges, self._still_map, nobody)
        self._shadow_map[:] = self._still_map
        self._cover(light, poses, present & ~self._still, -1.0, edges, self._shadow_map, nobody)

    def _to_shadow(self, camera: Camera) -> Float[np.ndarray, "3 4"]:
        """The way from the camera's pixels to the shadow map's texels."""
        rows = np.zeros((3, 4))
        if self.light.resolution:
            to_light = self.light.camera.to_pixels
            rows[:, :3] = to_light[:, :3] @ camera.from_pixels
            rows[:, 3] = to_light[:, 3] - rows[:, :3] @ camera.to_pixels[:, 3]
        return rows


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
