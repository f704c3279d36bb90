import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firsthand.envs.playtable.kinematics import euler, forward, inverse, rotation
from firsthand.envs.playtable.layouts import LAYOUTS
from firsthand.envs.tasks.feasibility import (
    feasible,
    in_drawer,
    in_shelf,
    in_the_open,
    on_table,
    push_range,
)
from firsthand.envs.tasks.initial_states import (
    CLEARANCE,
    HOME,
    generator,
    initial_state,
    sample_robot,
    sample_scene,
)
from firsthand.envs.tasks.tasks import BLOCKS, BULB, DRAWER, LED, SLIDE, TASKS, block_slice

tasks = st.sampled_from(sorted(TASKS))
scenes = st.sampled_from("ABCD")
indices = st.integers(0, 100_000)
seeds = st.integers(0, 2**40)


@settings(max_examples=100, deadline=None)
@given(tasks, indices, seeds, st.sampled_from(["evaluation", "recording"]), scenes)
def test_layouts_are_pure_feasible_and_sound(task, index, seed, stream, scene):
    robot_obs, scene_obs = initial_state(task, index, seed, stream, scene)
    again = initial_state(task, index, seed, stream, scene)
    assert np.array_equal(robot_obs, again[0])
    assert np.array_equal(scene_obs, again[1])
    check_robot(robot_obs)
    held = held_block(robot_obs, scene_obs)
    assert (held is not None) == task.startswith(("place", "stack"))
    assert feasible(task, scene_obs, LAYOUTS[scene], held)
    check_scene(scene_obs, LAYOUTS[scene], held)


@settings(max_examples=60, deadline=None)
@given(seeds, scenes)
def test_random_scenes_are_sound(seed, scene):
    rng = np.random.default_rng(seed)
    check_scene(sample_scene(rng, LAYOUTS[scene]), LAYOUTS[scene], None)
    check_robot(sample_robot(rng))


def held_block(robot_obs, scene_obs):
    gaps = {
        block: np.linalg.norm(scene_obs[block_slice(block)][:3] - robot_obs[:3]) for block in BLOCKS
    }
    return next((block for block, gap in gaps.items() if gap < 1e-9), None)


def check_robot(robot_obs):
    position, matrix = forward(robot_obs[7:14])
    np.testing.assert_allclose(position, robot_obs[:3], atol=1e-9)
    np.testing.assert_allclose(rotation(robot_obs[3:6]), matrix, atol=1e-9)
    assert -0.3 < position[0] < 0.32
    assert -0.35 < position[1] < -0.05
    assert 0.5 < position[2] < 0.7
    assert 0 <= robot_obs[6] <= 0.08
    assert robot_obs[14] in (-1, 1)


def check_scene(scene_obs, layout, held):
    slide, drawer, button, switch, bulb, led = scene_obs[:6]
    assert 0 <= slide <= layout.door_travel
    assert 0 <= drawer <= 0.22
    assert button == 0
    assert {bulb, led} <= {0.0, 1.0}
    assert switch == 0.088 * bulb
    level = []
    for block in BLOCKS:
        x, y, z, roll, pitch, yaw = scene_obs[block_slice(block)]
        if block == held:
            assert z > 0.53
            continue
        assert (roll, pitch) == (0, 0)
        assert abs(yaw - np.pi / 2) <= np.pi / 8 + 0.3
        stacked = abs(z - 0.50) < 1e-9
        places = [
            on_table(scene_obs, block),
            in_shelf(scene_obs, block, layout),
            in_drawer(scene_obs, block),
            stacked,
        ]
        assert sum(places) == 1
        if not stacked:
            level.append((x, y))
    for i, first in enumerate(level):
        for second in level[:i]:
            assert np.hypot(*np.subtract(first, second)) > CLEARANCE


