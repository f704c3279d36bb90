"""Which starting layouts an expert tries while demonstrations are recorded."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from episodes.errors import UserError

FAILURES_ALLOWED = 20  # for every task, beyond as many as there are successes


@dataclass(frozen=True)
class Attempt:
    """One try of an expert at a task, from the layout of that index."""

    task: str
    index: int

    def __str__(self) -> str:
        return f"{self.task} {self.index}"

    @property
    def name(self) -> str:
        """Of the file that a finished attempt leaves, without its ending."""
        return f"{self.task}-{self.index:06d}"


class Schedule:
    """Which layouts are still to be tried.

    A task never has more attempts under way or done well than it needs episodes. So none is made in
    vain, and those stored are the first that went well, however many workers there are.

    Args:
        wanted: how many episodes of each task.
        parts: the folder where finished attempts lie; what is there need not be done again.
    """

    def __init__(self, wanted: Mapping[str, int], parts: Path) -> None:
        self._wanted = wanted
        self._done: dict[str, dict[int, bool]] = {task: {} for task in wanted}
        self._begun: dict[str, set[int]] = defaultdict(set)
        for path in parts.iterdir():
            if path.suffix in (".hdf5", ".failed"):
                task, index = path.stem.rsplit("-", 1)
                self._done[task][int(index)] = path.suffix == ".hdf5"
                self._begun[task].add(int(index))

    def next_attempt(self) -> Attempt | None:
        """What to try now, or None when enough is under way."""
        open_tasks = [
            task
            for task, count in self._wanted.items()
            if len(self._begun[task]) - self._failures(task) < count
        ]
        if not open_tasks:
            return None
        task = min(open_tasks, key=lambda task: len(self._begun[task]))
        index = next(i for i in range(len(self._begun[task]) + 1) if i not in self._begun[task])
        self._begun[task].add(index)
        return Attempt(task, index)

    def finished(self, attempt: Attempt, success: bool) -> None:
        """Raises `UserError` when a task keeps failing."""
        self._done[attempt.task][attempt.index] = success
        failed, made = self._failures(attempt.task), len(self._done[attempt.task])
        if failed > FAILURES_ALLOWED + made - failed:
            raise UserError(
                f"the expert failed at {attempt.task} in {failed} of {made} attempts: "
                "try less noise, or more steps"
            )

    def _failures(self, task: str) -> int:
        return sum(not success for success in self._done[task].values())

    @property
    def successes(self) -> int:
        return sum(sum(done.values()) for done in self._done.values())

    @property
    def failures(self) -> int:
        return sum(self._failures(task) for task in self._done)

    def failures_by_task(self) -> dict[str, int]:
        return {task: self._failures(task) for task in self._wanted}

    def in_order(self) -> list[Attempt]:
        """The successful attempts: every task's first, then every task's second, …"""
        kept = {
            task: sorted(index for index, success in done.items() if success)
            for task, done in self._done.items()
        }
        return [
            Attempt(task, kept[task][round_])
            for round_ in range(max(len(indices) for indices in kept.values()))
            for task in self._wanted
            if round_ < len(kept[task])
        ]
