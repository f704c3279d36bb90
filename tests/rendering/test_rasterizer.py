"""The rasteriser against a ray caster, against plane geometry, and against itself elsewhere."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.rendering import textures
from firsthand.rendering.meshes import Mesh, box, cylinder, plane, sphere
from firsthand.rendering.rasterizer import Camera, Instance, Light, Picture, Rasteriser

DARK = Light(resolution=0)  # no shadows


def camera_at(eye, target, size=16, fov=60, near=0.2, far=20, up=(0, 0, 1)) -> Camera:
    return Camera.look_at(eye, target, up, fov=fov, near=near, far=far, width=size, height=size)


def cast_rays(camera: Camera, instances, poses):
    """Depth and id of every pixel by intersecting its ray with every triangle (Moeller-Trumbore),
    and whether the answer is safe from rounding: no edge, no near or far plane, no second surface
    within a thousandth."""
    focal = camera.height / 2 / np.tan(np.radians(camera.fov) / 2)
    column, row = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    rays = np.stack(
        [
            (column - camera.width / 2) / focal,
            (camera.height / 2 - row) / focal,
            -np.ones_like(row),
        ],
        axis=-1,
    )
    depths, ids, safe = [], [], np.ones(row.shape, bool)
    for instance, pose in zip(instances, poses, strict=True):
        transform = camera.view @ pose
        points = instance.mesh.vertices @ transform[:3, :3].T + transform[:3, 3]
        for a, b, c in points[instance.mesh.faces]:
            side, other = b - a, c - a
            p = np.cross(rays, other)
            determinant = p @ side
            with np.errstate(all="ignore"):
                u = (p @ -a) / determinant
                q = np.cross(-a, side)
                v = (rays @ q) / determinant
                depth = (other @ q) / determinant
                margins = np.stack([u, v, 1 - u - v])
                hit = (determinant > 0) & (margins >= 0).all(0)
                inside = (depth >= camera.near) & (depth <= camera.far)
                edge = (np.abs(margins) < 1e-4).any(0) & (margins > -1e-4).all(0)
                plane_edge = (np.abs(depth - camera.near) < 1e-4) | (
                    np.abs(depth - camera.far) < 1e-3
                )
                thin = np.abs(determinant) < 1e-6
            safe &= ~(edge | (plane_edge & hit) | (thin & (determinant > 0)))
            depths.append(np.where(hit & inside, depth, np.inf))
            ids.append(instance.id)
    order = np.argsort(np.stack(depths), axis=0)
    ranked = np.take_along_axis(np.stack(depths), order, axis=0)
    if len(depths) > 1:
        with np.errstate(invalid="ignore"):
            safe &= ~(ranked[1] - ranked[0] < 1e-3)
    nearest = np.array(ids)[order[0]]
    return ranked[0], np.where(np.isfinite(ranked[0]), nearest, -1), safe


def agrees(picture: Picture, camera: Camera, instances, poses) -> None:
    depth, ids, safe = cast_rays(camera, instances, poses)
    assert safe.mean() > 0.3
    assert np.array_equal(picture.segmentation[safe], ids[safe])
    seen = safe & (ids >= 0)
    np.testing.assert_allclose(picture.depth[seen], depth[seen], rtol=2e-6)
    assert (picture.depth[picture.segmentation < 0] == np.float32(camera.far)).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_random_triangles_around_the_camera_match_a_ray_caster(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    instances = [
        Instance(Mesh(rng.uniform(-3, 3, (3, 3)).astype(np.float32), np.int32([[0, 1, 2]])), id=i)
        for i in range(count)
    ]
    camera = camera_at(
        rng.uniform(-1, 1, 3), rng.uniform(-3, 3, 3), fov=float(rng.uniform(10, 120))
    )
    poses = np.tile(np.eye(4), (count, 1, 1))
    picture = Rasteriser(instances, DARK).draw(camera, poses)
    agrees(picture, camera, instances, poses)


def test_moved_solids_match_a_ray_caster() -> None:
    instances = [
        Instance(box((0.6, 0.4, 0.5)), id=3),
        Instance(sphere(0.4), id=5),
        Instance(cylinder(0.2, 0.9), id=9),
        Instance(plane((6, 6)), id=0),
    ]
    poses = np.tile(np.eye(4), (4, 1, 1))
    turn = np.radians(30)
    poses[0, :2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    poses[:3, :3, 3] = (0.5, 0, 0.3), (-0.4, 0.2, 0.4), (0, -0.6, 0.45)
    camera = camera_at((1.5, -1.8, 1.6), (0, 0, 0.2), size=64)
    agrees(Rasteriser(instances).draw(camera, poses), camera, instances, poses)


@pytest.mark.parametrize("height", [0.05, 0.3, 1.0])
def test_a_floor_that_passes_under_the_camera_matches_a_ray_caster(height: float) -> None:
    floor = Instance(plane((8, 8)), id=1)
    camera = camera_at((0, 0, height), (1, 0.2, height - 0.1), size=48, near=0.01)
    poses = np.eye(4)[None]
    picture = Rasteriser([floor], DARK).draw(camera, poses)
    agrees(picture, camera, [floor], poses)
    assert picture.segmentation[-1].min() == 1
    assert picture.segmentation[0].max() == -1


def test_inside_a_box_nothing_is_seen_and_outside_it_is_closed() -> None:
    cube = Rasteriser([Instance(box((2, 2, 2)), id=1)], DARK)
    inside = cube.draw(camera_at((0, 0, 0), (1, 0, 0)), np.eye(4)[None])
    assert (inside.segmentation == -1).all()
    for eye in np.random.default_rng(0).normal(size=(20, 3)):
        eye *= 3 / np.linalg.norm(eye)
        picture = cube.draw(camera_at(eye, (0, 0, 0), size=128, fov=20), np.eye(4)[None])
        assert (picture.segmentation == 1).all()  # not one pixel falls between two triangles


def test_texture_coordinates_are_perspective_correct() -> None:
    """A ramp along x on a floor: a pixel's colour says where its ray met the floor."""
    size = 256
    ramp = np.zeros((size, size, 3), np.uint8)
    ramp[:, :, 0] = np.arange(size)[None, :]
    ramp[:, :, 1] = np.arange(size)[::-1, None]  # v runs up, rows run down
    corners = np.float32([[0, 0, 0], [4, 0, 0], [4, 4, 0], [0, 4, 0]])
    faces = np.int32([[0, 1, 2], [0, 2, 3]])
    floor = Mesh(corners, faces, (corners[faces][..., :2] / 4).astype(np.float32))
    light = Light(ambient=1, above=0, diffuse=0, resolution=0)
    camera = camera_at((-1.0, 1.0, 1.2), (2.2, 2.1, 0), size=96, fov=50)
    picture = Rasteriser([Instance(floor, texture=ramp)], light).draw(camera, np.eye(4)[None])
    focal = camera.height / 2 / np.tan(np.radians(camera.fov) / 2)
    column, row = np.meshgrid(np.arange(96) + 0.5, np.arange(96) + 0.5)
    rays = np.stack([(column - 48) / focal, (48 - row) / focal, -np.ones_like(row)], axis=-1)
    rays = rays @ camera.view[:3, :3]
    eye = -camera.view[:3, :3].T @ camera.view[:3, 3]
    with np.errstate(all="ignore"):
        met = eye + rays * (-eye[2] / rays[..., 2])[..., None]
    inner = (picture.segmentation == 0) & (np.abs(met[..., :2] - 2) < 1.8).all(-1)
    assert inner.sum() > 1000
    expected = np.round(met[..., :2] / 4 * size - 0.5)
    assert np.abs(picture.rgb[..., :2].astype(float) - expected)[inner].max() <= 2


