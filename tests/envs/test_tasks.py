import copy

import numpy as np
import pytest

from envs.tasks import BLOCKS, DRAWER, SLIDE, TASKS, block_slice, feasible

ROBOT, TABLE = 0, 5
LINKS = {"base_link": -1, "plank_link": 6, "drawer_link": 3, "slide_link": 2}


def contact(body, link):
    return (0, 99, body, -1, link, (0, 0, 0), (0, 0, 0), (0, 0, 1), 0.0, 1.0)


def world():
    """A hand-written state: doors closed, lights off, blocks at rest on the table."""
    return {
        "robot_info": {"uid": ROBOT, "contacts": ()},
        "scene_info": {
            "fixed_objects": {"table": {"uid": TABLE, "links": dict(LINKS), "contacts": ()}},
            "movable_objects": {
                block: {
                    "current_pos": (0.1 * i, -0.1, 0.46),
                    "uid": 2 + i,
                    "contacts": (contact(TABLE, -1),),
                }
                for i, block in enumerate(BLOCKS)
            },
            "doors": {
                "base__slide": {"current_state": 0.0},
                "base__drawer": {"current_state": 0.0},
            },
            "lights": {"lightbulb": {"logical_state": 0}, "led": {"logical_state": 0}},
        },
    }


def changed(start, **doors_and_lights):
    now = copy.deepcopy(start)
    for name, value in doors_and_lights.items():
        scene = now["scene_info"]
        if name in scene["lights"]:
            scene["lights"][name]["logical_state"] = value
        else:
            scene["doors"][f"base__{name}"]["current_state"] = value
    return now


def moved(start, block, by, contacts):
    now = copy.deepcopy(start)
    state = now["scene_info"]["movable_objects"][block]
    state["current_pos"] = tuple(np.add(state["current_pos"], by))
    state["contacts"] = tuple(contacts)
    return now


def solved(start, now):
    return {name for name, task in TASKS.items() if task.succeeded(start, now)}


def test_names_and_order_are_calvins():
    assert len(TASKS) == 17
    assert list(TASKS)[:2] == ["push_red_block_right", "push_red_block_left"]
    assert list(TASKS)[-4:] == [
        "turn_on_lightbulb",
        "turn_off_lightbulb",
        "turn_on_led",
        "turn_off_led",
    ]
    assert all(name == task.name for name, task in TASKS.items())
    assert {task.category for task in TASKS.values()} == {
        "push",
        "slider",
        "drawer",
        "lift_table",
        "light",
    }


def test_nothing_happened_solves_nothing():
    assert solved(world(), world()) == set()


@pytest.mark.parametrize(
    ("before", "after", "task"),
    [
        ({"slide": 0.0}, {"slide": 0.151}, "move_slider_left"),
        ({"slide": 0.28}, {"slide": 0.129}, "move_slider_right"),
        ({"drawer": 0.05}, {"drawer": 0.171}, "open_drawer"),
        ({"drawer": 0.22}, {"drawer": 0.099}, "close_drawer"),
        ({"led": 0}, {"led": 1}, "turn_on_led"),
        ({"led": 1}, {"led": 0}, "turn_off_led"),
        ({"lightbulb": 0}, {"lightbulb": 1}, "turn_on_lightbulb"),
        ({"lightbulb": 1}, {"lightbulb": 0}, "turn_off_lightbulb"),
    ],
)
def test_doors_and_lights(before, after, task):
    start = changed(world(), **before)
    assert solved(start, changed(start, **after)) == {task}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"slide": 0.0}, {"slide": 0.1499}),
        ({"slide": 0.28}, {"slide": 0.1301}),
        ({"drawer": 0.0}, {"drawer": 0.1199}),
        ({"drawer": 0.22}, {"drawer": 0.1001}),
        ({"led": 1}, {"led": 1}),
    ],
)
def test_doors_and_lights_just_not(before, after):
    start = changed(world(), **before)
    assert solved(start, changed(start, **after)) == set()


