"""Hostile input to reset and step: a clear error that changes nothing, or a clipped action.

A twin receives only what the world under fire accepted, in plain form. After every input both must
be in the same state, bit for bit, and go on alike.
"""

import time
from collections import Counter
from datetime import datetime
from fractions import Fraction

import gymnasium
import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.envs import actions
from firsthand.envs.playtable.env import PlayTable
from firsthand.envs.tasks.initial_states import initial_state

CLEAR = (UserError, gymnasium.error.Error)
SECONDS = 2.0  # of the processor, that any one call may take
EDGES = (
    np.nan, np.inf, -np.inf, 1e308, -1e308, 1e30, -1e30, 1e-310, 0.0, -0.0, 5.0, -5.0,
    float(np.finfo(np.float32).max), 2.0**63, np.pi, 1 + 1e-12,
)  # fmt: skip


class Stubborn:
    """Claims to be an array, and then will not."""

    def __array__(self, *_, **__):
        raise ValueError("no")


class Endless:
    """A sequence whose length is a lie."""

    def __len__(self):
        return 7

    def __getitem__(self, index):
        raise IndexError(index)


def not_numbers(rng, size):
    """Something that is no vector of `size` numbers."""
    good = rng.uniform(-1, 1, size)
    others = [
        None, "forward", b"\x00" * size, {}, {"a": 1}, set(), object(), Stubborn(), Endless(),
        print, ["1"] * size, [None] * size, [object()] * size, good.astype(complex), good > 0,
        good.astype("datetime64[s]"), np.array([Fraction(1, 3)] * size), [datetime.now()] * size,
        [10**400] * size, np.zeros(size, [("x", float)]), good.astype(str), [[1, 2], [3]],
        (good[:3], good[3:6], 1), {"type": "joint_abs", "action": good}, iter(good), 0.5,
        10**400, float("nan"),
    ]  # fmt: skip
    return others[rng.integers(len(others))]


def wrong_shape(rng, size):
    shapes = [
        (), (0,), (1,), (size - 1,), (size + 1,), (1, size), (size, 1), (size, size), (0, size),
        (1, 1, size), (100_000,),
    ]  # fmt: skip
    return np.zeros(shapes[rng.integers(len(shapes))])


def corrupted(rng, values):
    """A good vector with a few entries replaced, in some precision."""
    values = np.array(values, np.longdouble if rng.random() < 0.1 else np.float64)
    for index in rng.integers(len(values), size=rng.integers(1, 4)):
        values[index] = EDGES[rng.integers(len(EDGES))] if rng.random() < 0.7 else rng.normal() * 3
    if rng.random() < 0.1:
        values = values * np.longdouble("1e4000")
    with np.errstate(all="ignore"):
        return values.astype(np.float16) if rng.random() < 0.1 else values


def hostile_vector(rng, values):
    kind = rng.random()
    if kind < 0.2:
        return not_numbers(rng, len(values))
    return wrong_shape(rng, len(values)) if kind < 0.35 else corrupted(rng, values)


def anywhere(rng, world):
    """A state whose every number is possible but which nothing ever was in: blocks inside each
    other and the desk, the arm anywhere."""
    robot_obs, scene_obs = rng.uniform(-1, 1, 15), rng.uniform(-1, 1, 24)
    robot_obs[6] = rng.uniform(0, 0.08)
    robot_obs[7:14] = rng.uniform(world.action_space.low[:7], world.action_space.high[:7]) * 2
    robot_obs[10], robot_obs[14] = rng.uniform(-3, -0.1), rng.choice([-1, 1])
    scene_obs[:4] = rng.uniform(0, 1, 4) * [0.24, 0.22, 0.02, 0.088]
    scene_obs[4:6] = scene_obs[3] > 0.044, rng.integers(2)
    scene_obs[6:] = (rng.uniform(-1, 1, (3, 6)) * [0.4, 0.2, 0.3, 3, 3, 3]).reshape(-1)
    scene_obs[8::6] = np.abs(scene_obs[8::6]) + 0.02 * rng.integers(0, 23)
    return {"robot_obs": robot_obs, "scene_obs": scene_obs}


