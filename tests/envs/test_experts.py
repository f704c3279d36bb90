"""The scripted experts: they solve their tasks through the public actions."""

import numpy as np
import pytest

from envs.experts import Expert, ExpertPolicy
from envs.experts_waypoints import PLANS
from envs.playtable import PlayTable
from envs.tasks import TASKS
from envs.trials import initial_state
from episodes.errors import UserError

CONTROL_STEPS = 360


def solve(env, task, index, noise=0.0):
    """Control steps an expert needs, or None if it fails; every action checked on the way."""
    states = dict(zip(("robot_obs", "scene_obs"), initial_state(task, index, 11), strict=True))
    _, info = env.reset(options={**states, "task": task})
    expert = Expert(task, rng=np.random.default_rng(index), noise=noise)
    for step in range(CONTROL_STEPS // env.action_repeat):
        clean, executed = expert.act(info, env.action_repeat)
        for action in (clean, executed):
            assert env.action_space.contains(action)
        *_, success, _, info = env.step(executed)
        if success:
            return (step + 1) * env.action_repeat
    return None


@pytest.fixture(scope="module")
def worlds():
    envs = {repeat: PlayTable(cameras={}, action_repeat=repeat) for repeat in (1, 3)}
    yield envs
    for env in envs.values():
        env.close()


def test_there_is_an_expert_for_every_task():
    assert set(PLANS) == set(TASKS)
    with pytest.raises(UserError, match="sing"):
        Expert("sing", rng=np.random.default_rng(0))


@pytest.mark.parametrize("task", PLANS)
def test_experts_solve_their_task_at_both_rates(worlds, task):
    for repeat, env in worlds.items():
        steps = solve(env, task, repeat)
        assert steps is not None
        assert steps < 120


def test_noise_changes_what_is_executed_but_not_what_is_taught(worlds):
    env = worlds[3]
    _, info = env.reset(seed=0)
    noisy = Expert("open_drawer", rng=np.random.default_rng(0), noise=0.5)
    calm = Expert("open_drawer", rng=np.random.default_rng(0))
    disturbed = 0
    for _ in range(40):
        clean, executed = noisy.act(info, 3)
        np.testing.assert_array_equal(clean, calm.act(info, 3)[0])
        assert clean[6] == executed[6]
        disturbed += not np.array_equal(clean, executed)
    assert 5 < disturbed < 40


def test_an_expert_recovers_when_the_block_is_moved_away(worlds):
    env = worlds[3]
    states = dict(
        zip(("robot_obs", "scene_obs"), initial_state("lift_red_block_table", 0, 0), strict=True)
    )
    _, info = env.reset(options={**states, "task": "lift_red_block_table"})
    expert = Expert("lift_red_block_table", rng=np.random.default_rng(0))
    moved = False
    for _ in range(CONTROL_STEPS // 3):
        if not moved and info["robot_info"]["tcp_pos"][2] < 0.50:
            _move_block(env, (0.05, -0.1, 0.46))
            moved = True
        *_, success, _, info = env.step(expert.act(info, 3)[1])
        if success:
            break
    assert moved
    assert success


def _move_block(env, position):
    from envs.bullet import pybullet

    pybullet.resetBasePositionAndOrientation(
        env.scene.blocks["block_red"], position, (0, 0, 0.7071, 0.7071), physicsClientId=env._client
    )


def test_expert_policy_acts_like_the_expert(worlds):
    env = worlds[3]
    observation, info = env.reset(seed=3)
    policy = ExpertPolicy(seed=0)
    policy.reset("open the drawer")
    action = policy.select_action({**observation, "info": info, "task": "open_drawer"})
    expected = Expert("open_drawer", rng=np.random.default_rng(0)).act(info, 3)[1]
    np.testing.assert_array_equal(action, expected)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, 0.4])
@pytest.mark.parametrize("task", PLANS)
def test_experts_succeed_from_fifty_starts(worlds, task, noise):
    solved = sum(solve(worlds[3], task, index, noise) is not None for index in range(50))
    assert solved >= (48 if noise == 0 else 45)
