"""CALVIN's own task oracle, read from a checkout of calvin_env, and ours give the same answers.

Skipped unless the environment variable FIRSTHAND_CALVIN_ROOT names a checkout (docs/calvin.md).
"""

import importlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firsthand.envs.calvin.checkout import Checkout
from firsthand.envs.calvin.simulator import load_package
from firsthand.envs.config import CalvinWorld, PlayTableWorld
from firsthand.envs.experts.expert import Expert
from firsthand.envs.tasks.initial_states import initial_state
from firsthand.envs.tasks.tasks import BLOCKS, TASKS
from firsthand.rendering.bullet import pybullet

EPISODES = 200
LINKS = {"base_link": -1, "slide_link": 2, "drawer_link": 3, "plank_link": 6}
ROBOT, TABLE, FLOOR = 0, 5, 6
BODIES = dict(zip(BLOCKS, (2, 3, 4), strict=True))


@pytest.fixture(scope="module")
def root() -> Path:
    if not (name := os.environ.get("FIRSTHAND_CALVIN_ROOT")):
        pytest.skip("needs FIRSTHAND_CALVIN_ROOT, a checkout of calvin_env")
    return Path(name)


@pytest.fixture(scope="module")
def oracle(root: Path) -> Any:
    """The checkout's `Tasks` over its own list of tasks."""
    from omegaconf import OmegaConf

    load_package(Checkout(root))
    tasks = OmegaConf.load(root / "conf/tasks/new_playtable_tasks.yaml").tasks
    return importlib.import_module("calvin_env.envs.tasks").Tasks(tasks)


def _ours(start: Mapping[str, Any], now: Mapping[str, Any]) -> set[str]:
    return {name for name, task in TASKS.items() if task.succeeded(start, now)}


def test_same_tasks_in_the_same_order(oracle: Any) -> None:
    assert list(TASKS) == list(oracle.tasks)


def test_same_answers_about_made_up_moments(oracle: Any) -> None:
    """Contacts, poses and speeds at random, near every threshold; every task succeeds in some."""
    rng, seen = np.random.default_rng(0), Counter()
    for _ in range(1000):
        start, now = _moment(rng), _moment(rng)
        theirs = oracle.get_task_info(start, now)
        assert theirs == _ours(start, now)
        seen.update(theirs)
    assert set(seen) == set(TASKS)


def _moment(rng: np.random.Generator) -> dict[str, Any]:
    touching: dict[int, set[tuple[int, int, int]]] = {ROBOT: set(), TABLE: set(), FLOOR: set()}
    touching |= {body: set() for body in BODIES.values()}

    def touch(a: int, link_a: int, b: int, link_b: int) -> None:
        touching[a].add((b, link_a, link_b))
        touching[b].add((a, link_b, link_a))

    bodies = list(BODIES.values())
    for body in bodies:
        place = rng.choice(["desk", "hand", "block", "anywhere"], p=[0.4, 0.25, 0.15, 0.2])
        if place == "hand" or (place == "anywhere" and rng.random() < 0.5):
            touch(ROBOT, 9, body, -1)
        if place == "desk" or (place == "anywhere" and rng.random() < 0.5):
            touch(body, -1, TABLE, int(rng.choice(list(LINKS.values()))))
        if place == "block" or (place == "anywhere" and rng.random() < 0.5):
            touch(body, -1, int(rng.choice([other for other in bodies if other != body])), -1)
        if place == "anywhere" and rng.random() < 0.2:
            touch(body, -1, FLOOR, -1)
    contacts = {
        body: tuple((0, body, other, link, theirs) for other, link, theirs in sorted(found))
        for body, found in touching.items()
    }
    blocks = {name: _block(rng, body, contacts[body]) for name, body in BODIES.items()}
    return {
        "robot_info": {"uid": ROBOT, "contacts": contacts[ROBOT]},
        "scene_info": {
            "fixed_objects": {"table": {"uid": TABLE, "links": LINKS, "contacts": contacts[TABLE]}},
            "movable_objects": blocks,
            "doors": {
                door: {"current_state": float(rng.uniform(0, 0.28))}
                for door in ("base__slide", "base__drawer")
            },
            "lights": {
                light: {"logical_state": int(rng.integers(2))} for light in ("lightbulb", "led")
            },
        },
    }


def _block(rng: np.random.Generator, body: int, contacts: tuple[Any, ...]) -> dict[str, Any]:
    tilt, any_turn = rng.normal(0, [0.2, 0.2, 1.2]), rng.normal(0, 3, 3)
    return {
        "uid": body,
        "contacts": contacts,
        "current_pos": rng.normal(0, 0.06, 3),
        "current_orn": pybullet.getQuaternionFromEuler(tilt if rng.random() < 0.8 else any_turn),
        "current_lin_vel": rng.normal(0, 0.6, 3),
        "current_ang_vel": rng.normal(0, 0.6, 3),
    }


@pytest.fixture(params=["PlayTable", "original"])
def world(request: pytest.FixtureRequest, root: Path) -> Iterator[Any]:
    choices = {"PlayTable": PlayTableWorld(require_stable=False), "original": CalvinWorld(root)}
    env = choices[request.param].make({})
    yield env
    env.close()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_same_answers_on_every_step_of_expert_episodes(oracle: Any, world: Any) -> None:
    """Every task is asked about on every step, against the start of the episode. The original's
    check takes the same success too: it is what ends an episode."""
    steps, successes = 0, Counter()
    for number in range(EPISODES):
        task = list(TASKS)[number % len(TASKS)]
        robot_obs, scene_obs = initial_state(task, number // len(TASKS), 0)
        start = {"robot_obs": robot_obs, "scene_obs": scene_obs, "task": task}
        _, first = world.reset(options=start)
        expert, info, done = Expert(task, world.layout, rng=np.random.default_rng(0)), first, False
        for _ in range(360):
            _, _, done, _, info = world.step(expert.act(info, 1)[1])
            theirs = oracle.get_task_info(first, info)
            assert theirs == _ours(first, info)
            assert (task in theirs) == done
            steps += 1
            if done:
                break
        successes[task] += done
    print(f"{steps} steps, {sum(successes.values())} of {EPISODES} episodes succeeded")
    assert sum(successes.values()) >= 0.8 * EPISODES
