"""How often the scripted experts succeed, and how long they take.

    python -m benchmarks.experts --starts 50 --action-repeat 3 --noise 0

Every task is tried from `--starts` seeded layouts within 360 control steps of 1/30 s. The table
gives successes, Wilson's 95 % interval, and the mean and longest number of actions of a success.
"""

import argparse
from dataclasses import dataclass
from functools import partial

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from envs.intervals import wilson
from envs.tasks import TASKS
from envs.trials import initial_state
from envs.workers import run

CONTROL_STEPS = 360


@dataclass(frozen=True)
class Attempt:
    """A task from one of its seeded layouts."""

    task: str
    index: int


class Tryout:
    """Lets an expert attempt a task without cameras."""

    def __init__(self, action_repeat: int, noise: float, seed: int) -> None:
        from envs.playtable import PlayTable

        self._env = PlayTable(cameras={}, action_repeat=action_repeat)
        self._noise, self._seed = noise, seed

    def __call__(self, attempt: Attempt) -> int | None:
        """The number of actions it took, or None."""
        from envs.experts import Expert

        robot_obs, scene_obs = initial_state(attempt.task, attempt.index, self._seed)
        options = {"robot_obs": robot_obs, "scene_obs": scene_obs, "task": attempt.task}
        _, info = self._env.reset(options=options)
        rng = np.random.default_rng(attempt.index)
        expert = Expert(attempt.task, rng=rng, noise=self._noise)
        for action in range(1, CONTROL_STEPS // self._env.action_repeat + 1):
            executed = expert.act(info, self._env.action_repeat)[1]
            *_, success, _, info = self._env.step(executed)
            if success:
                return action
        return None

    def close(self) -> None:
        """Closes the environment."""
        self._env.close()


def main() -> None:
    """Runs the attempts and prints the table."""
    parser = argparse.ArgumentParser(description="How often the scripted experts succeed.")
    parser.add_argument("--starts", type=int, default=50)
    parser.add_argument("--action-repeat", type=int, default=3)
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    attempts = [Attempt(task, index) for task in TASKS for index in range(options.starts)]
    queue = iter(attempts)
    make = partial(Tryout, options.action_repeat, options.noise, options.seed)
    results = track(
        run(make, lambda: next(queue, None), options.workers), "experts", total=len(attempts)
    )
    Console().print(_table(dict(results), options.starts))


def _table(results: dict[Attempt, int | None], starts: int) -> Table:
    table = Table("task", "solved", "95 % interval", "mean actions", "most")
    total = 0
    for task in TASKS:
        actions = [n for attempt, n in results.items() if attempt.task == task and n is not None]
        total += len(actions)
        _, low, high = wilson(len(actions), starts)
        mean, most = (f"{np.mean(actions):.1f}", str(max(actions))) if actions else ("-", "-")
        solved, interval = f"{len(actions)}/{starts}", f"{low:.3f} to {high:.3f}"
        table.add_row(task, solved, interval, mean, most)
    table.add_row("all", f"{total}/{starts * len(TASKS)}")
    return table


if __name__ == "__main__":
    main()
