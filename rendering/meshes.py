"""Triangle meshes: primitives of our own, and readers for Wavefront .obj and .stl files.

Lengths are metres. Faces run counter-clockwise seen from outside. The texture coordinates of
primitives are metres on the surface too, so that a texture keeps its scale on every size.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int32

from firsthand.common.errors import UserError

Number = float | int
Vector = Sequence[Number] | Float[np.ndarray, "3"]


@dataclass(frozen=True)
class Mesh:
    """Triangles. `uv` holds texture coordinates for every corner of every face (1 is one tile)."""

    vertices: Float32[np.ndarray, "v 3"]
    faces: Int32[np.ndarray, "f 3"]
    uv: Float32[np.ndarray, "f 3 2"] | None = None

    def transformed(self, pose: Float[np.ndarray, "4 4"]) -> "Mesh":
        """The mesh moved by an affine map; a mirroring map also turns the faces around."""
        vertices = self.vertices @ pose[:3, :3].T + pose[:3, 3]
        moved = replace(self, vertices=vertices.astype(np.float32))
        if np.linalg.det(pose[:3, :3]) >= 0:
            return moved
        uv = None if self.uv is None else np.ascontiguousarray(self.uv[:, ::-1])
        return replace(moved, faces=np.ascontiguousarray(self.faces[:, ::-1]), uv=uv)

    def tiled(self, metres: Number) -> "Mesh":
        """The mesh with texture coordinates projected along the main axis of each face.

        A texture repeats every `metres` on the surface, in the mesh's own coordinates.
        """
        corners = self.vertices[self.faces]
        return replace(self, uv=(_box_map(corners) / metres).astype(np.float32))


def _face_normals(corners: Float[np.ndarray, "f 3 3"]) -> Float[np.ndarray, "f 3"]:
    """Normals whose length is twice the triangle's area."""
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def _box_map(corners: Float[np.ndarray, "f 3 3"]) -> Float[np.ndarray, "f 3 2"]:
    """Coordinates in the plane that each face lies closest to: (y,z), (x,z) or (x,y)."""
    axis = np.abs(_face_normals(corners)).argmax(axis=1)
    planes = np.array([[1, 2], [0, 2], [0, 1]])[axis]
    return np.take_along_axis(corners, planes[:, None, :].repeat(3, axis=1), axis=2)


