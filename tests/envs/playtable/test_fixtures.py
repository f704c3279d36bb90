"""The PlayTable's doors, button, switch and lamps, and how tasks follow each other."""

import numpy as np

from firsthand.envs.playtable.env import PlayTable
from firsthand.envs.tasks.tasks import STEADY_STEPS
from tests.helpers.tables import STILL, restore


def test_joint_ranges_are_calvins(world):
    from firsthand.rendering.bullet import pybullet

    restore(world)
    ranges = {}
    for joint in range(4):
        info = pybullet.getJointInfo(world.scene.table, joint, physicsClientId=world._client)
        ranges[info[1].decode()] = info[8:10]
    assert ranges == {
        "base__button": (0, 0.02), "base__switch": (0, 0.088),
        "base__slide": (0, 0.28), "base__drawer": (0, 0.22),
    }  # fmt: skip


def test_everything_stays_where_it_is_put(world):
    before = restore(world, scene={0: 0.1, 1: 0.15, 3: 0.05, 4: 1})[0]["scene_obs"]
    for _ in range(60):
        observation, *_ = world.step(STILL)
    np.testing.assert_allclose(observation["scene_obs"], before, atol=2e-3)


def test_the_button_toggles_the_led_once_a_press(world):
    restore(world, scene={5: 0})
    states = []
    for position in (0.0, 0.02, 0.02, 0.0, 0.02, 0.0):
        _press(world, "base__button", position)
        states.append(world.scene.lights["led"])
    assert states == [False, True, True, True, False, False]


def test_the_bulb_burns_while_the_switch_is_up(world):
    restore(world)
    states = []
    for position in (0.02, 0.05, 0.088, 0.04, 0.0):
        _press(world, "base__switch", position)
        states.append(world.scene.lights["lightbulb"])
    assert states == [False, True, True, False, False]


def _press(world, joint, position):
    from firsthand.rendering.bullet import pybullet

    index = world.scene._joints[joint]
    pybullet.resetJointState(world.scene.table, index, position, 0, physicsClientId=world._client)
    world.scene.update_lights()


def test_lamps_show_in_the_picture():
    env = PlayTable(cameras={"rgb_static": 100})
    pictures = [
        restore(env, scene={3: 0.088 * lit, 4: lit, 5: lit})[0]["rgb_obs"]["rgb_static"].astype(int)
        for lit in (0, 1)
    ]
    dark, bright = pictures
    yellow, green = bright - dark, dark - bright
    assert (yellow[..., 2] < -80).sum() > 10  # white turned yellow or green
    assert (green[..., 0] > 80).sum() > 3  # white turned green
    env.close()


def test_success_ends_the_episode_and_the_sentence_travels_along(world):
    _, info = restore(world, scene={5: 0}, task="turn_on_led", instruction="light it")
    assert info["instruction"] == "light it"
    *_, terminated, _, info = world.step(STILL)
    assert not terminated
    assert not info["is_success"]
    _press(world, "base__button", 0.02)
    for _ in range(STEADY_STEPS):
        assert not terminated
        _, reward, terminated, truncated, info = world.step(STILL)
    assert terminated
    assert reward == 1.0
    assert not truncated
    assert info["is_success"]
    assert info["instruction"] == "light it"


def test_a_new_task_begins_where_the_last_one_ended(world):
    restore(world, scene={5: 0})
    _press(world, "base__button", 0.02)
    start = world.set_task("turn_off_led", "and out")
    assert start["scene_info"]["lights"]["led"]["logical_state"] == 1
    assert start["instruction"] == "and out"
    assert not world.step(STILL)[2]
