"""How often the scripted experts succeed, and how long they take.

    python -m firsthand.benchmarks.experts --scenes ABCD --starts 50
    python -m firsthand.benchmarks.experts --chains 1000

Every task is tried in every scene from `--starts` seeded layouts within 360 control steps of
1/30 s; the table gives successes, Wilson's 95 % interval, and the mean and longest number of
control steps of a success. With `--chains`, CALVIN's chains are followed instead, in the first of
the scenes: five tasks in a row, the arm goes on from where it is, the first failure ends the chain.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float
from rich.console import Console
from rich.table import Table

from firsthand.common.intervals import wilson
from firsthand.common.progress import track
from firsthand.common.workers import run
from firsthand.envs.playtable.layouts import LAYOUTS
from firsthand.envs.tasks.chain_layouts import initial_layout
from firsthand.envs.tasks.chains import OFFICIAL, all_chains
from firsthand.envs.tasks.initial_states import initial_state
from firsthand.envs.tasks.tasks import TASKS

CONTROL_STEPS = 360

# Of every task attempted in turn: its name, and the control steps it took or None.
Outcome = list[tuple[str, int | None]]


@dataclass(frozen=True)
class ExpertAttempt:
    """Tasks to be done one after another in a scene. The index is that of a start or of a chain."""

    scene: str
    tasks: tuple[str, ...]
    index: int

    def start(self, seed: int) -> tuple[Float[np.ndarray, "15"], Float[np.ndarray, "24"]]:
        """The (robot_obs, scene_obs) to begin from."""
        task, *others = self.tasks
        if others:
            return initial_layout(all_chains()[self.index].initial, LAYOUTS[self.scene])
        return initial_state(task, self.index, seed, scene=self.scene)


class Tryout:
    """Lets experts attempt tasks without cameras."""

    def __init__(self, action_repeat: int, noise: float, seed: int, require_stable: bool) -> None:
        from firsthand.envs.playtable.env import PlayTable

        self._make = partial(
            PlayTable, cameras={}, action_repeat=action_repeat, require_stable=require_stable
        )
        self._env = self._make("D")
        self._noise, self._seed = noise, seed

    def __call__(self, attempt: ExpertAttempt) -> Outcome:
        """What became of the tasks, up to the first failure."""
        if self._env.layout.name != attempt.scene:
            self._env.close()
            self._env = self._make(attempt.scene)
        robot_obs, scene_obs = attempt.start(self._seed)
        self._env.reset(options={"robot_obs": robot_obs, "scene_obs": scene_obs})
        outcome: Outcome = []
        for place, task in enumerate(attempt.tasks):
            outcome.append((task, self._attempt(task, attempt.index * len(attempt.tasks) + place)))
            if outcome[-1][1] is None:
                break
        return outcome

    def _attempt(self, task: str, number: int) -> int | None:
        from firsthand.envs.experts.expert import Expert

        repeat, rng = self._env.action_repeat, np.random.default_rng(number)
        expert = Expert(task, self._env.layout, rng=rng, noise=self._noise)
        info = self._env.set_task(task)
        for action in range(1, CONTROL_STEPS // repeat + 1):
            *_, success, _, info = self._env.step(expert.act(info, repeat)[1])
            if success:
                return action * repeat
        return None

    def close(self) -> None:
        """Closes the environment."""
        self._env.close()


def main() -> None:
    """Runs the attempts and prints tables."""
    parser = argparse.ArgumentParser(description="How often the scripted experts succeed.")
    parser.add_argument("--scenes", default="D", help="letters of the scenes")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--starts", type=int, default=50, help="of every task in every scene")
    parser.add_argument("--chains", type=int, default=0, help="follow so many chains instead")
    parser.add_argument("--first", type=int, default=0, help="index of the first start or chain")
    parser.add_argument("--action-repeat", type=int, default=3)
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--as-calvin", action="store_true", help="count success as CALVIN does")
    options = parser.parse_args()
    attempts = _attempts(options)
    queue = iter(attempts)
    stable = not options.as_calvin
    make = partial(Tryout, options.action_repeat, options.noise, options.seed, stable)
    results = track(run(make, lambda: next(queue, None), options.workers), "experts", len(attempts))
    by_attempt = dict(results)
    console = Console(width=120)
    for scene in options.scenes:
        outcomes = [by_attempt[attempt] for attempt in attempts if attempt.scene == scene]
        if outcomes:
            console.print(_table(scene, outcomes))
    failed = [a for a in attempts if by_attempt[a][-1][1] is None]
    for attempt in failed:
        task = by_attempt[attempt][-1][0]
        console.print(f"failed: scene {attempt.scene}, index {attempt.index}, {task}")
    if options.chains:
        console.print(_chain_summary([by_attempt[attempt] for attempt in attempts]))


def _attempts(options: argparse.Namespace) -> list[ExpertAttempt]:
    indices = range(options.first, options.first + (options.chains or options.starts))
    if options.chains:
        if indices.stop > OFFICIAL:
            raise SystemExit(f"there are {OFFICIAL} chains, not {indices.stop}")
        return [ExpertAttempt(options.scenes[0], all_chains()[i].tasks, i) for i in indices]
    return [
        ExpertAttempt(s, (task,), i)
        for s in options.scenes
        for task in options.tasks
        for i in indices
    ]


def _table(scene: str, outcomes: Sequence[Outcome]) -> Table:
    steps: dict[str, list[int | None]] = defaultdict(list)
    for outcome in outcomes:
        for task, taken in outcome:
            steps[task].append(taken)
    columns = ("solved", "95 % interval", "mean steps", "most")
    table = Table("task", *columns, title=f"scene {scene}")
    for task in TASKS:
        if task in steps:
            table.add_row(task, *_row(steps[task]))
    table.add_row("all", *_row([taken for row in steps.values() for taken in row]))
    return table


def _row(steps: Iterable[int | None]) -> list[str]:
    tries = list(steps)
    taken = [n for n in tries if n is not None]
    _, low, high = wilson(len(taken), len(tries))
    solved, interval = f"{len(taken)}/{len(tries)}", f"{low:.3f} to {high:.3f}"
    return [solved, interval, *((f"{np.mean(taken):.1f}", str(max(taken))) if taken else "--")]


def _chain_summary(outcomes: Sequence[Outcome]) -> str:
    lengths = np.array([sum(steps is not None for _, steps in outcome) for outcome in outcomes])
    shares = ", ".join(f"{np.mean(lengths >= n):.3f}" for n in range(1, 6))
    return f"{len(lengths)} chains: average length {lengths.mean():.3f}; 1 to 5 in a row: {shares}"


if __name__ == "__main__":
    main()
