"""Environments in worker processes and one batched policy, with worlds that count instead of
moving."""

import os
import signal
from functools import partial

import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.envs.evaluation.batched_rollout import run_batched
from firsthand.envs.evaluation.env_pool import EnvWorker
from firsthand.envs.evaluation.rollout import RolloutSettings
from firsthand.envs.evaluation.trials import RolloutJob, Trial

SIZE = 4


class Counter:
    """A world that shows its trial's number and the step in its pictures, and ends when an action
    says so. Trial 13 kills its process, trial 14 is a mistake of the user's."""

    layout = "none"

    def __init__(self, action_repeat):
        self.number = self.steps = 0

    def reset(self, options):
        self.number, self.steps = int(options["scene_obs"][0]), 0
        if self.number == 13:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.number == 14:
            raise UserError("fourteen is not allowed")
        return self.look(), {}

    def set_task(self, task, instruction):
        return {}

    def step(self, action):
        self.steps += 1
        return self.look(), 0.0, bool(action[0] > 0), False, {"pid": os.getpid()}

    def look(self):
        pictures = {
            "rgb_static": np.full((SIZE, SIZE, 3), self.number, np.uint8),
            "rgb_gripper": np.full((SIZE // 2, SIZE // 2, 3), self.steps, np.uint8),
        }
        return {"rgb_obs": pictures, "robot_obs": np.zeros(15), "scene_obs": np.zeros(24)}

    def close(self):
        pass


class Guide:
    """Ends trial n after n + 1 steps; writes down who asked along with whom, and what was seen."""

    def __init__(self, diary):
        self.diary = diary

    def actor(self, count):
        return Guiding(self.diary)


class Guiding:
    def __init__(self, diary):
        self.diary = diary
        self.instructions = {}

    def reset(self, env_index, instruction):
        self.instructions[env_index] = instruction

    def select_actions(self, observations):
        asked = tuple(self.instructions[i] for i in observations)
        pictures = [observation["rgb_obs"] for observation in observations.values()]
        steps = {int(p["rgb_gripper"].min()) for p in pictures}
        assert [f"say {p['rgb_static'].max()}" for p in pictures] == list(asked)
        assert len(steps) == 1  # a round's trials go in step
        self.diary.append((asked, steps.pop()))
        return {
            i: np.full(7, float(p["rgb_gripper"].max() >= p["rgb_static"].max()))
            for i, p in zip(observations, pictures, strict=True)
        }


def trial(number):
    scene_obs = np.zeros(24)
    scene_obs[0] = number
    one = Trial(number, "count", ("turn_on_led",), (f"say {number}",), np.zeros(15), scene_obs)
    return RolloutJob(one, None, None)


def play(numbers, processes, alone=False):
    diary = []
    assignments = [trial(number) for number in numbers]
    rounds = iter([assignments[i : i + 3] for i in range(0, len(assignments), 3)])
    pace = RolloutSettings(steps=360, action_repeat=1)
    size = 3 * (SIZE**2 + (SIZE // 2) ** 2)
    found = run_batched(Guide(diary), Counter, pace, rounds, processes, 3, size, alone)
    return {a.trial.index: record["subtasks"][0]["steps"] for a, record in found}, diary


@pytest.mark.parametrize(("processes", "alone"), [(0, False), (2, False), (9, True)])
def test_trials_go_in_rounds(processes, alone):
    steps, diary = play([2, 0, 4, 1, 1, 3, 5], processes, alone)
    assert steps == {2: 3, 0: 1, 4: 5, 1: 2, 3: 4, 5: 6}
    of_round = {asked: [s for a, s in diary if a == asked] for asked, _ in diary}
    assert of_round == {
        ("say 2", "say 0", "say 4"): [0],
        ("say 2", "say 4"): [1, 2],
        ("say 4",): [3, 4],
        ("say 1", "say 1", "say 3"): [0, 1],
        ("say 3",): [2, 3],
        ("say 5",): [0, 1, 2, 3, 4, 5],
    }


def test_a_death_is_told_with_its_trials():
    with pytest.raises(RuntimeError, match=r"killed by signal 9\) at trial 2 .*; trial 13 "):
        play([2, 13], 1)


def test_mistakes_arrive():
    with pytest.raises(UserError, match="fourteen is not allowed"):
        play([1, 14], 2)


def test_nobody_asks_for_nothing():
    assert play([], 2) == ({}, [])
    make = partial(EnvWorker, Counter, RolloutSettings(1, 1), {})
    make().close()