def corner_normals(mesh: Mesh, crease: Number = 40) -> Float32[np.ndarray, "f 3 3"]:
    """Unit normals for every corner, smooth across edges that bend less than `crease` degrees.

    A corner's normal is the area-weighted mean over the faces that meet there and lie within the
    crease angle of the corner's own face: round things look round, boxes keep their edges.
    """
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    weighted = _face_normals(corners)
    lengths = np.linalg.norm(weighted, axis=1, keepdims=True)
    flat = weighted / np.maximum(lengths, 1e-30)
    _, welded = np.unique(np.round(mesh.vertices, 6), axis=0, return_inverse=True)
    point = welded.reshape(-1)[mesh.faces].reshape(-1)  # which welded vertex each corner sits on
    order = np.argsort(point, kind="stable")
    starts = np.searchsorted(point[order], np.arange(point.max() + 1 if len(point) else 0))
    counts = np.diff(np.append(starts, len(point)))
    neighbours = counts[point]  # every corner meets this many corners, itself among them
    first = np.repeat(np.arange(len(point)), neighbours)
    within = np.arange(len(first)) - np.repeat(np.cumsum(neighbours) - neighbours, neighbours)
    second = order[starts[point[first]] + within]
    near = (flat[first // 3] * flat[second // 3]).sum(1) > np.cos(np.radians(crease))
    normals = np.zeros((len(point), 3))
    np.add.at(normals, first[near], weighted[second[near] // 3])
    sizes = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.where(sizes > 1e-30, normals / np.maximum(sizes, 1e-30), flat.repeat(3, axis=0))
    return normals.reshape(-1, 3, 3).astype(np.float32)


def merge(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of several. Those without texture coordinates get (0, 0) if others have some."""
    offsets = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    faces = [mesh.faces + offset for mesh, offset in zip(meshes, offsets[:-1], strict=True)]
    uv = None
    if any(mesh.uv is not None for mesh in meshes):
        blank = [np.zeros((len(m.faces), 3, 2)) if m.uv is None else m.uv for m in meshes]
        uv = np.concatenate(blank).astype(np.float32)
    vertices = np.concatenate([mesh.vertices for mesh in meshes])
    return Mesh(vertices, np.concatenate(faces).astype(np.int32), uv)


def box(size: Vector, center: Vector = (0, 0, 0)) -> Mesh:
    """A box with full side lengths `size`."""
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    vertices = (signs * np.asarray(size) / 2 + np.asarray(center)).astype(np.float32)
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    return Mesh(vertices, _fans(quads)).tiled(1.0)


def plane(size: Sequence[Number]) -> Mesh:
    """A rectangle in the plane z = 0, centred on the origin, seen from above (+z) only."""
    x, y = size[0] / 2, size[1] / 2
    vertices = np.array([[-x, -y, 0], [x, -y, 0], [x, y, 0], [-x, y, 0]], dtype=np.float32)
    return Mesh(vertices, _fans([[0, 1, 2, 3]])).tiled(1.0)


def cylinder(radius: Number, length: Number, segments: int = 24) -> Mesh:
    """A closed cylinder about the z axis, centred on the origin."""
    profile = np.array([[radius, -length / 2], [radius, length / 2]])
    return _revolved(profile, segments)


def sphere(radius: Number, segments: int = 20, rings: int = 10) -> Mesh:
    """A sphere about the origin."""
    angles = np.pi * (np.arange(1, rings) / rings - 0.5)
    profile = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return _revolved(profile, segments, bottom=-radius, top=radius)


def capsule(radius: Number, length: Number, segments: int = 20, rings: int = 10) -> Mesh:
    """A cylinder of `length` about the z axis with a half sphere on either end."""
    angles = np.pi / 2 * np.arange(1, rings // 2 + 1) / (rings // 2)
    upper = np.stack([radius * np.sin(angles), length / 2 + radius * np.cos(angles)], axis=1)[::-1]
    lower = (upper * [1, -1])[::-1]
    profile = np.concatenate([lower, upper])
    return _revolved(profile, segments, bottom=-length / 2 - radius, top=length / 2 + radius)


def _revolved(
    profile: Float[np.ndarray, "p 2"],
    segments: int,
    bottom: Number | None = None,
    top: Number | None = None,
) -> Mesh:
    """A closed surface of revolution about z from (radius, z) pairs that run upwards."""
    turn = 2 * np.pi * np.arange(segments) / segments
    circle = np.stack([np.cos(turn), np.sin(turn), np.zeros(segments)], axis=1)
    rings = [circle * [radius, radius, 0] + [0, 0, z] for radius, z in profile]
    low = profile[0, 1] if bottom is None else bottom
    high = profile[-1, 1] if top is None else top
    vertices = np.concatenate([*rings, [[0, 0, low]], [[0, 0, high]]]).astype(np.float32)
    last, around = len(profile) - 1, range(segments)
    polygons, arc = [], []
    step = np.append(0, np.cumsum(np.linalg.norm(np.diff(profile, axis=0), axis=1)))
    width = 2 * np.pi * profile[:, 0].max() / segments

    def at(ring: int, segment: int) -> int:
        return ring * segments + segment % segments

    for ring in range(last):
        for s in around:
            polygons.append([at(ring, s), at(ring, s + 1), at(ring + 1, s + 1), at(ring + 1, s)])
            u, v = np.array([s, s + 1, s + 1, s]) * width, step[[ring, ring, ring + 1, ring + 1]]
            quad = np.stack([u, v], axis=1)
            arc += [quad[[0, 1, 2]], quad[[0, 2, 3]]]
    caps = [[len(vertices) - 2, at(0, s + 1), at(0, s)] for s in around]
    caps += [[len(vertices) - 1, at(last, s), at(last, s + 1)] for s in around]
    lids = _box_map(vertices[np.array(caps)])
    uv = np.concatenate([np.array(arc).reshape(-1, 3, 2), lids]).astype(np.float32)
    return Mesh(vertices, _fans(polygons + caps), uv)


def _fans(polygons: Sequence[Sequence[int]]) -> Int32[np.ndarray, "f 3"]:
    """Convex polygons cut into triangles around their first corners."""
    triangles = [(p[0], p[i], p[i + 1]) for p in polygons for i in range(1, len(p) - 1)]
    return np.array(triangles, dtype=np.int32).reshape(-1, 3)


def load_obj(path: str | Path) -> Mesh:
    """Read the triangles of a Wavefront .obj file: vertices, texture coordinates, polygons.

    Raises:
        UserError: the file is missing, has no faces, or a line cannot be understood.
    """
    positions: list[list[float]] = []
    tiles: list[list[float]] = []
    faces: list[tuple[int, int, int]] = []
    marks: list[tuple[int, int, int]] = []  # texture coordinate of each corner, -1 for none
    for number, line in enumerate(_read(path).decode("utf-8", "replace").splitlines(), start=1):
        kind, *words = line.split("#")[0].split() or [""]
        try:
            if kind == "v":
                positions.append([float(word) for word in words[:3]])
            elif kind == "vt":
                tiles.append([float(words[0]), float(words[1]) if len(words) > 1 else 0.0])
            elif kind == "f":
                at = [_obj_index(word, 0, len(positions)) for word in words]
                uv = [_obj_index(word, 1, len(tiles)) for word in words]
                for i in range(1, len(words) - 1):
                    faces.append((at[0], at[i], at[i + 1]))
                    marks.append((uv[0], uv[i], uv[i + 1]))
        except (ValueError, IndexError) as error:
            raise UserError(f"{path} line {number}: {error} in {line.strip()!r}") from error
    if not faces:
        raise UserError(f"{path} has no faces: is it a Wavefront .obj file?")
    vertices = np.array(positions, dtype=np.float32).reshape(-1, 3)
    corners = np.array(marks, dtype=np.int32)
    uv = None
    if tiles and (corners >= 0).any():
        uv = np.where(corners[..., None] >= 0, np.array(tiles, dtype=np.float32)[corners], 0)
    return Mesh(vertices, np.array(faces, dtype=np.int32), uv)


def _obj_index(word: str, field: int, count: int) -> int:
    """Field of "v/vt/vn" as an index from 0, or -1 where absent; negative ones count backwards."""
    fields = word.split("/")
    if len(fields) <= field or not fields[field]:
        if field == 0:
            raise ValueError("a face corner without a vertex")
        return -1
    value = int(fields[field])
    index = value - 1 if value > 0 else count + value
    if not 0 <= index < count:
        raise ValueError(f"index {value} is outside the {count} defined so far")
    return index


def load_stl(path: str | Path) -> Mesh:
    """Read the triangles of an .stl file, binary or ASCII; equal vertices become one.

    Raises:
        UserError: the file is missing, empty or cut short.
    """
    data = _read(path)
    count = int.from_bytes(data[80:84], "little")
    if len(data) >= 84 and len(data) == 84 + 50 * count:
        record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
        corners = np.frombuffer(data, record, count, offset=84)["corners"].reshape(-1, 3)
    elif data.lstrip()[:5].lower() == b"solid" and b"vertex" in data:
        words = data.split()
        try:
            rows = [words[i + 1 : i + 4] for i, word in enumerate(words) if word == b"vertex"]
            corners = np.array(rows, dtype=np.float64).reshape(-1, 3)
        except ValueError as error:
            raise UserError(f"{path}: a vertex without three numbers") from error
    else:
        raise UserError(f"{path}: {len(data)} bytes, but {84 + 50 * count} for {count} triangles")
    if len(corners) == 0 or len(corners) % 3:
        raise UserError(f"{path} has {len(corners)} vertices, not a positive multiple of 3")
    vertices, index = np.unique(corners.astype(np.float32), axis=0, return_inverse=True)
    return Mesh(vertices, index.reshape(-1, 3).astype(np.int32))


def load(path: str | Path) -> Mesh:
    """Read a mesh file by its ending.

    Raises:
        UserError: the ending is neither .obj nor .stl, or the file is at fault.
    """
    readers = {".obj": load_obj, ".stl": load_stl}
    reader = readers.get(Path(path).suffix.lower())
    if reader is None:
        raise UserError(f"{path} is not a mesh that can be read: use {' or '.join(readers)}")
    return reader(path)


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
