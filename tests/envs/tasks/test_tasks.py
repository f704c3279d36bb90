"""CALVIN's conditions, each on both sides of its limits, and the guard against flicker."""

import copy
import math

import numpy as np
import pytest

from firsthand.envs.tasks.conditions import rotation_between
from firsthand.envs.tasks.contacts import held_block
from firsthand.envs.tasks.tasks import BLOCKS, STEADY_STEPS, TASKS, SuccessDetector

ROBOT, TABLE = 0, 5
LINKS = {"base_link": -1, "plank_link": 6, "drawer_link": 3, "slide_link": 2}
UIDS = {block: 2 + i for i, block in enumerate(BLOCKS)}


def contact(body, link=-1):
    return (0, 99, body, -1, link, (0, 0, 0), (0, 0, 0), (0, 0, 1), 0.0, 1.0)


ON_TABLE, ON_SHELF, IN_DRAWER = contact(TABLE, -1), contact(TABLE, 6), contact(TABLE, 3)
HELD = (contact(ROBOT, 10), contact(ROBOT, 12))


def world():
    """A hand-written state: doors closed, lights off, blocks at rest on the table."""
    return {
        "robot_info": {"uid": ROBOT, "contacts": ()},
        "scene_info": {
            "fixed_objects": {"table": {"uid": TABLE, "links": dict(LINKS), "contacts": ()}},
            "movable_objects": {
                block: {
                    "current_pos": (0.1 * i, -0.1, 0.46),
                    "current_orn": (0.0, 0.0, 0.0, 1.0),
                    "current_lin_vel": (0.0, 0.0, 0.0),
                    "current_ang_vel": (0.0, 0.0, 0.0),
                    "uid": UIDS[block],
                    "contacts": (ON_TABLE,),
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
    assert len(TASKS) == 34
    names = list(TASKS)
    assert names[:2] == ["rotate_red_block_right", "rotate_red_block_left"]
    assert names[6] == "push_red_block_right"
    assert names[12:16] == ["move_slider_left", "move_slider_right", "open_drawer", "close_drawer"]
    assert names[16:20] == [
        "lift_red_block_table",
        "lift_red_block_slider",
        "lift_red_block_drawer",
        "lift_blue_block_table",
    ]
    assert names[25:] == [
        "place_in_slider",
        "place_in_drawer",
        "stack_block",
        "unstack_block",
        "turn_on_lightbulb",
        "turn_off_lightbulb",
        "turn_on_led",
        "turn_off_led",
        "push_into_drawer",
    ]
    assert all(name == task.name for name, task in TASKS.items())
    assert len({task.category for task in TASKS.values()}) == 11


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
    on_door = moved(start, "block_blue", (0, 0, 0), (contact(TABLE, 2),))
    assert solved(on_door, moved(on_door, "block_blue", (0, 0, 0.08), held)) == set()


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
    assert solved(start, moved(start, "block_pink", far, in_drawer)) == {"push_into_drawer"}
    floating = moved(start, "block_pink", (0, 0, 0), ())
    assert solved(floating, moved(floating, "block_pink", far, touching)) == set()
    leaning = (*touching, contact(2, -1))  # more support than before is fine, less is not
    assert solved(start, moved(start, "block_pink", far, leaning)) == {name}
    leant = moved(start, "block_pink", (0, 0, 0), leaning)
    assert solved(leant, moved(leant, "block_pink", far, touching)) == set()


def turned(start, block, degrees, by=(0, 0, 0), contacts=(ON_TABLE, *HELD), axis=(0, 0, 1)):
    now = moved(start, block, by, contacts)
    half = math.radians(degrees) / 2
    now["scene_info"]["movable_objects"][block]["current_orn"] = (
        *(math.sin(half) * np.array(axis)),
        math.cos(half),
    )
    return now


@pytest.mark.parametrize(
    ("degrees", "task"),
    [
        (60.1, "rotate_blue_block_left"),
        (179, "rotate_blue_block_left"),
        (-60.1, "rotate_blue_block_right"),
        (-179, "rotate_blue_block_right"),
        (59.9, None),
        (-59.9, None),
    ],
)
def test_rotation_counts_between_sixty_and_half_a_turn(degrees, task):
    assert solved(world(), turned(world(), "block_blue", degrees)) == ({task} - {None})


def test_rotation_stays_in_place_level_and_supported():
    start, name = world(), {"rotate_blue_block_left"}
    assert solved(start, turned(start, "block_blue", 90, by=(0, 0.0999, 0))) == name
    assert solved(start, turned(start, "block_blue", 90, by=(0, 0.1001, 0))) == set()
    assert solved(start, turned(start, "block_blue", 90, contacts=HELD)) == set()
    assert solved(start, turned(start, "block_blue", 90, contacts=(contact(UIDS["block_red"]),)))
    assert solved(start, turned(start, "block_blue", 90, axis=(1, 0, 0))) == set()


def test_rotation_between_is_about_fixed_axes():
    quarter = (0.0, 0.0, math.sin(math.pi / 4), math.cos(math.pi / 4))
    tipped = (math.sin(0.1), 0.0, 0.0, math.cos(0.1))
    np.testing.assert_allclose(rotation_between(quarter, quarter), 0, atol=1e-9)
    np.testing.assert_allclose(rotation_between((0, 0, 0, 1), tipped), np.degrees([0.2, 0, 0]))
    np.testing.assert_allclose(rotation_between(quarter, (0, 0, 0, 1)), [0, 0, -90], atol=1e-9)


@pytest.mark.parametrize(
    ("place", "link", "rise"), [("slider", ON_SHELF, 0.03), ("drawer", IN_DRAWER, 0.05)]
)
def test_lift_from_shelf_and_drawer(place, link, rise):
    start = moved(world(), "block_pink", (0, 0, 0), (link,))
    name = f"lift_pink_block_{place}"
    assert solved(start, moved(start, "block_pink", (0, 0, rise + 1e-4), HELD)) == {name}
    assert solved(start, moved(start, "block_pink", (0, 0, rise - 1e-4), HELD)) == set()


def holding(block="block_red"):
    now = moved(world(), block, (0, 0, 0.15), HELD)
    now["robot_info"]["contacts"] = (contact(UIDS[block]), contact(UIDS[block]))
    return now


def put(start, block, contacts, robot=()):
    now = moved(start, block, (0, 0, -0.15), contacts)
    now["robot_info"]["contacts"] = robot
    return now


@pytest.mark.parametrize(
    ("link", "task"), [(ON_SHELF, "place_in_slider"), (IN_DRAWER, "place_in_drawer")]
)
def test_placing_needs_a_held_block_that_is_let_go(link, task):
    start = holding()
    assert held_block(start) == "block_red"
    assert solved(start, put(start, "block_red", (link,))) == {task}
    assert solved(start, put(start, "block_red", (link, *HELD))) == set()
    assert solved(start, put(start, "block_red", (ON_TABLE,))) == set()
    touching = copy.deepcopy(start)
    touching["robot_info"]["contacts"] += (contact(TABLE, 2),)  # the hand also leans on the door
    assert held_block(touching) is None
    assert solved(touching, put(touching, "block_red", (link,))) == set()
    resting = moved(start, "block_red", (0, 0, 0), (*HELD, ON_TABLE))
    assert solved(resting, put(resting, "block_red", (link,))) == set()


def test_pushing_into_the_drawer_starts_on_the_table_alone():
    start = world()
    fallen = moved(start, "block_pink", (0, -0.15, -0.12), (IN_DRAWER,))
    assert solved(start, fallen) == {"push_into_drawer"}
    half = moved(start, "block_pink", (0, -0.08, -0.03), (ON_TABLE, IN_DRAWER))
    assert solved(start, half) == {"push_into_drawer"}
    touched = moved(start, "block_pink", (0, 0, 0), (ON_TABLE, *HELD))
    assert solved(touched, moved(touched, "block_pink", (0, -0.15, -0.12), (IN_DRAWER,))) == set()
    shelved = moved(start, "block_pink", (0, 0, 0), (ON_SHELF,))
    assert solved(shelved, moved(shelved, "block_pink", (0, -0.2, -0.12), (IN_DRAWER,))) == set()


def speeding(info, block, linear=0.0, angular=0.0):
    now = copy.deepcopy(info)
    state = now["scene_info"]["movable_objects"][block]
    state["current_lin_vel"], state["current_ang_vel"] = (0, linear, 0), (0, 0, angular)
    return now


def test_stacking_needs_blocks_alone_below_and_calm():
    start = holding()
    on_blue = (contact(UIDS["block_blue"]),)
    done = put(start, "block_red", on_blue)
    assert solved(start, done) == {"stack_block"}
    assert solved(start, put(start, "block_red", (*on_blue, *HELD))) == set()
    assert solved(start, put(start, "block_red", (*on_blue, ON_TABLE))) == set()
    assert solved(start, put(start, "block_red", ())) == set()
    assert solved(start, speeding(done, "block_red", linear=0.99)) == {"stack_block"}
    assert solved(start, speeding(done, "block_red", linear=1.01)) == set()
    assert solved(start, speeding(done, "block_red", angular=-1.01)) == set()
    leaning = moved(start, "block_red", (0, 0, 0), (*HELD, *on_blue))
    assert solved(leaning, put(leaning, "block_red", on_blue)) == set()


def test_unstacking_needs_a_calm_stack_before():
    on_blue = (contact(UIDS["block_blue"]),)
    start = moved(world(), "block_red", (0, 0, 0.04), on_blue)
    for contacts in [(ON_TABLE,), HELD, ()]:
        assert solved(start, put(start, "block_red", contacts)) == {"unstack_block"}
    assert solved(start, put(start, "block_red", (ON_TABLE, *on_blue))) == set()
    fast = speeding(start, "block_red", linear=1.01)
    assert solved(fast, put(fast, "block_red", (ON_TABLE,))) == set()
    propped = moved(start, "block_red", (0, 0, 0), (*on_blue, ON_TABLE))
    assert solved(propped, put(propped, "block_red", (ON_TABLE,))) == set()


def test_the_guard_waits_until_a_condition_has_held_and_blocks_lie_still():
    on_blue = (contact(UIDS["block_blue"]),)
    start = moved(world(), "block_red", (0, 0, 0.04), on_blue)
    bouncing, fallen = put(start, "block_red", ()), put(start, "block_red", (ON_TABLE,))
    rolling = speeding(fallen, "block_red", angular=0.6)
    for require_stable, infos, expected in [
        (False, [start, bouncing], [False, True]),
        (True, [bouncing] * 9, [False] * 9),
        (True, [fallen, fallen, start] * 3, [False] * 9),
        (True, [rolling] * 9, [False] * 9),
        (True, [fallen] * 4, [False] * (STEADY_STEPS - 1) + [True] * (5 - STEADY_STEPS)),
    ]:
        judge = SuccessDetector("unstack_block", start, require_stable)
        assert [judge.update(info) for info in infos] == expected


def test_the_guard_lets_a_held_block_move():
    start = world()
    lifted = speeding(moved(start, "block_red", (0, 0, 0.06), HELD), "block_red", linear=0.4)
    judge = SuccessDetector("lift_red_block_table", start)
    assert [judge.update(lifted) for _ in range(STEADY_STEPS)][-1]
    on_blue = (contact(UIDS["block_blue"]),)
    stack = moved(world(), "block_red", (0, 0, 0.04), on_blue)
    carried = speeding(put(stack, "block_red", HELD), "block_red", linear=0.4)
    judge = SuccessDetector("unstack_block", stack)
    assert [judge.update(carried) for _ in range(STEADY_STEPS)][-1]


def test_the_guard_lets_go_of_the_task_before():
    pushed = moved(world(), "block_pink", (0, 0, 0), (ON_TABLE, *HELD))
    fallen = moved(world(), "block_pink", (0, -0.15, -0.12), (IN_DRAWER,))
    for require_stable, expected in [(False, False), (True, True)]:
        judge = SuccessDetector("push_into_drawer", pushed, require_stable)
        assert [judge.update(fallen) for _ in range(STEADY_STEPS)][-1] is expected
    start = holding()  # a block in the gripper stays there
    judge = SuccessDetector("place_in_slider", start)
    placed = put(start, "block_red", (ON_SHELF,))
    assert [judge.update(placed) for _ in range(STEADY_STEPS)][-1]


def test_unknown_tasks_have_no_judge():
    with pytest.raises(KeyError):
        SuccessDetector("fly", world())