def hostile_options(rng, world, states):
    kind = rng.random()
    if kind < 0.1:
        others = [[], 3, "D", {"robot": 1}, {3: 4}, {None: None}, [("robot_obs", 1)], {"task": 5}]
        others += [{"task": "x" * 1000}, {"task": ["open_drawer"]}, {"instruction": b"open"}]
        return others[rng.integers(len(others))]
    if kind < 0.2:
        return anywhere(rng, world)
    options = dict(states)
    for name in ("robot_obs", "scene_obs"):
        if rng.random() < 0.6:
            options[name] = hostile_vector(rng, states[name])
    if rng.random() < 0.1:
        options["instruction"] = not_numbers(rng, 3)
    return options


def hostile_seed(rng):
    seeds = [None] * 8 + [-1, -(2**70), 0, 2**200]
    return seeds[rng.integers(len(seeds))]


def state(world):
    """Every number there is, without moving anything."""
    return np.concatenate([world.robot.proprioception(), world.scene.scene_state()]).tobytes()


def timed(call, *arguments, **options):
    start = time.process_time()
    try:
        return call(*arguments, **options)
    finally:
        assert time.process_time() - start < SECONDS


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_hostile_input_is_refused_or_clipped(count):
    rng = np.random.default_rng(count)
    world, twin = PlayTable(cameras={}), PlayTable(cameras={})
    states = dict(zip(("robot_obs", "scene_obs"), initial_state("open_drawer", 0, 0), strict=True))
    for env in (world, twin):
        env.reset(options=states)
    outcomes, lengths = Counter(), []
    for _ in range(count):
        before = state(world)
        stepping = rng.random() < 0.6
        try:
            if stepping:
                action = hostile_vector(rng, rng.uniform(-1, 1, 7))
                observation, reward, *_ = timed(world.step, action)
            else:
                options, seed = hostile_options(rng, world, states), hostile_seed(rng)
                observation, _ = timed(world.reset, seed=seed, options=options)
        except CLEAR as error:
            lengths.append(len(str(error)))
            assert state(world) == before
            outcomes["step refused" if stepping else "reset refused"] += 1
        else:
            assert world.observation_space.contains(observation), observation
            if stepping:
                assert reward == 0.0
                twin.step(np.clip(np.asarray(action).astype(np.float64), -1, 1))
            else:
                given = {name: options[name] for name in states if options[name] is not None}
                drawn = {name: observation[name] for name in states if name not in given}
                plain = {name: np.asarray(value, float) for name, value in given.items()}
                twin.reset(options=plain | drawn)
            outcomes["step clipped" if stepping else "reset accepted"] += 1
        still = rng.uniform(-1, 1, 7)
        for env in (world, twin):
            observation, *_ = timed(env.step, still)
            assert env.observation_space.contains(observation), observation
        assert state(world) == state(twin)
    print(dict(outcomes))
    assert min(lengths) > 5
    assert max(lengths) < 5000
    assert min(outcomes.values()) > 0.02 * count
    assert len(outcomes) == 4
    for env in (world, twin):
        env.close()


@pytest.mark.parametrize("action_type", actions.ACTION_TYPES)
def test_every_type_of_action_withstands_it(action_type):
    rng = np.random.default_rng(0)
    world = PlayTable("C", cameras={}, action_type=action_type)
    world.reset(seed=0)
    for _ in range(60):
        before = state(world)
        action = hostile_vector(rng, rng.uniform(-3, 3, world.action_space.shape[0]))
        try:
            for _ in range(3):
                observation, *_ = timed(world.step, action)
        except UserError:
            assert state(world) == before
        else:
            assert world.observation_space.contains(observation), observation
    world.close()
