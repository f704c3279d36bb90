"""Random looks: other pictures of the same world."""

import colorsys
from dataclasses import replace

import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.envs.config import PlayTableWorld
from firsthand.envs.playtable.cameras import gripper_camera, static_camera
from firsthand.envs.playtable.env import PlayTable
from firsthand.envs.playtable.looks import Look
from firsthand.envs.recording.record import RecordConfig, record
from firsthand.envs.recording.replay import replay
from firsthand.envs.tasks.initial_states import initial_state
from firsthand.episodes.storage.merge import EpisodeFile

CAMERAS = {"rgb_static": 48, "rgb_gripper": 32}
ACTIONS = np.random.default_rng(0).uniform(-1, 1, (4, 7))


@pytest.fixture(scope="module")
def dressed():
    env = PlayTable(cameras=CAMERAS, action_repeat=3, looks="random")
    yield env
    env.close()


def start(index):
    robot_obs, scene_obs = initial_state("turn_on_led", index, 0)
    return {"robot_obs": robot_obs, "scene_obs": scene_obs, "task": "turn_on_led"}


def follow(env, options):
    """All observations on a way through the world."""
    observations = [env.reset(options=options)[0]]
    return observations + [env.step(action)[0] for action in ACTIONS]


def test_the_same_happens_in_other_pictures(dressed):
    plain = PlayTable(cameras=CAMERAS, action_repeat=3)
    for one, other in zip(follow(plain, start(0)), follow(dressed, start(0)), strict=True):
        for name in ("robot_obs", "scene_obs"):
            assert np.array_equal(one[name], other[name])
        for camera in CAMERAS:
            difference = one["rgb_obs"][camera].astype(int) - other["rgb_obs"][camera]
            assert np.abs(difference).mean() > 15
    plain.close()


def test_a_look_is_a_function_of_the_start(dressed):
    first, other, again = (follow(dressed, start(index)) for index in (1, 2, 1))
    for camera in CAMERAS:
        pictures = [[o["rgb_obs"][camera] for o in way] for way in (first, other, again)]
        assert np.array_equal(pictures[0], pictures[2])
        assert np.abs(np.subtract(pictures[0], pictures[1], dtype=int)).mean() > 15


@pytest.mark.parametrize("name", ["red", "blue", "pink"])
def test_a_block_keeps_the_colour_by_which_it_is_called(name):
    own = {"red": (1.0, 0.0, 0.0), "blue": (0.0, 0.0, 1.0), "pink": (1.0, 0.0, 1.0)}
    hues = {other: colorsys.rgb_to_hsv(*colour)[0] for other, colour in own.items()}
    colours = [Look(seed).color("block", own[name]) for seed in range(200)]
    assert len(set(colours)) == 200
    for colour in colours:
        hue, saturation, value = colorsys.rgb_to_hsv(*colour)
        away = {other: abs((hue - h + 0.5) % 1 - 0.5) for other, h in hues.items()}
        assert min(away, key=away.__getitem__) == name
        assert saturation > 0.7
        assert value > 0.6


def test_the_desk_stays_in_the_picture():
    """The corners of the table's top and the bulb, for 200 cameras; no two of them are the same."""
    points = np.array([
        (-0.35, -0.15, 0.44), (0.38, -0.15, 0.44), (-0.35, 0.1, 0.46), (0.3, 0.1, 0.46),
        (0.3, 0.08, 0.66), (0.0, -0.05, 0.44),
    ])  # fmt: skip
    own, views = static_camera(96), set()
    for seed in range(200):
        camera = Look(seed).static(own)
        column, row, depth = camera.to_pixels @ np.column_stack([points, np.ones(6)]).T
        seen = np.array([column, row]) / depth
        assert seen.min() > 0
        assert seen.max() < 95
        assert np.abs(seen[:, -1] - (45.7, 44.8)).max() < 6
        assert 0.98 < camera.fov / own.fov < 1.11
        views.add(camera.view.tobytes())
    assert len(views) == 200


def test_the_camera_in_the_hand_stays_there():
    own = gripper_camera(64, (0.1, 0.2, 0.5), (0.0, 0.0, 0.0, 1.0))
    for seed in range(50):
        moved = Look(seed).gripper(own)
        apart = moved.view @ np.linalg.inv(own.view)
        assert np.linalg.norm(apart[:3, 3]) < 0.0071
        assert np.allclose(apart[:3, :3] @ apart[:3, :3].T, np.eye(3))
        assert np.arccos(np.clip((np.trace(apart[:3, :3]) - 1) / 2, -1, 1)) < 0.0701


def test_recordings_in_random_looks_are_replayed(tmp_path):
    config = RecordConfig(
        env=PlayTableWorld(looks="random"), tasks=("turn_on_led",), episodes=2,
        cameras={"rgb_static": 24}, workers=0,
    )  # fmt: skip
    plain = replace(config, env=PlayTableWorld())
    files = [record(config, tmp_path / "random.hdf5"), record(plain, tmp_path / "plain.hdf5")]
    with EpisodeFile(files[0]) as dressed, EpisodeFile(files[1]) as bare:
        assert dressed.env_args["env_kwargs"]["looks"] == "random"
        for one, other in zip(dressed.names(), bare.names(), strict=True):
            one, other = dressed.read(one), bare.read(other)
            assert one.source["looks"] == "random"
            assert "looks" not in other.source
            assert np.array_equal(one.executed, other.executed)
            assert np.array_equal(one.state, other.state)
            assert not np.array_equal(one.frames["rgb_static"], other.frames["rgb_static"])
    again = replay(files[0], 0)
    assert again.success
    assert again.drift == 0


def test_looks_that_cannot_be_drawn_are_refused():
    with pytest.raises(UserError, match="looks=random is drawn by renderer=raster"):
        PlayTableWorld(renderer="tiny", looks="random")
    with pytest.raises(UserError, match="looks=random is drawn by renderer=raster"):
        PlayTable(renderer="tiny", looks="random")
    with pytest.raises(UserError, match="looks must be scene or random, not 'odd'"):
        PlayTable(looks="odd")