def test_textures_wrap_and_coarser_levels_keep_the_mean() -> None:
    squares = textures.checker(0, 64, count=8)
    floor = Instance(plane((200, 200)).tiled(0.25), texture=squares)
    light = Light(ambient=1, above=0, diffuse=0, resolution=0)
    camera = camera_at((0, 0, 60), (0, 0, 0), up=(0, 1, 0), fov=30, far=100, size=32)
    picture = Rasteriser([floor], light).draw(camera, np.eye(4)[None])
    assert np.abs(picture.rgb - squares.mean((0, 1))).max() < 4


def test_coordinates_follow_opengl() -> None:
    """World x to the right, world y up, the nearer thing in front, row 0 at the top."""
    cubes = [Instance(box((0.5, 0.5, 0.5)), id=i) for i in range(3)]
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, :3, 3] = (1, 0, 0), (0, 1, 0), (0, 0, 1)
    camera = camera_at((0, 0, 5), (0, 0, 0), up=(0, 1, 0), size=33, fov=40)
    picture = Rasteriser(cubes).draw(camera, poses)
    assert picture.segmentation[16, 25] == 0
    assert picture.segmentation[6, 16] == 1
    assert picture.segmentation[16, 16] == 2
    assert picture.depth[16, 16] == pytest.approx(3.75, rel=1e-6)


