"""Primitives are closed and face outwards; files are read or refused by name."""

import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.rendering import textures
from firsthand.rendering.meshes import (
    Mesh,
    box,
    capsule,
    corner_normals,
    cylinder,
    load,
    load_obj,
    load_stl,
    merge,
    plane,
    sphere,
)


def volume(mesh: Mesh) -> float:
    """Signed volume by the divergence theorem: positive where faces look outwards."""
    a, b, c = mesh.vertices[mesh.faces].astype(np.float64).transpose(1, 0, 2)
    return float((np.cross(a, b) * c).sum() / 6)


@pytest.mark.parametrize(
    ("mesh", "expected"),
    [
        (box((1, 2, 3), (5, 0, 0)), 6),
        (cylinder(0.5, 2, segments=200), np.pi / 2),
        (sphere(0.5, segments=100, rings=50), np.pi / 6),
        (capsule(0.5, 2, segments=100, rings=50), np.pi / 2 + np.pi / 6),
        (merge([box((1, 1, 1)), box((1, 1, 2), (3, 0, 0))]), 3),
    ],
)
def test_solids_are_closed_and_face_outwards(mesh: Mesh, expected: float) -> None:
    assert volume(mesh) == pytest.approx(expected, rel=0.01)
    edges = np.concatenate([mesh.faces[:, [i, (i + 1) % 3]] for i in range(3)])
    directed = {tuple(edge) for edge in edges.tolist()}
    assert len(directed) == len(edges)
    assert all((b, a) in directed for a, b in directed)
    assert mesh.uv is not None


def test_mirroring_keeps_faces_outwards() -> None:
    mirrored = box((1, 2, 3)).transformed(np.diag([-1.0, 1, 1, 1]))
    assert volume(mirrored) == pytest.approx(6)


def test_normals_are_smooth_on_round_things_and_sharp_on_boxes() -> None:
    ball = sphere(0.5)
    normals = corner_normals(ball)
    outwards = ball.vertices[ball.faces] / 0.5
    assert (normals * outwards).sum(-1).min() > 0.98
    crate = corner_normals(box((1, 1, 1)))
    assert np.allclose(np.abs(crate).max(-1), 1)
    # Vertices that lie on one another count as one, as in .stl files.
    torn = Mesh(
        ball.vertices[ball.faces].reshape(-1, 3),
        np.arange(ball.faces.size, dtype=np.int32).reshape(-1, 3),
    )
    np.testing.assert_allclose(corner_normals(torn), normals, atol=1e-4)


def test_primitives_measure_their_textures_in_metres() -> None:
    floor = plane((4, 2))
    assert floor.uv is not None
    assert np.ptp(floor.uv.reshape(-1, 2), axis=0).tolist() == [4, 2]
    tiled = floor.tiled(0.5).uv
    assert tiled is not None
    assert np.ptp(tiled.reshape(-1, 2), axis=0).tolist() == [8, 4]


def test_obj_with_polygons_negative_indices_and_missing_parts(tmp_path) -> None:
    path = tmp_path / "square.obj"
    path.write_text(
        "# a square and a triangle\nmtllib none.mtl\nv 0 0 0\nv 1 0 0 1.0\nv 1 1 0\nv 0 1 0\n"
        "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nf 1/1 2/2 3/3/1 4/4\ns off\nv 0 0 1\nf -5 -4//1 -1\n\n"
    )
    mesh = load_obj(path)
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 4]]
    assert mesh.uv is not None
    assert mesh.uv[1].tolist() == [[0, 0], [1, 1], [0, 1]]
    assert (mesh.uv[2] == 0).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no faces"),
        ("v 0 0 0\nf 1 2 3\n", "line 2: index 2 is outside the 1"),
        ("v 0 zero 0\n", "line 1: could not convert"),
        ("v 0 0 0\nf 1 /2 1\n", "line 2: a face corner without a vertex"),
    ],
)
def test_a_broken_obj_is_named(tmp_path, text: str, message: str) -> None:
    path = tmp_path / "broken.obj"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as error:
        load(path)
    assert "broken.obj" in str(error.value)


def test_binary_and_ascii_stl_hold_the_same_mesh(tmp_path) -> None:
    crate = box((1, 2, 3))
    corners = crate.vertices[crate.faces]
    binary = tmp_path / "binary.stl"
    record = np.zeros(12, [("n", "<f4", 3), ("c", "<f4", (3, 3)), ("a", "<u2")])
    record["c"] = corners
    binary.write_bytes(b"solid by accident".ljust(80) + np.uint32(12).tobytes() + record.tobytes())
    ascii_file = tmp_path / "ascii.STL"
    lines = [
        "facet normal 0 0 0\nouter loop\n"
        + "".join(f"vertex {x} {y} {z}\n" for x, y, z in face)
        + "endloop\nendfacet\n"
        for face in corners
    ]
    ascii_file.write_text("solid box\n" + "".join(lines) + "endsolid box\n")
    for path in (binary, ascii_file):
        mesh = load(path)
        assert len(mesh.vertices) == 8
        np.testing.assert_array_equal(mesh.vertices[mesh.faces], corners)
    binary.write_bytes(binary.read_bytes()[:-7])
    with pytest.raises(UserError, match=r"binary.stl: 677 bytes, but 684 for 12 triangles"):
        load_stl(binary)


def test_unreadable_files_are_named(tmp_path) -> None:
    with pytest.raises(UserError, match=r"nowhere.obj cannot be read: No such file"):
        load(tmp_path / "nowhere.obj")
    with pytest.raises(UserError, match=r"shape.dae is not a mesh"):
        load(tmp_path / "shape.dae")


@pytest.mark.parametrize(
    "make",
    [
        textures.wood,
        textures.fabric,
        textures.tiles,
        textures.checker,
        textures.noise,
    ],
)
def test_textures_come_from_their_seed(make) -> None:
    first, again, other = make(1, 64), make(1, 64), make(2, 64)
    assert first.shape == (64, 64, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.std() > 2
    with pytest.raises(UserError, match="power of two, not 100"):
        make(1, 100)
