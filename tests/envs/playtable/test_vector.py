"""Several PlayTables beside each other, in one process and in many, act as each would alone."""

import os
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from firsthand.envs.playtable.env import PlayTable
from firsthand.envs.tasks.tasks import TASKS

CAMERAS = {"rgb_static": 24, "rgb_gripper": 16}
STEPS = 12


def alone(scene, seed, actions):
    """Every observation of one world on its own."""
    env = PlayTable(scene, cameras=CAMERAS, depth=True)
    seen = [env.reset(seed=seed)[0]]
    seen += [env.step(action)[0] for action in actions]
    env.close()
    return seen


def flat(observation, index: Any = ...):
    """All arrays of an observation by name; of one world of several where an index is given."""
    return {
        f"{name}/{camera}": value[index]
        for name, part in observation.items()
        for camera, value in (part.items() if isinstance(part, dict) else [("", part)])
    }


@pytest.mark.parametrize("context", [None, "spawn", "fork"])
def test_a_vector_of_worlds_does_what_each_does_alone(context):
    """In this process, and in others where one world is open here already."""
    here = PlayTable(cameras={})
    here.reset(seed=0)
    worlds = gymnasium.make_vec(
        "firsthand/PlayTable-v0", num_envs=2, vectorization_mode="async" if context else "sync",
        vector_kwargs={"context": context} if context else {}, cameras=CAMERAS, depth=True,
    )  # fmt: skip
    actions = np.random.default_rng(0).uniform(-1, 1, (STEPS, 2, 7))
    seen = [worlds.reset(seed=[3, 4])[0]]
    for action in actions:
        observation, reward, terminated, truncated, info = worlds.step(action)
        seen.append(observation)
    worlds.close()
    here.reset(seed=0)
    here.close()
    assert not np.any([reward, terminated, truncated])
    assert list(info["instruction"]) == ["", ""]
    for index, seed in enumerate((3, 4)):
        for together, single in zip(seen, alone("D", seed, actions[:, index]), strict=True):
            expected, got = flat(single), flat(together, index)
            assert expected.keys() == got.keys()
            for name, value in expected.items():
                np.testing.assert_array_equal(got[name], value, err_msg=name)


def test_a_forked_copy_of_a_world_ends_nothing():
    world = PlayTable(cameras={})
    world.reset(seed=0)
    child = os.fork()
    if child == 0:
        world.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert world._folder.is_dir()
    world.reset(seed=0)
    world.close()
    assert not world._folder.exists()


def test_worlds_of_different_scenes_take_turns_in_one_process():
    actions = np.random.default_rng(1).uniform(-1, 1, (STEPS, 7))
    expected = {scene: alone(scene, 5, actions) for scene in "ABCD"}
    worlds = {scene: PlayTable(scene, cameras=CAMERAS, depth=True) for scene in "ABCD"}
    seen = {scene: [world.reset(seed=5)[0]] for scene, world in worlds.items()}
    for action in actions:
        for scene, world in worlds.items():
            seen[scene].append(world.step(action)[0])
    for scene, world in worlds.items():
        for mine, its in zip(seen[scene], expected[scene], strict=True):
            for name, value in flat(its).items():
                np.testing.assert_array_equal(flat(mine)[name], value, err_msg=f"{scene} {name}")
        world.close()
    worlds["A"].close()


@pytest.mark.parametrize("mode", list(AutoresetMode)[:2])
def test_a_vectors_task_survives_the_end_of_an_episode(mode):
    """Of reset's options, and of the constructor."""
    for arguments, options in (
        ({"task": "open_drawer"}, None),
        ({}, {"task": "open_drawer", "instruction": "pull"}),
    ):
        worlds = gymnasium.make_vec(
            "firsthand/PlayTable-v0", 2, "sync", cameras={}, max_episode_steps=2,
            vector_kwargs={"autoreset_mode": mode}, **arguments,
        )  # fmt: skip
        worlds.reset(seed=0, options=options)
        for _ in range(7):
            *_, info = worlds.step(worlds.action_space.sample() * 0)
            for env in worlds.envs:  # pyright: ignore[reportAttributeAccessIssue]
                assert env.unwrapped._judge._task is TASKS["open_drawer"]
        assert list(info["instruction"]) == [(options or {}).get("instruction", "")] * 2
        worlds.close()
