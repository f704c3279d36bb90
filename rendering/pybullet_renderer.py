"""Pictures of a PyBullet world behind one method, drawn by our rasteriser or by PyBullet's own.

Both renderers show the same geometry from the same camera; segmentation holds PyBullet's body ids.
PyBullet is imported only when a renderer is made.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, UInt8

from firsthand.common.errors import UserError
from firsthand.rendering import meshes
from firsthand.rendering.meshes import Mesh, Number
from firsthand.rendering.rasterizer import BACKGROUND, Camera, Instance, Light, Picture, Rasteriser

BodyLink = tuple[int, int]  # PyBullet's body id and link index, -1 for the base
Color = Sequence[Number]
Rgb = tuple[float, float, float]
Texture = UInt8[np.ndarray, "_ _ 3"]


class Renderer(Protocol):
    """What draws a world. `name` is recorded with every result."""

    name: str

    def render(self, camera: Camera) -> Picture:
        """The world as it is now. Segmentation shows body ids, -1 where nothing is."""
        ...

    def recolor(self, body: int, link: int, rgba: Color) -> None:
        """Give a link another colour (red, green, blue, opacity in 0..1), as a lamp going on."""
        ...


class TinyRenderer:
    """PyBullet's software renderer (`ER_TINY_RENDERER`), without shadows."""

    name = "tiny"

    def __init__(self, client: int) -> None:
        from firsthand.rendering.bullet import pybullet

        self._bullet, self._client = pybullet, client

    def render(self, camera: Camera) -> Picture:
        """See `Renderer.render`. PyBullet normalises depth; here it is in metres again."""
        width, height, near, far = camera.width, camera.height, camera.near, camera.far
        fov = self._bullet.computeProjectionMatrixFOV(camera.fov, width / height, near, far)
        projection = list(fov)
        # TinyRenderer samples the lower left corner of a pixel: move the picture by half of one.
        projection[8] += 1 / width
        projection[9] += 1 / height
        _, _, rgba, normalised, mask = self._bullet.getCameraImage(
            width,
            height,
            viewMatrix=camera.view.T.reshape(-1).tolist(),
            projectionMatrix=projection,
            shadow=0,
            renderer=self._bullet.ER_TINY_RENDERER,
            physicsClientId=self._client,
        )
        colors = np.asarray(rgba, dtype=np.uint8).reshape(height, width, 4)[..., :3]
        z = np.asarray(normalised, dtype=np.float64).reshape(height, width)
        bodies = np.asarray(mask, dtype=np.int32).reshape(height, width)
        return Picture(
            np.ascontiguousarray(colors),
            (far * near / (far - (far - near) * z)).astype(np.float32),
            np.where(bodies < 0, -1, bodies & 0xFFFFFF).astype(np.int32),
        )

    def recolor(self, body: int, link: int, rgba: Color) -> None:
        """See `Renderer.recolor`."""
        self._bullet.changeVisualShape(
            body, link, rgbaColor=list(rgba), physicsClientId=self._client
        )


