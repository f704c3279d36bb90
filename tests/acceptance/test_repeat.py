"""The same seed gives the same bits, however often, in however many processes."""

import hashlib
from functools import partial

import numpy as np
import pytest

from firsthand.common.workers import run
from firsthand.envs.experts.expert import Expert
from firsthand.envs.playtable.env import PlayTable
from firsthand.envs.playtable.layouts import LAYOUTS
from firsthand.envs.tasks.initial_states import initial_state
from firsthand.envs.tasks.tasks import TASKS

ACTIONS = 40  # of three control steps, enough for most tasks to be done


class Solver:
    """Lets a noisy expert attempt one task of a scene and digests all that was seen and done."""

    def __call__(self, job: tuple[int, str, str]) -> str:
        _, scene, task = job
        env = PlayTable(scene, cameras={"rgb_static": 48}, action_repeat=3)
        robot_obs, scene_obs = initial_state(task, 3, seed=11, scene=scene)
        observation, _ = env.reset(options={"robot_obs": robot_obs, "scene_obs": scene_obs})
        info = env.set_task(task)
        expert = Expert(task, env.layout, rng=np.random.default_rng(5), noise=0.1)
        digest = hashlib.sha256()
        for _ in range(ACTIONS):
            action = expert.act(info, 3)[1]
            observation, *_, info = env.step(action)
            states = observation["robot_obs"], observation["scene_obs"]
            for value in (action, *states, *observation["rgb_obs"].values()):
                digest.update(value.tobytes())
        env.close()
        return digest.hexdigest()

    def close(self) -> None:
        """Every environment is closed where it was made."""


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("workers", [1, 2])
def test_ten_repetitions_are_bit_identical(workers):
    """Every task in a scene that changes from task to task, in an order that differs each time."""
    attempts = [(list(LAYOUTS)[n % len(LAYOUTS)], task) for n, task in enumerate(TASKS)]
    orders = [np.random.default_rng(n).permutation(len(attempts)) for n in range(10)]
    jobs = iter([(n, *attempts[i]) for n, order in enumerate(orders) for i in order])
    digests: dict[tuple[str, str], list[str]] = {}
    for (_, *attempt), digest in run(partial(Solver), lambda: next(jobs, None), workers):
        digests.setdefault(tuple(attempt), []).append(digest)
    assert {len(seen) for seen in digests.values()} == {10}
    assert len(digests) == 34
    assert all(len(set(seen)) == 1 for seen in digests.values())
    assert len({seen[0] for seen in digests.values()}) == 34  # and they do differ between tasks
