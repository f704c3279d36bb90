"""What the records of an evaluation add up to."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from firsthand.common.intervals import Interval, bootstrap_mean, bounded_mean, wilson
from firsthand.envs.evaluation import policy_errors
from firsthand.envs.evaluation.grasp_error import GraspErrors
from firsthand.envs.evaluation.records import Record
from firsthand.envs.tasks.tasks import TASKS

BOOTSTRAP = 20  # values from which on resampling them says something about others


def _by_task(records: Sequence[Record]) -> dict[str, Interval]:
    """Success of every task that was begun, with Wilson's 95 % intervals, in the tasks' order."""
    outcomes: dict[str, list[bool]] = {task: [] for task in TASKS}
    for record in records:
        for subtask in record["subtasks"]:
            outcomes[subtask["task"]].append(subtask["success"])
    return {task: wilson(sum(made), len(made)) for task, made in outcomes.items() if made}


def _counts(records: Sequence[Record]) -> dict[str, int]:
    counts = dict.fromkeys(TASKS, 0)
    for record in records:
        for subtask in record["subtasks"]:
            counts[subtask["task"]] += 1
    return counts


@dataclass(frozen=True)
class TaskResults:
    """Outcomes of single-task trials."""

    records: tuple[Record, ...]

    @cached_property
    def success(self) -> Interval:
        """Share of all trials that succeeded."""
        return wilson(sum(record["success"] for record in self.records), len(self.records))

    @cached_property
    def by_task(self) -> dict[str, Interval]:
        """Share of every task's trials that succeeded."""
        return _by_task(self.records)

    def summary(self) -> dict[str, Any]:
        """Everything in numbers, ready for JSON."""
        return {
            "trials": len(self.records),
            "success": self.success._asdict(),
            "by_task": _table(self.by_task, _counts(self.records)),
            "grasps": _grasps(self.records),
            "errors": {what: len(r) for what, r in policy_errors.counted(self.records).items()},
        }

    def markdown(self) -> str:
        """A table of the same."""
        rows = [("all tasks", len(self.records), self.success)]
        counts = _counts(self.records)
        rows += [(task, counts[task], interval) for task, interval in self.by_task.items()]
        return _markdown("Single tasks", ("task", "trials", "success"), rows) + _told(self.records)


@dataclass(frozen=True)
class ChainResults:
    """Outcomes of chains of instructions."""

    records: tuple[Record, ...]

    @cached_property
    def average_length(self) -> Interval:
        """Instructions followed before the first failure, with a bootstrap interval; with one of
        `bounded_mean` where resampling knows too little: few chains, or all of the same length."""
        solved = np.array([record["solved"] for record in self.records], np.float64)
        if self._resampled:
            return bootstrap_mean(solved)
        return bounded_mean(solved, float(len(self.success_at)))

    @property
    def _resampled(self) -> bool:
        return (
            len(self.records) >= BOOTSTRAP
            and len({record["solved"] for record in self.records}) > 1
        )

    @cached_property
    def success_at(self) -> tuple[Interval, ...]:
        """Share of chains in which at least 1, 2, … instructions were followed."""
        length = max(len(record["tasks"]) for record in self.records)
        return tuple(
            wilson(sum(record["solved"] >= n for record in self.records), len(self.records))
            for n in range(1, length + 1)
        )

    @cached_property
    def by_task(self) -> dict[str, Interval]:
        """Share of a task's occurrences that succeeded, of those that were reached."""
        return _by_task(self.records)

    def summary(self) -> dict[str, Any]:
        """Everything in numbers, ready for JSON."""
        return {
            "chains": len(self.records),
            "average_length": self.average_length._asdict(),
            "success_at": [interval._asdict() for interval in self.success_at],
            "by_task": _table(self.by_task, _counts(self.records)),
            "grasps": _grasps(self.records),
            "errors": {what: len(r) for what, r in policy_errors.counted(self.records).items()},
        }

    def markdown(self) -> str:
        """A table of the same."""
        value, low, high = self.average_length
        rows: list[tuple[str, int, Interval]] = [
            (f"{n} in a row", len(self.records), interval)
            for n, interval in enumerate(self.success_at, 1)
        ]
        counts = _counts(self.records)
        rows += [(task, counts[task], interval) for task, interval in self.by_task.items()]
        table = _markdown("Chains of instructions", ("what", "tries", "success"), rows)
        how = "bootstrap" if self._resampled else "Wilson"
        average = f"\nAverage length {value:.2f} ({low:.2f} to {high:.2f}, {how} 95 %).\n"
        return table + average + _told(self.records)


def _grasps(records: Sequence[Record]) -> dict[str, Any]:
    outcomes = {"success": True, "failure": False}
    return {name: asdict(GraspErrors.of(records, made)) for name, made in outcomes.items()}


def _told(records: Sequence[Record]) -> str:
    """What the table does not say: where the fingers closed, and `remarks`."""
    outcomes = {
        "succeeded": GraspErrors.of(records, True),
        "failed": GraspErrors.of(records, False),
    }
    lines = [
        f"Of grasps that {how}: {errors}." for how, errors in outcomes.items() if errors.attempts
    ]
    return "".join(f"\n{line}\n" for line in [*lines, *remarks(records)])


def remarks(records: Sequence[Record]) -> list[str]:
    """What a reader of the figures should know besides: errors, a gripper that never closed."""
    commanded = [record["gripper"] for record in records if record.get("gripper")]
    lowest = min((low for low, _ in commanded), default=0.0)
    open_always = (
        f"The gripper was never told to close: its number was {lowest:g} or more in "
        f"{len(commanded)} trials, and above 0 opens (numbers from 0 to 1 must become -1 to 1)."
    )
    lines = [policy_errors.report(records), open_always if lowest > 0 else ""]
    return [line for line in lines if line]


def _table(intervals: dict[str, Interval], counts: dict[str, int]) -> dict[str, Any]:
    return {task: {"n": counts[task]} | i._asdict() for task, i in intervals.items()}


def _markdown(
    title: str, columns: tuple[str, str, str], rows: Sequence[tuple[str, int, Interval]]
) -> str:
    lines = [f"# {title}", "", f"| {' | '.join(columns)} | Wilson 95 % |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {n} | {interval.value:.1%} | {interval.low:.1%} to {interval.high:.1%} |"
        for name, n, interval in rows
    ]
    return "\n".join(lines) + "\n"
