"""What experts know of CALVIN's own desks: a door that is a lid, a target that runs ahead."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from firsthand.envs.experts.calvin_cabinet import HAND, covered, height, to_push, uncover
from firsthand.envs.experts.target_lag import TargetLag
from firsthand.envs.experts.world_view import ExpertParams, WorldView
from firsthand.envs.playtable.env import PlayTable
from firsthand.envs.playtable.layouts import LAYOUTS
from firsthand.envs.playtable.robot import MAX_LEAD, MAX_STEP
from firsthand.envs.tasks.initial_states import HOME, generator, sample_scene

LAYOUT = replace(LAYOUTS["D"], original=True)


@pytest.fixture(scope="module")
def world() -> Iterator[PlayTable]:
    env = PlayTable(cameras={})
    yield env
    env.close()


def _sight(world: PlayTable, slide: float = 0.0) -> WorldView:
    """What an expert sees with the door so far to the left."""
    scene_obs = sample_scene(generator(0, "scene", "lid", 0))
    scene_obs[0] = slide
    _, info = world.reset(options={"robot_obs": HOME, "scene_obs": scene_obs})
    return WorldView(info, info, LAYOUT, ExpertParams())


def test_cabinet_rises_towards_the_back(world: PlayTable) -> None:
    sight = _sight(world)
    low, high = covered(sight)
    on_door = [height(sight, (low + high) / 2, y) for y in (-0.05, 0.02, 0.06, 0.1)]
    assert on_door == sorted(on_door)
    assert on_door[0] == 0.0
    assert on_door[-1] > 0.6
    assert height(sight, low - 0.13, 0.06) == 0.0  # the open half of the shelf


@pytest.mark.parametrize(("slide", "x", "pushes"), [
    (0.0, -0.241, False), (0.28, -0.241, True), (0.0, 0.07, True), (0.28, 0.07, False),
])  # fmt: skip
def test_door_is_pushed_off_what_it_covers(
    world: PlayTable, slide: float, x: float, pushes: bool
) -> None:
    sight = _sight(world, slide)
    beside, pushed, _ = uncover(sight, x)
    assert beside.done == pushed.done == (not pushes)
    if pushes:
        assert np.sign(pushed.position[0] - beside.position[0]) == (1 if x < 0 else -1)


def test_way_that_the_door_must_be_pushed(world: PlayTable) -> None:
    sight = _sight(world, LAYOUT.door_travel)
    right_end = covered(sight)[1]
    assert to_push(sight, right_end + HAND + 0.01, HAND) == 0
    assert to_push(sight, -0.241, HAND) == pytest.approx(-0.241 + HAND - covered(sight)[0])
    assert to_push(sight, -0.11, HAND) > LAYOUT.door_travel  # in the middle it always covers


def test_closed_fingers_back_off_the_handle(world: PlayTable) -> None:
    sight = _sight(world)
    handle = sum(LAYOUT.door) / 2
    assert uncover(sight, -0.241)[-1].done  # the arm is far from it
    sight.tool[:] = handle - 0.03, -0.025, 0.52
    away = uncover(sight, -0.241)[-1]
    assert not away.done
    assert away.position[0] < handle - 0.09


def test_target_stays_near_a_tool_that_does_not_move(world: PlayTable) -> None:
    sight, lead, sent = _sight(world), TargetLag(), np.zeros(6)
    for _ in range(30):
        action = lead.limited(np.array([1, -1, 0.5, 0, 0, 1.0]), sight, 3)
        lead.add(action, 3)
        sent += action * MAX_STEP * 3
    assert (np.abs(sent) <= MAX_LEAD + 1e-9).all()
    np.testing.assert_allclose(np.abs(sent)[[0, 1, 5]], MAX_LEAD[[0, 1, 5]])


def test_small_actions_are_sent_as_they_are(world: PlayTable) -> None:
    action = np.array([0.1, 0.2, -0.3, 0, 0.1, 0])
    np.testing.assert_allclose(TargetLag().limited(action, _sight(world), 3), action, atol=1e-12)