class RasterRenderer:
    """Our rasteriser over the visual shapes that a PyBullet world has when this is made.

    `textures` puts a texture on every shape of a link, multiplied by the shape's colour. Shapes
    without texture coordinates of their own repeat it every metre.

    Args:
        client: of the physics.
        textures: of links, as a dictionary or a function.
        light: that falls on them.
        painted: the colour of a link's shape in place of its own.
        background: what is seen where nothing is.
        files: meshes that were read; another renderer of the same world may be given them.

    Raises:
        UserError: a visual shape is of a kind or in a file that cannot be read.
    """

    name = "raster"

    def __init__(
        self,
        client: int,
        textures: Mapping[BodyLink, Texture] | Callable[[BodyLink], Texture | None] | None = None,
        light: Light | None = None,
        painted: Callable[[BodyLink, Rgb], Rgb] | None = None,
        background: Rgb = BACKGROUND,
        files: dict[tuple[str, tuple[float, ...]], Mesh] | None = None,
    ) -> None:
        from firsthand.rendering.bullet import pybullet

        self._bullet, self._client = pybullet, client
        texture_of = textures if callable(textures) else (textures or {}).get
        instances, owners, frames, colors = [], [], [], []
        files = {} if files is None else files
        for index in range(pybullet.getNumBodies(physicsClientId=client)):
            body = pybullet.getBodyUniqueId(index, physicsClientId=client)
            for shape in pybullet.getVisualShapeData(body, physicsClientId=client):
                link, kind, size, file, position, orientation, rgba = shape[1:8]
                if kind == pybullet.GEOM_PLANE:  # infinite, and PyBullet draws nothing for it
                    continue
                mesh = _mesh(pybullet, kind, size, file.decode(), files)
                texture = texture_of((body, link))
                if painted is not None:
                    rgba = (*painted((body, link), rgba[:3]), rgba[3])
                if texture is not None and mesh.uv is None:
                    mesh = mesh.tiled(1)
                instances.append(Instance(mesh, rgba[:3], texture, body))
                owners.append((body, link))
                frames.append([*position, *orientation])
                colors.append(rgba)
        self._owners = owners
        rgba = np.array(colors, dtype=np.float64).reshape(-1, 4)
        self._colors, self._shown = rgba[:, :3].copy(), rgba[:, 3] > 0
        self._links = {body: sorted({k for b, k in owners if b == body}) for body, _ in owners}
        order = [(body, link) for body, links in self._links.items() for link in links]
        self._link_of = np.array([order.index(owner) for owner in owners], dtype=np.int64)
        # PyBullet reports a base's pose by its inertial frame: shapes are seen from there.
        inertial = [
            self._inertial_frame(body) if link < 0 else [0, 0, 0, 0, 0, 0, 1]
            for body, link in owners
        ]
        seen_from = _matrices(np.array(inertial).reshape(-1, 7))
        self._frames = np.linalg.inv(seen_from) @ _matrices(np.array(frames).reshape(-1, 7))
        self._placed: list[list[float]] = []  # the link poses that _poses come from
        self._poses = np.zeros((len(owners), 4, 4))
        self._rasteriser = Rasteriser(instances, light, background)

    def render(self, camera: Camera) -> Picture:
        """See `Renderer.render`. Shapes whose opacity is 0 are left out."""
        from firsthand.rendering.kernels import pose_instances

        links = self._link_poses()
        if links != self._placed:  # several cameras may look at one moment
            self._placed = links
            pose_instances(np.array(links), self._link_of, self._frames, self._poses)
        return self._rasteriser.draw(camera, self._poses, self._colors, self._shown)

    def recolor(self, body: int, link: int, rgba: Color) -> None:
        """See `Renderer.recolor`. The PyBullet world is told too, so that both show the same."""
        self._bullet.changeVisualShape(
            body, link, rgbaColor=list(rgba), physicsClientId=self._client
        )
        mine = [owner == (body, link) for owner in self._owners]
        if not any(mine):
            raise UserError(f"body {body} has no visual shape on link {link} to recolour")
        self._colors[mine], self._shown[mine] = rgba[:3], rgba[3] > 0

    def _inertial_frame(self, body: int) -> list[float]:
        """Position and quaternion of the base's inertial frame in the base link's frame."""
        dynamics = self._bullet.getDynamicsInfo(body, -1, physicsClientId=self._client)
        return [*dynamics[3], *dynamics[4]]

    def _link_poses(self) -> list[list[float]]:
        """World positions and quaternions: a base's inertial frame, other links' own frames."""
        bullet, client, poses = self._bullet, self._client, []
        for body, links in self._links.items():
            if links[0] < 0:
                position, turn = bullet.getBasePositionAndOrientation(body, physicsClientId=client)
                poses.append([*position, *turn])
            moving = [link for link in links if link >= 0]
            if moving:
                states = bullet.getLinkStates(
                    body, moving, computeForwardKinematics=1, physicsClientId=client
                )
                poses += [[*state[4], *state[5]] for state in states]
        return poses


def _matrices(poses: Float[np.ndarray, "n 7"]) -> Float[np.ndarray, "n 4 4"]:
    """Positions and x, y, z, w quaternions as 4x4 matrices."""
    from firsthand.rendering.kernels import pose_instances

    matrices = np.zeros((len(poses), 4, 4))
    still = np.tile(np.eye(4), (len(poses), 1, 1))
    pose_instances(np.asarray(poses, np.float64), np.arange(len(poses)), still, matrices)
    return matrices


def _mesh(
    pybullet: Any,
    kind: int,
    size: Sequence[float],
    file: str,
    files: dict[tuple[str, tuple[float, ...]], Mesh],
) -> Mesh:
    """The triangles of a visual shape; `size` means what getVisualShapeData says for the kind."""
    if kind == pybullet.GEOM_BOX:
        return meshes.box(size)
    if kind == pybullet.GEOM_SPHERE:
        return meshes.sphere(size[0])
    if kind == pybullet.GEOM_CYLINDER:
        return meshes.cylinder(size[1], size[0])
    if kind == pybullet.GEOM_CAPSULE:
        return meshes.capsule(size[1], size[0])
    if kind == pybullet.GEOM_MESH:
        key = file, tuple(size)
        if key not in files:
            files[key] = meshes.load(Path(file)).transformed(np.diag([*size, 1.0]))
        return files[key]
    raise UserError(f"a visual shape of kind {kind} cannot be drawn: use box, sphere or mesh")
