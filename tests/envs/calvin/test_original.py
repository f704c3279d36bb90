"""The adapter and the original simulator, side by side in a checkout of calvin_env.

Skipped unless the environment variable FIRSTHAND_CALVIN_ROOT names one (docs/calvin.md).
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firsthand.envs.config import CalvinWorld
from firsthand.envs.evaluation.evaluate import EvaluationConfig, evaluate_chains
from firsthand.envs.experts.expert import ExpertPolicy
from firsthand.envs.options import CAMERAS_CALVIN
from firsthand.envs.playtable.env import PlayTable
from firsthand.envs.playtable.layouts import LAYOUTS
from firsthand.envs.tasks.initial_states import HOME, generator, sample_scene
from firsthand.envs.tasks.tasks import block_slice
from firsthand.rendering.bullet import pybullet

RED, MAGENTA, YELLOW = np.array([1, -1, -1]), np.array([0.5, -1, 0.5]), np.array([0.5, 0.5, -1])
SMALL = {"rgb_static": 60, "rgb_gripper": 40}


@pytest.fixture(scope="module")
def root() -> Path:
    if not (name := os.environ.get("FIRSTHAND_CALVIN_ROOT")):
        pytest.skip("needs FIRSTHAND_CALVIN_ROOT, a checkout of calvin_env")
    return Path(name)


Make = Callable[..., Any]


@pytest.fixture
def make(root: Path) -> Iterator[Make]:
    """Makes the adapter; closes the one before, since a process can hold only one."""
    worlds: list[Any] = []

    def make(scene: str = "D", renderer: str = "tiny", light: bool = False, **choices: Any) -> Any:
        for world in worlds:
            world.close()
        worlds.append(CalvinWorld(root, scene, renderer, light).make(**{"cameras": {}, **choices}))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


def _start(scene: str = "D", gripper: float = 1.0) -> dict[str, Any]:
    robot_obs = HOME.copy()
    robot_obs[14] = gripper
    return {
        "robot_obs": robot_obs,
        "scene_obs": sample_scene(generator(3, "scene", scene, 0), LAYOUTS[scene]),
    }


def _roll(env: Any, steps: int = 20) -> np.ndarray:
    """States along a fixed row of random actions, (steps, 39)."""
    rng = np.random.default_rng(0)
    states = []
    for _ in range(steps):
        observation = env.step(rng.uniform(-1, 1, 7))[0]
        states.append(np.concatenate([observation["robot_obs"], observation["scene_obs"]]))
    return np.array(states)


def test_observations_are_in_their_space(make: Make) -> None:
    env = make(cameras=SMALL, depth=True)
    observation, _ = env.reset(seed=0)
    assert observation in env.observation_space
    depth = observation["depth_obs"]["depth_static"]
    assert 3.0 < depth.min() < depth.max() < 7.0


@pytest.mark.parametrize("gripper", [1.0, -1.0])
def test_reset_restores_a_state(make: Make, gripper: float) -> None:
    start = _start(gripper=gripper)
    observation, _ = make().reset(options=start)
    np.testing.assert_allclose(observation["robot_obs"][6:14], start["robot_obs"][6:14], atol=1e-4)
    np.testing.assert_allclose(observation["scene_obs"][:9], start["scene_obs"][:9], atol=5e-3)
    assert observation["robot_obs"][14] == gripper


def test_same_reset_and_actions_give_the_same_bits(make: Make) -> None:
    env, rolls = make(), []
    for _ in range(3):
        env.reset(options=_start())
        rolls.append(_roll(env))
    np.testing.assert_array_equal(rolls[0], rolls[1])
    np.testing.assert_array_equal(rolls[0], rolls[2])


def test_a_light_arm_moves_bit_for_bit_as_the_full_one(make: Make) -> None:
    rolls = []
    for light in (False, True):
        env = make(light=light)
        env.reset(options=_start())
        rolls.append(_roll(env))
    np.testing.assert_array_equal(rolls[0], rolls[1])


@pytest.mark.parametrize("scene", ["A", "B", "C", "D"])
def test_blocks_lie_where_they_were_put_and_are_as_large_as_ours(make: Make, scene: str) -> None:
    start, theirs = _start(scene), make(scene)
    ours = PlayTable(scene, cameras={})
    sizes = []
    for env, client in ((ours, ours._client), (theirs, theirs._client)):
        _, info = env.reset(options=start)
        for name, block in info["scene_info"]["movable_objects"].items():
            put = start["scene_obs"][block_slice(name)][:3]
            np.testing.assert_allclose(block["current_pos"], put, atol=5e-3)
            low, high = pybullet.getAABB(block["uid"], physicsClientId=client)
            sizes.append(np.subtract(high, low))
    ours.close()
    np.testing.assert_allclose(sizes[:3], sizes[3:], atol=5e-3)


def test_info_has_the_shape_of_playtables(make: Make) -> None:
    theirs, ours = make(), PlayTable(cameras={})
    assert _shape(ours.reset(seed=0)[1]) == _shape(theirs.reset(seed=0)[1])
    ours.close()


def _shape(value: Any, key: str = "") -> Any:
    """Nested names and kinds. What touches what differs; the original counts links otherwise."""
    if key in ("contacts", "links"):
        return key
    if isinstance(value, dict):
        return {name: _shape(item, name) for name, item in value.items()}
    return value.shape if isinstance(value, np.ndarray) else type(value)


def test_tiny_pictures_are_the_originals_own(make: Make) -> None:
    env = make(cameras=CAMERAS_CALVIN)
    observation, _ = env.reset(options=_start())
    for name, camera in env._view.cameras.items():
        np.testing.assert_array_equal(observation["rgb_obs"][name], camera.render()[0])
    assert observation["rgb_obs"]["rgb_static"].shape == (200, 200, 3)
    assert observation["rgb_obs"]["rgb_gripper"].shape == (84, 84, 3)


def test_our_rasteriser_sees_what_the_original_sees(make: Make) -> None:
    start, pictures = _start(), []
    start["scene_obs"][[3, 4]] = 0.088, 1  # a yellow bulb
    for renderer in ("tiny", "raster"):
        env = make(renderer=renderer, cameras=CAMERAS_CALVIN)
        env.reset(options=_start())
        pictures.append(env.reset(options=start)[0]["rgb_obs"])
    for camera, tiny in pictures[0].items():
        raster = pictures[1][camera]
        assert np.abs(tiny.astype(float) - raster).mean() < 30
        for colour in (RED, MAGENTA, YELLOW):
            seen = [(picture @ colour > 80).sum() for picture in (tiny, raster)]
            assert abs(seen[0] - seen[1]) < 20 + 0.2 * max(seen)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_experts_follow_the_first_200_chains(root: Path, tmp_path: Path) -> None:
    config = EvaluationConfig(env=CalvinWorld(root), chains=200, cameras={}, policy="expert")
    results = evaluate_chains(ExpertPolicy, config, tmp_path)
    print(results.markdown())
    assert results.average_length.value >= 4.6
