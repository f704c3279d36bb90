import hashlib
import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from firsthand.envs.playtable.layouts import LAYOUTS
from firsthand.envs.tasks.chain_layouts import fnv1, initial_layout, places
from firsthand.envs.tasks.chains import all_chains, chain
from firsthand.envs.tasks.symbolic import (
    CATEGORIES,
    RULES,
    SymbolicState,
    follow,
    initial_conditions,
)
from firsthand.envs.tasks.tasks import TASKS, block_slice

GOLDEN = Path(__file__).parents[2] / "golden" / "calvin_initial_states.npz"
# of the official thousand as JSON, [[{"led": …}, ["rotate_…", …]], …]
SHA256 = "840cb992c69ce9b6d59f6020966b6300c15233f8e0b9667b6486c1962424d308"


def as_json(chains):
    return json.dumps([[chain.initial._asdict(), list(chain.tasks)] for chain in chains])


def test_the_thousand_are_calvins():
    assert hashlib.sha256(as_json(all_chains()).encode()).hexdigest() == SHA256
    assert chain(999) == all_chains()[999]
    assert [chain.index for chain in all_chains()] == list(range(1000))


def test_the_thousand_against_the_file(shared):
    golden = shared / "golden" / "calvin_eval_sequences.json"
    assert json.loads(golden.read_text()) == json.loads(as_json(all_chains()))


def test_every_task_has_rules():
    assert len(RULES) == 34
    assert set(TASKS) <= set(RULES) == set(CATEGORIES)
    assert {task for chain in all_chains() for task in chain.tasks} == set(RULES)


def test_there_are_192_conditions():
    conditions = initial_conditions()
    assert len(conditions) == len(set(conditions)) == 192
    assert conditions[0] == (0, 0, "right", "closed", "table", "table", "slider_right", 0)
    assert set(Counter(chain.initial for chain in all_chains()).values()) == {5, 6}


def test_chains_make_sense():
    for one in all_chains():
        state = one.initial
        assert state in initial_conditions()
        assert len({CATEGORIES[task] for task in one.tasks}) == len(one.tasks) == 5
        for task in one.tasks:
            state = follow(state, task)
            assert state is not None


@pytest.mark.parametrize(
    ("task", "before", "after"),
    [
        ("lift_red_block_slider", {"red_block": "slider_left"}, {"red_block": "grasped"}),
        ("lift_red_block_slider", {"red_block": "slider_right"}, None),  # the door is there
        ("lift_red_block_table", {}, {"red_block": "grasped"}),
        ("place_in_drawer", {"pink_block": "grasped", "drawer": "closed"}, None),
        ("place_in_drawer", {"pink_block": "grasped", "drawer": "open"}, {"pink_block": "drawer"}),
        ("stack_block", {"red_block": "grasped"}, None),  # on two others it may be put
        ("stack_block", {"red_block": "grasped", "pink_block": "slider_left"},
         {"red_block": "stacked_top", "blue_block": "stacked_bottom"}),
        ("unstack_block", {"red_block": "stacked_top", "blue_block": "stacked_bottom"},
         {"red_block": "table", "blue_block": "table"}),
        ("push_into_drawer", {"drawer": "open"}, None),  # three may be pushed
        ("turn_on_led", {"red_block": "grasped"}, None),  # the hand is full
    ],
)  # fmt: skip
def test_rules(task, before, after):
    plain = SymbolicState(0, 0, "right", "closed", "table", "table", "table", 0)
    state = plain._replace(**before, grasped=int("grasped" in before.values()))
    if after is None:
        assert follow(state, task) is None
    else:
        assert follow(state, task) == state._replace(
            **after, grasped=int("grasped" in after.values())
        )


def test_hash_of_a_condition():
    assert fnv1("hello world") == 3799943344
    state = SymbolicState(1, 1, "left", "open", "slider_left", "table", "slider_right", 0)
    assert fnv1(f"dict_values({list(state)})") == 2138410836


def test_layouts_are_calvins_to_the_bit():
    golden = np.load(GOLDEN)
    for condition, scene_obs in zip(initial_conditions(), golden["scene_obs"], strict=True):
        robot_obs, ours = initial_layout(condition)
        assert robot_obs.tobytes() == golden["robot_obs"].tobytes()
        assert ours.tobytes() == scene_obs.tobytes()


@pytest.mark.parametrize("scene", LAYOUTS)
def test_layouts_fit_their_scene(scene):
    layout = LAYOUTS[scene]
    for condition in initial_conditions():
        robot_obs, scene_obs = initial_layout(condition, layout)
        assert np.array_equal(robot_obs, initial_layout(condition, layout)[0])
        assert scene_obs[:6].tolist() == [
            layout.door_travel * (condition.slider == "left"),
            0.22 * (condition.drawer == "open"),
            0,
            0.088 * condition.lightbulb,
            condition.lightbulb,
            condition.led,
        ]
        spots = set()
        for colour in ("red", "blue", "pink"):
            x, y, z, roll, pitch, yaw = scene_obs[block_slice(f"block_{colour}")]
            place = getattr(condition, f"{colour}_block")
            stretch = {
                "table": layout.spawn_table,
                "slider_left": layout.spawn_left,
                "slider_right": layout.spawn_right,
            }[place]
            assert stretch[0] <= x <= stretch[1]
            assert (y < 0) == (place == "table")
            assert abs(yaw - np.pi / 2) <= np.pi / 8
            spots.add((x, y))
        assert len(spots) == 3


def test_no_place_is_under_a_button_or_near_another():
    for layout in LAYOUTS.values():
        on_table, on_shelf = places(layout)
        points = np.array([*on_table, *on_shelf.values()])
        for one, other in itertools.combinations(points, 2):
            assert np.linalg.norm(one - other) > 0.15
        assert (np.abs(points[:2, 0] - layout.button) > 0.06).all()