def test_light_falls_from_above_and_boxes_cast_shadows() -> None:
    scene = [Instance(plane((2, 2)), id=0), Instance(box((0.3, 0.3, 0.02)), id=1)]
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[1, 2, 3] = 0.5
    straight = Light(
        direction=(0, 0, 1), ambient=0.4, above=0, diffuse=0.5, shaded=0, center=(0, 0, 0)
    )
    camera = camera_at((0, -1.5, 0.4), (0, 0, 0), size=65, fov=40)
    picture = Rasteriser(scene, straight).draw(camera, poses)
    assert picture.segmentation[32, 32] == 0
    assert (picture.rgb[32, 32] == 102).all()
    assert (picture.rgb[32, 2] >= 229).all()
    lifted = Rasteriser(scene, straight).draw(camera, poses, visible=np.array([True, False]))
    assert (lifted.rgb[32, 32] >= 229).all()


def test_colors_and_visibility_can_change_at_every_picture() -> None:
    drawn = Rasteriser([Instance(box((1, 1, 1)), (1, 0, 0), id=4)])
    camera = camera_at((0, -3, 0.5), (0, 0, 0))
    red = drawn.draw(camera, np.eye(4)[None]).rgb[8, 8]
    blue = drawn.draw(camera, np.eye(4)[None], colors=np.array([[0, 0, 1.0]])).rgb[8, 8]
    assert red[0] > 80
    assert np.array_equal(red[::-1], blue)
    hidden = drawn.draw(camera, np.eye(4)[None], visible=np.array([False]))
    assert (hidden.segmentation == -1).all()


def test_an_empty_world_is_background() -> None:
    picture = Rasteriser([], background=(1, 0, 0)).draw(
        camera_at((0, -1, 0), (0, 0, 0)), np.zeros((0, 4, 4))
    )
    assert (picture.rgb == [255, 0, 0]).all()


def sample_picture() -> bytes:
    """The bytes of a picture with textures, smooth shapes and shadows."""
    instances = [
        Instance(plane((3, 3)), texture=textures.tiles(1)),
        Instance(box((0.9, 0.4, 0.05)), texture=textures.wood(2), id=1),
        Instance(sphere(0.2), (0.2, 0.5, 0.9), id=2),
    ]
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[1:, 2, 3] = 0.4, 0.65
    picture = Rasteriser(instances).draw(camera_at((1, -1.5, 1.4), (0, 0, 0.3), size=80), poses)
    return picture.rgb.tobytes() + picture.depth.tobytes() + picture.segmentation.tobytes()


def test_two_processes_draw_the_same_bits() -> None:
    script = (
        "import hashlib; from tests.rendering.test_rasterizer import sample_picture;"
        "print(hashlib.sha256(sample_picture()).hexdigest())"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert elsewhere.stdout.strip() == hashlib.sha256(sample_picture()).hexdigest()


def test_a_renderer_that_was_used_before_draws_the_same_bits() -> None:
    scene = [Instance(plane((2, 2)), id=0), Instance(sphere(0.2), id=1)]
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[1, 2, 3] = 0.3
    camera = camera_at((1, -1.5, 1.4), (0, 0, 0.3), size=40)
    used = Rasteriser(scene)
    moved = poses.copy()
    moved[1, 0, 3] = 0.5
    used.draw(camera, moved)
    assert np.array_equal(used.draw(camera, poses).rgb, Rasteriser(scene).draw(camera, poses).rgb)


def test_bad_input_is_named() -> None:
    with pytest.raises(UserError, match="powers of two, not 3x4"):
        Rasteriser([Instance(box((1, 1, 1)), texture=np.zeros((4, 3, 3), np.uint8))])
    bare = Mesh(np.zeros((3, 3), np.float32), np.int32([[0, 1, 2]]))
    with pytest.raises(UserError, match="Mesh.tiled"):
        Rasteriser([Instance(bare, texture=np.zeros((4, 4, 3), np.uint8))])
    with pytest.raises(UserError, match="0 < near < far"):
        camera_at((0, -1, 0), (0, 0, 0), near=3, far=2)
