"""Every type of action does what it says, and what is no action is named."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.envs import actions
from firsthand.envs.playtable.env import PlayTable
from firsthand.envs.playtable.robot import LOWER, UPPER, wrap
from firsthand.envs.tasks.initial_states import initial_state

STATES = dict(
    zip(("robot_obs", "scene_obs"), initial_state("lift_red_block_table", 0, 0), strict=True)
)
LENGTHS = {
    "cartesian_rel": 7, "cartesian_rel_measured": 7, "cartesian_abs": 7, "cartesian_abs_quat": 8,
    "joint_abs": 8, "joint_rel": 8,
}  # fmt: skip


@pytest.fixture
def make():
    """Makes a world of an action type, already reset."""
    worlds = []

    def build(action_type):
        worlds.append(PlayTable(cameras={}, action_type=action_type))
        worlds[-1].reset(options=STATES)
        return worlds[-1]

    yield build
    for world in worlds:
        world.close()


def go(world, action, times):
    for _ in range(times):
        observation, *_ = world.step(action)
    return observation["robot_obs"]


def test_every_type_has_its_space(make):
    assert set(actions.ACTION_TYPES) == set(LENGTHS)
    for action_type, length in LENGTHS.items():
        world = make(action_type)
        assert world.action_space.shape == (length,)
        assert world.action_space.dtype == np.float64
        world.action_space.seed(0)
        for _ in range(20):
            sample = world.action_space.sample()
            read = actions.read(action_type, sample)
            np.testing.assert_allclose(read[:3], sample[:3])
            observation, *_ = world.step(sample)
            assert world.observation_space.contains(observation)


def test_absolute_actions_bring_the_tool_there(make):
    position, euler = np.array([0.10, -0.15, 0.60]), np.array([np.pi, 0.1, 1.3])
    world = make("cartesian_abs")
    there = go(world, [*position, *euler, 1], 60)
    np.testing.assert_allclose(there[:3], position, atol=4e-3)
    np.testing.assert_allclose(wrap(there[3:6] - euler), 0, atol=0.02)
    from firsthand.rendering.bullet import pybullet

    quaternion = pybullet.getQuaternionFromEuler(euler)
    same = go(make("cartesian_abs_quat"), [*position, *(3 * q for q in quaternion), 1], 60)
    np.testing.assert_allclose(same[:6], there[:6], atol=1e-6)


def test_joint_actions_turn_the_joints(make):
    start = STATES["robot_obs"][7:14]
    target = start + [0.2, -0.1, 0.1, 0.15, -0.2, 0.1, 0.3]
    there = go(make("joint_abs"), [*target, -1], 60)
    np.testing.assert_allclose(there[7:14], target, atol=2e-3)
    assert there[14] == -1
    assert there[6] < 0.01
    turning = go(make("joint_rel"), [0, 0, 0, 0, 0, 0, 0.1, 1], 10)
    assert 0.1 < turning[13] - start[6] <= 1.0
    np.testing.assert_allclose(turning[7:13], start[:6], atol=0.01)


def test_relative_actions_add_to_the_target_or_to_the_measured_pose(make):
    """The arm lags its target: adding to where it is moves it less far."""
    forward = [1, 0, 0, 0, 0, 0, 1]
    target = go(make("cartesian_rel"), forward, 10)
    measured = go(make("cartesian_rel_measured"), forward, 10)
    start = STATES["robot_obs"][0]
    assert 0.03 < measured[0] - start < 0.8 * (target[0] - start)


@pytest.mark.parametrize("first", ["cartesian_abs", "joint_abs"])
def test_relative_actions_go_on_from_where_others_ended(make, first):
    """CALVIN's own simulator jumps back to the target it had before."""
    world = make("cartesian_rel")
    start = STATES["robot_obs"]
    other = {
        "cartesian_abs": np.array([0.10, -0.15, 0.62, 3.1, 0, 1.5, 1]),
        "joint_abs": np.append(start[7:14] + [0.3, 0, 0, 0, 0, 0, 0], 1),
    }[first]
    world.action_type = first
    there = go(world, other, 60)
    assert np.linalg.norm(there[:3] - start[:3]) > 0.08
    world.action_type = "cartesian_rel"
    again = go(world, [0, 0, 0, 0, 0, 0, 1], 30)
    np.testing.assert_allclose(again[:3], there[:3], atol=3e-3)