def test_lift_needs_height_support_before_and_only_the_robot_now():
    start, held = world(), (contact(ROBOT, 10), contact(ROBOT, 12))
    assert solved(start, moved(start, "block_blue", (0, 0, 0.051), held)) == {
        "lift_blue_block_table"
    }
    for by, contacts in [
        ((0, 0, 0.0499), held),
        ((0, 0, 0.08), ()),  # thrown, not held
        ((0, 0, 0.08), (*held, contact(TABLE, 2))),
        ((0, 0, 0.08), (*held, contact(2, -1))),
    ]:
        assert solved(start, moved(start, "block_blue", by, contacts)) == set()
    in_shelf = moved(start, "block_blue", (0, 0, 0), (contact(TABLE, 6),))
    assert solved(in_shelf, moved(in_shelf, "block_blue", (0, 0, 0.08), held)) == set()


@pytest.mark.parametrize(("sign", "side"), [(1, "right"), (-1, "left")])
def test_push_needs_distance_and_the_same_support(sign, side):
    start, touching = world(), (contact(TABLE, -1), contact(ROBOT, 10))
    name = f"push_pink_block_{side}"
    far, near = (0.101 * sign, 0.3, 0), (0.0999 * sign, 0, 0)
    assert solved(start, moved(start, "block_pink", far, touching)) == {name}
    assert solved(start, moved(start, "block_pink", far, touching[:1])) == {name}
    assert solved(start, moved(start, "block_pink", near, touching)) == set()
    assert solved(start, moved(start, "block_pink", far, touching[1:])) == set()
    in_drawer = (contact(TABLE, 3),)
    assert solved(start, moved(start, "block_pink", far, in_drawer)) == set()
    floating = moved(start, "block_pink", (0, 0, 0), ())
    assert solved(floating, moved(floating, "block_pink", far, touching)) == set()
    leaning = (*touching, contact(2, -1))  # more support than before is fine, less is not
    assert solved(start, moved(start, "block_pink", far, leaning)) == {name}
    leant = moved(start, "block_pink", (0, 0, 0), leaning)
    assert solved(leant, moved(leant, "block_pink", far, touching)) == set()


def layout(**values):
    scene_obs = np.zeros(24)
    for i, block in enumerate(BLOCKS):
        scene_obs[block_slice(block)][:3] = 0.05 + 0.1 * i, -0.1, 0.46
    for name, value in values.items():
        if name.startswith("block"):
            scene_obs[block_slice(name)][:3] = value
        else:
            scene_obs[{"slide": SLIDE, "drawer": DRAWER, "bulb": 4, "led": 5}[name]] = value
    return scene_obs


def test_feasible_doors_and_lights():
    closed, opened = layout(), layout(slide=0.28, drawer=0.22, bulb=1, led=1)
    forth = ["move_slider_left", "open_drawer", "turn_on_lightbulb", "turn_on_led"]
    back = ["move_slider_right", "close_drawer", "turn_off_lightbulb", "turn_off_led"]
    assert [feasible(task, closed) for task in forth + back] == [True] * 4 + [False] * 4
    assert [feasible(task, opened) for task in forth + back] == [False] * 4 + [True] * 4
    half = layout(slide=0.14, drawer=0.11)
    assert not any(feasible(task, half) for task in forth[:2] + back[:2])


def test_feasible_blocks():
    assert feasible("push_red_block_right", layout())
    assert feasible("push_red_block_left", layout())
    assert not feasible("push_red_block_left", layout(block_red=(-0.02, -0.1, 0.46)))
    assert not feasible("push_red_block_right", layout(block_red=(0.34, -0.1, 0.46)))
    for elsewhere in [(0.1, 0.08, 0.46), (0.1, -0.3, 0.36), (0.1, -0.1, 0.55)]:
        scene_obs = layout(block_blue=elsewhere)
        assert not feasible("lift_blue_block_table", scene_obs)
        assert not feasible("push_blue_block_right", scene_obs)
        assert feasible("lift_red_block_table", scene_obs)