@pytest.mark.parametrize("task", ["open_drawer", "push_red_block_left", "stack_block"])
def test_layouts_differ_between_indices_seeds_tasks_scenes_and_streams(task):
    layouts = [
        initial_state(task, index, seed, stream, scene)[1].tobytes()
        for index in range(20)
        for seed in range(3)
        for stream in ("evaluation", "recording")
        for scene in "AD"
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


def test_the_arm_starts_at_home_or_elsewhere():
    starts = [sample_robot(np.random.default_rng(i)) for i in range(200)]
    away = [np.abs(start[7:14] - HOME[7:14]).max() > 0.06 for start in starts]
    assert 60 < sum(away) < 140


def test_streams_are_the_same_on_every_machine():
    assert generator(1, "recording", "open_drawer", 2).integers(0, 10**9) == 721422108


def test_unknown_task_and_scene():
    with pytest.raises(KeyError):
        initial_state("fly", 0, 0)
    with pytest.raises(KeyError):
        initial_state("open_drawer", 0, 0, scene="E")


def test_inverse_kinematics_is_the_inverse():
    for position in [(0.0, -0.2, 0.55), (0.25, -0.1, 0.5), (-0.2, -0.1, 0.6)]:
        angles = np.array([np.pi, -0.2, 1.8])
        joints = inverse(np.array(position), angles)
        assert joints is not None
        reached, matrix = forward(joints)
        np.testing.assert_allclose(reached, position, atol=1e-3)
        np.testing.assert_allclose(matrix, rotation(angles), atol=2e-3)
        np.testing.assert_allclose(rotation(euler(matrix)), matrix, atol=1e-9)
    assert inverse(np.array([1.0, 0.5, 0.5]), np.array([np.pi, 0, 1.6])) is None


LAYOUT = LAYOUTS["D"]


def layout(**values):
    scene_obs = np.zeros(24)
    for i, block in enumerate(BLOCKS):
        scene_obs[block_slice(block)][:3] = 0.05 + 0.1 * i, -0.1, 0.46
    for name, value in values.items():
        if name.startswith("block"):
            scene_obs[block_slice(name)][:3] = value
        else:
            scene_obs[{"slide": SLIDE, "drawer": DRAWER, "bulb": BULB, "led": LED}[name]] = value
    return scene_obs


def test_feasible_doors_and_lights():
    closed, opened = layout(), layout(slide=0.28, drawer=0.22, bulb=1, led=1)
    forth = ["move_slider_left", "open_drawer", "turn_on_lightbulb", "turn_on_led"]
    back = ["move_slider_right", "close_drawer", "turn_off_lightbulb", "turn_off_led"]
    assert [feasible(task, closed, LAYOUT) for task in forth + back] == [True] * 4 + [False] * 4
    assert [feasible(task, opened, LAYOUT) for task in forth + back] == [False] * 4 + [True] * 4
    half = layout(slide=0.14, drawer=0.11)
    assert not any(feasible(task, half, LAYOUT) for task in forth[:2] + back[:2])
    assert not feasible("open_drawer", closed, LAYOUT, held="block_red")


def test_feasible_blocks_on_the_table():
    low, high = push_range(LAYOUT)
    assert low == pytest.approx(-0.045)
    assert high == pytest.approx(0.40)
    assert feasible("push_red_block_right", layout(), LAYOUT)
    left = layout(block_red=(low + 0.101, -0.1, 0.46))
    assert feasible("push_red_block_left", left, LAYOUT)
    assert not feasible("push_red_block_left", layout(), LAYOUT)
    assert not feasible("push_red_block_right", layout(block_red=(0.34, -0.1, 0.46)), LAYOUT)
    for elsewhere in [(0.1, 0.08, 0.46), (0.1, -0.3, 0.36), (0.1, -0.1, 0.55)]:
        scene_obs = layout(block_blue=elsewhere)
        for task in ("lift_blue_block_table", "push_blue_block_right", "rotate_blue_block_left"):
            assert not feasible(task, scene_obs, LAYOUT)
        assert feasible("lift_red_block_table", scene_obs, LAYOUT)


def test_feasible_blocks_in_shelf_and_drawer():
    shelved = layout(block_red=(-0.24, 0.09, 0.46), slide=0.0)
    assert in_the_open(shelved, "block_red", LAYOUT)
    assert feasible("lift_red_block_slider", shelved, LAYOUT)
    hidden = layout(block_red=(-0.24, 0.09, 0.46), slide=0.28)
    assert not feasible("lift_red_block_slider", hidden, LAYOUT)
    drawn = layout(block_red=(0.2, -0.28, 0.338), drawer=0.2)
    assert feasible("lift_red_block_drawer", drawn, LAYOUT)
    shut = layout(block_red=(0.2, -0.08, 0.338), drawer=0.0)
    assert not feasible("lift_red_block_drawer", shut, LAYOUT)


def test_feasible_tasks_with_a_held_block():
    opened = layout(drawer=0.22)
    for task in ("place_in_slider", "place_in_drawer", "stack_block"):
        assert feasible(task, opened, LAYOUT, held="block_red")
        assert not feasible(task, opened, LAYOUT)
    assert not feasible("place_in_drawer", layout(), LAYOUT, held="block_red")
    elsewhere = layout(block_blue=(0.07, 0.09, 0.46), block_pink=(-0.24, 0.09, 0.46))
    assert not feasible("stack_block", elsewhere, LAYOUT, held="block_red")


def test_feasible_stack_and_push_into():
    assert feasible("push_into_drawer", layout(drawer=0.2), LAYOUT)
    assert not feasible("push_into_drawer", layout(drawer=0.1), LAYOUT)
    assert not feasible("unstack_block", layout(), LAYOUT)
    assert feasible("unstack_block", layout(block_red=(0.15, -0.1, 0.5)), LAYOUT)
    assert not feasible("unstack_block", layout(block_red=(0.10, -0.1, 0.5)), LAYOUT)
