import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.tasks import BLOCKS, TASKS, block_slice, feasible, on_table
from envs.trials import CLEARANCE, HOME, SHELF, TABLE, generator, initial_state, sample_scene

tasks = st.sampled_from(sorted(TASKS))
indices = st.integers(0, 100_000)
seeds = st.integers(0, 2**40)


@settings(max_examples=300, deadline=None)
@given(tasks, indices, seeds, st.sampled_from(["evaluation", "recording"]))
def test_layouts_are_pure_feasible_and_sound(task, index, seed, stream):
    robot_obs, scene_obs = initial_state(task, index, seed, stream)
    again = initial_state(task, index, seed, stream)
    assert np.array_equal(robot_obs, again[0])
    assert np.array_equal(scene_obs, again[1])
    assert robot_obs.shape == (15,)
    assert np.abs(robot_obs - HOME).max() < 0.1
    assert feasible(task, scene_obs)
    check_scene(scene_obs)


@settings(max_examples=200, deadline=None)
@given(seeds)
def test_random_scenes_are_sound(seed):
    check_scene(sample_scene(np.random.default_rng(seed)))


def check_scene(scene_obs):
    slide, drawer, button, switch, bulb, led = scene_obs[:6]
    assert 0 <= slide <= 0.28
    assert 0 <= drawer <= 0.22
    assert button == 0
    assert {bulb, led} <= {0.0, 1.0}
    assert switch == 0.088 * bulb
    areas = [TABLE, *SHELF]
    where = []
    for block in BLOCKS:
        x, y, z, roll, pitch, yaw = scene_obs[block_slice(block)]
        inside = [
            i for i, (xs, ys) in enumerate(areas) if xs[0] <= x <= xs[1] and ys[0] <= y <= ys[1]
        ]
        assert len(inside) == 1
        where += inside
        assert (z, roll, pitch) == (0.46, 0, 0)
        assert abs(yaw - np.pi / 2) <= np.pi / 8
        assert on_table(scene_obs, block) == (inside == [0])
    assert 1 <= where.count(0) <= 2
    assert max(where.count(1), where.count(2)) <= 1
    corners = [outline(scene_obs[block_slice(block)]) for block in BLOCKS]
    for i in range(3):
        for j in range(i):
            assert not overlap(corners[i], corners[j])
            gap = scene_obs[block_slice(BLOCKS[i])][:2] - scene_obs[block_slice(BLOCKS[j])][:2]
            assert np.linalg.norm(gap) > CLEARANCE


def outline(pose):
    """Corners of the largest block (8 by 4 cm) lying at a pose."""
    c, s = np.cos(pose[5]), np.sin(pose[5])
    signs = np.array([(1, 1), (1, -1), (-1, -1), (-1, 1)])
    return pose[:2] + signs * (0.04, 0.02) @ np.array([[c, s], [-s, c]])


def overlap(first, second):
    """Separating axes of two rectangles (Gottschalk 1996)."""
    for corners in (first, second):
        for axis in (corners[1] - corners[0], corners[2] - corners[1]):
            a, b = first @ axis, second @ axis
            if a.max() < b.min() or b.max() < a.min():
                return False
    return True


@pytest.mark.parametrize("task", ["open_drawer", "push_red_block_left", "lift_pink_block_table"])
def test_layouts_differ_between_indices_seeds_tasks_and_streams(task):
    layouts = [
        initial_state(task, index, seed, stream)[1].tobytes()
        for index in range(20)
        for seed in range(3)
        for stream in ("evaluation", "recording")
    ]
    layouts += [initial_state("close_drawer", index, 0)[1].tobytes() for index in range(20)]
    assert len(set(layouts)) == len(layouts)


def test_a_pushed_block_has_a_free_way():
    for index in range(100):
        _, scene_obs = initial_state("push_blue_block_left", index, 3)
        x = scene_obs[block_slice("block_blue")][0]
        for other in ("block_red", "block_pink"):
            other_x = scene_obs[block_slice(other)][0]
            assert not on_table(scene_obs, other) or not x - 0.23 < other_x < x + 0.17


def test_streams_are_the_same_on_every_machine():
    assert generator(1, "recording", "open_drawer", 2).integers(0, 10**9) == 721422108


def test_unknown_task():
    with pytest.raises(KeyError):
        initial_state("fly", 0, 0)
