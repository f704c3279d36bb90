"""A camera that stands still draws, from what it remembers, the very bits it would draw anew."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firsthand.envs.playtable.env import PlayTable
from firsthand.rendering import textures
from firsthand.rendering.camera import Camera
from firsthand.rendering.light import Light
from firsthand.rendering.meshes import box, cylinder, plane, sphere
from firsthand.rendering.rasterizer import FIXED_CAMERAS, Instance, Rasteriser

EYES = ((1.0, -1.5, 1.4), (-1.2, -0.8, 0.9))


def instances():
    """Solids of which two share a face to the bit, so that depths tie."""
    return [
        Instance(plane((3, 3)), texture=textures.tiles(1, 32)),
        Instance(box((0.6, 0.4, 0.2)), texture=textures.wood(2, 32), id=1),
        Instance(box((0.6, 0.4, 0.2)), (0.9, 0.2, 0.1), id=2),
        Instance(sphere(0.2, 10, 6), (0.2, 0.5, 0.9), id=3),
        Instance(cylinder(0.1, 0.5, 8), (0.3, 0.9, 0.2), id=4),
        Instance(box((0.1, 0.1, 0.1)), (1, 1, 1), id=5),
    ]


def fixed_camera(eye, size):
    return Camera.look_at(
        eye, (0, 0, 0.3), (0, 0, 1), fov=50, near=0.05, far=9, width=size, height=size, fixed=True
    )


def same(one, other):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("rgb", "depth", "segmentation")
    )


@pytest.mark.parametrize("resolution", [0, 40])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_remembered_pictures_equal_new_ones(resolution, seed):
    """Through many moments in which some things move, come, go, return or change colour."""
    rng = np.random.default_rng(seed)
    scene, light = instances(), Light(resolution=resolution, center=(0, 0, 0.3), radius=1.2)
    remembering, fresh = Rasteriser(scene, light), Rasteriser(scene, light)
    fixed = [fixed_camera(eye, size) for eye, size in zip(EYES, (40, 24), strict=True)]
    moving = [replace(camera, fixed=False) for camera in fixed]
    poses = np.tile(np.eye(4), (len(scene), 1, 1))
    poses[1:, 2, 3] = 0.1 + 0.2 * np.arange(len(scene) - 1)
    poses[2] = poses[1]
    home = poses.copy()
    colors = np.array([instance.color for instance in scene], float)
    visible = np.ones(len(scene), bool)
    for _ in range(12):
        some = rng.integers(len(scene), size=rng.integers(0, 3))
        event = rng.integers(5)
        if event == 0:
            poses[some, :3, 3] += rng.normal(size=(len(some), 3)) * 0.1
        elif event == 1:
            poses[some] = home[some]
        elif event == 2:
            colors[some] = rng.random((len(some), 3))
        elif event == 3:
            visible[some] = ~visible[some]
        which = rng.integers(2)
        ours = remembering.draw(fixed[which], poses, colors, visible)
        assert same(ours, fresh.draw(moving[which], poses, colors, visible))
        ours.rgb.fill(7)  # what is given away is a copy


def test_of_faces_at_one_depth_the_first_is_seen_whoever_moves():
    scene = [Instance(box((1, 1, 1)), id=i) for i in range(3)]
    camera = fixed_camera((0, -3, 0.3), 16)
    rasteriser = Rasteriser(scene)
    poses = np.tile(np.eye(4), (3, 1, 1))
    away = poses.copy()
    away[0, 2, 3] = 50
    for now, first in ((poses, 0), (away, 1), (poses, 0), (away, 1)):
        seen = rasteriser.draw(camera, now).segmentation
        assert set(np.unique(seen)) == {-1, first}


def test_no_more_than_a_few_cameras_are_remembered():
    rasteriser = Rasteriser(instances())
    poses = np.tile(np.eye(4), (6, 1, 1))
    for size in range(8, 8 + 3 * FIXED_CAMERAS):
        rasteriser.draw(fixed_camera(EYES[0], size), poses)
    assert len(rasteriser._fixed) == FIXED_CAMERAS


def test_a_world_shows_what_a_world_without_a_past_shows():
    """After every action the remembering static camera against one that sees it all anew."""
    world = PlayTable("B", cameras={"rgb_static": 64, "rgb_gripper": 24}, depth=True)
    from firsthand.envs.playtable.cameras import static_camera

    anew = replace(static_camera(64), fixed=False)
    rng = np.random.default_rng(0)
    for seed in range(2):
        world.reset(seed=seed)
        action = np.zeros(7)
        for _ in range(15):
            action = 0.8 * action + 0.4 * rng.normal(size=7) - np.array([0, 0, 0.1, 0, 0, 0, 0])
            observation, *_ = world.step(action)
            fresh = world._view._renderer.render(anew)
            np.testing.assert_array_equal(observation["rgb_obs"]["rgb_static"], fresh.rgb)
            np.testing.assert_array_equal(observation["depth_obs"]["depth_static"], fresh.depth)
    world.close()
