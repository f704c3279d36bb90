"""The adapter to the original simulator, against a made-up checkout: what it reads, does, refuses.

`test_calvin_original.py` runs the real one where a checkout is named.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.envs.calvin import simulator as calvin_simulator
from firsthand.envs.calvin.checkout import Checkout
from firsthand.envs.calvin.env import CalvinEnv
from firsthand.envs.calvin.simulator import simulator_class
from firsthand.envs.config import CalvinWorld
from firsthand.envs.tasks.initial_states import HOME, generator, sample_scene
from firsthand.envs.tasks.tasks import BLOCKS
from firsthand.rendering.bullet import pybullet
from tests.helpers.calvin_files import commit


@pytest.fixture
def world(root: Path, no_physics: None) -> Iterator[CalvinEnv]:
    """The adapter around the made-up simulator."""
    env = CalvinEnv(root, "A", cameras={}, light_robot=True)
    yield env
    env.close()


# --- the simulator -------------------------------------------------------------------------------


def test_missing_packages_are_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calvin_simulator, "_PACKAGES", {"no_such_module": "some-package"})
    with pytest.raises(UserError, match="pip install some-package"):
        simulator_class(Checkout(root))


def test_another_checkout_in_one_process(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calvin_simulator, "_PACKAGES", {})
    simulator_class(Checkout(root))
    other = root.with_name("other")
    root.rename(other)
    with pytest.raises(UserError, match="in another process"):
        simulator_class(Checkout(other))


def test_gym_is_not_left_behind(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calvin_simulator, "_PACKAGES", {})
    had_gym = "gym" in sys.modules
    simulator_class(Checkout(root))
    assert ("gym" in sys.modules) == had_gym


# --- the world -----------------------------------------------------------------------------------


def test_reset_loads_anew_and_restores_gripper_and_blocks(world: CalvinEnv) -> None:
    simulator = world._simulator
    robot_obs = np.append(HOME[:14], -1)
    scene_obs = sample_scene(generator(0, "scene", "A", 0), world.layout)
    for _ in range(2):
        observation, info = world.reset(options={"robot_obs": robot_obs, "scene_obs": scene_obs})
        assert simulator.calls == ["load", "reset"]
        simulator.calls.clear()
    assert info["robot_info"]["gripper_action"] == -1
    assert list(info["scene_info"]["movable_objects"]) == list(BLOCKS)
    np.testing.assert_array_equal(simulator.state[1][18:], scene_obs[6:12])
    np.testing.assert_array_equal(observation["scene_obs"], scene_obs)


def test_actions_are_clipped_and_sent_once_a_control_step(world: CalvinEnv) -> None:
    world.action_repeat = 2
    world.reset(seed=0)
    world._simulator.calls.clear()
    _, _, _, _, info = world.step(np.array([5, -5, 0.5, 0, 0, 0, 0.2]))
    sent = [1, -1, 0.5, 0, 0, 0, 1]
    assert world._simulator.calls == [sent, "logic", sent, "logic"]
    assert info["control_steps"] == 2


def test_one_world_a_process(world: CalvinEnv, root: Path) -> None:
    with pytest.raises(UserError, match="process of its own"):
        CalvinEnv(root, "A", cameras={})
    world.close()
    world.close()
    again = CalvinEnv(root, "A", cameras={"rgb_static": 50})
    assert again._simulator.sizes == {"static": 50, "gripper": 84}
    again.close()
    assert again._simulator.calls[-1] == "disconnect"


@pytest.mark.usefixtures("no_physics")
def test_world_number_0_must_be_free(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pybullet, "isConnected", lambda client: client == 0)
    with pytest.raises(UserError, match="another PyBullet world"):
        CalvinEnv(root, "A")


def test_light_arm_lies_outside_the_checkout(world: CalvinEnv, root: Path) -> None:
    file = Path(world._simulator.file)
    assert file.is_file()
    assert not file.is_relative_to(root)
    world.close()
    assert not file.exists()


@pytest.mark.usefixtures("no_physics")
def test_full_arm_comes_from_the_checkout(root: Path) -> None:
    env = CalvinWorld(root, scene="A").make({})
    assert env._simulator.file == "panda/long.urdf"
    assert env._simulator.base == [1, 2, 3]
    env.close()


def test_description_names_the_revision_and_no_folder(root: Path) -> None:
    commit(root)
    described = CalvinWorld(root, scene="A", light_robot=True).describe()
    assert described["revision"] == Checkout(root).revision
    assert described["scene"] == "A"
    assert str(root) not in str(described)