def test_what_is_out_of_range_is_clipped():
    np.testing.assert_array_equal(
        actions.read("cartesian_rel", [2, -3, 0.5, 1e300, -1e300, 0, 0.1]),
        [1, -1, 0.5, 1, -1, 0, 1],
    )
    joints = actions.read("joint_abs", [*[1e9] * 3, *[-1e9] * 4, -0.0])
    np.testing.assert_array_equal(joints, [*UPPER[:3], *LOWER[3:], -1])
    pose = actions.read("cartesian_abs", [9, -9, -9, 0, 0, np.pi + 0.5, 1])
    np.testing.assert_allclose(pose[:3], [0.86, -1.66, 0])
    assert pose[5] == pytest.approx(0.5 - np.pi)
    huge = actions.read("cartesian_abs_quat", [0, 0, 0.5, 0, 0, 1e308, 1e308, 1])
    np.testing.assert_allclose(huge[3:7], [0, 0, 2**-0.5, 2**-0.5])


@pytest.mark.parametrize("action_type", LENGTHS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_finite_numbers_always_land_in_the_space(action_type, data):
    number = st.floats(allow_nan=False, allow_infinity=False)
    numbers = data.draw(
        st.lists(number, min_size=LENGTHS[action_type], max_size=LENGTHS[action_type])
    )
    if action_type == "cartesian_abs_quat" and np.abs(numbers[3:7]).max() < 1e-6:
        numbers[6] = 1.0
    read = actions.read(action_type, numbers)
    assert actions.space(action_type).contains(read)
    assert abs(read[-1]) == 1


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.zeros(6), r"\(7,\), not \(6,\)"),
        (np.zeros((7, 1)), r"\(7, 1\)"),
        (np.float64(0), r"\(\)"),
        ([0, 0, 0, 0, 0, 0, np.nan], "finite"),
        ([0, 0, 0, 0, 0, 0, -np.inf], "finite"),
        ([10**400, 0, 0, 0, 0, 0, 0], "object values"),
        ("forward", "numbers"),
        (["1"] * 7, "numbers"),
        ([True] * 7, "bool"),
        (np.zeros(7, complex), "complex"),
        ([[1], 2, 3, 4, 5, 6, 7], "numbers"),
        (([0, 0, 0], [0, 0, 0], 1), "numbers"),
        ({"type": "joint_abs", "action": [0] * 8}, "numbers"),
        (None, "numbers"),
    ],
)
def test_what_is_no_action_is_named(action, message):
    with pytest.raises(UserError, match=message):
        actions.read("cartesian_rel", action)


def test_a_quaternion_of_no_length_is_named():
    with pytest.raises(UserError, match="quaternion"):
        actions.read("cartesian_abs_quat", [0, 0, 0.5, 0, 0, 0, 0, 1])


def test_a_type_that_does_not_exist_is_named():
    with pytest.raises(UserError, match="cartesian_rel"):
        PlayTable(action_type="telepathy")


def test_integers_and_single_precision_are_actions_too():
    expected = np.array([1.0, 0, -1, 0, 0, 0, 1])
    for dtype in (np.int8, np.int64, np.uint8, np.float16, np.float32, np.longdouble):
        given_action = np.array([1, 0, 0 if dtype is np.uint8 else -1, 0, 0, 0, 1], dtype)
        wanted = expected * [1, 1, 0 if dtype is np.uint8 else 1, 1, 1, 1, 1]
        np.testing.assert_array_equal(actions.read("cartesian_rel", given_action), wanted)
