"""Units of work on several processes, where a unit that kills its process is tried again.

Foreign files reach C libraries (FFmpeg, HDF5), and now and then one of them crashes its process.
That may cost the unit, never the work of the others. `LocalExecutor` uses this machine,
`common.ray_executor.RayExecutor` a cluster; what comes out is the same.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeVar, runtime_checkable

from firsthand.common.errors import UserError
from firsthand.common.worker import WorkerDiedError
from firsthand.common.workers import process_pool, results

Job = TypeVar("Job")
Result = TypeVar("Result")

TRIES = 3  # of a unit whose process dies
_TRY_AGAIN = object()


@dataclass(frozen=True)
class WorkerCrash:
    """What comes of a unit whose process died every time: how it died the last time."""

    reason: str


@runtime_checkable
class Executor(Protocol):
    """Runs a function on many jobs, here or elsewhere."""

    def run(
        self, function: Callable[[Job], Result], jobs: Sequence[Job]
    ) -> Iterator[tuple[Job, Result | WorkerCrash]]:
        """Every job with what `function` makes of it, as they are done.

        Jobs and results cross to other processes by pickle, `function` by its name. Leaving the
        loop early ends the units that are under way.

        Raises:
            UserError: a unit raised one.
            RuntimeError: a unit raised anything else; holds its traceback.
        """
        ...


@dataclass(frozen=True)
class LocalExecutor:
    """New processes on this machine."""

    workers: int = 1
    """How many; with 0, this process does the work."""

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise UserError(f"workers must be 0 or more, not {self.workers}")

    def run(
        self, function: Callable[[Job], Result], jobs: Sequence[Job]
    ) -> Iterator[tuple[Job, Result | WorkerCrash]]:
        if self.workers == 0:
            for job in jobs:
                yield job, function(job)
            return
        waiting = deque(_Unit(number, job) for number, job in enumerate(jobs))

        def lost(unit: _Unit, death: WorkerDiedError) -> Any:
            if not death.ready and (death.exitcode or 0) >= 0:
                raise death.error() from None
            if unit.tries == TRIES:
                return WorkerCrash(death.reason)
            waiting.append(replace(unit, tries=unit.tries + 1))
            return _TRY_AGAIN

        makes = [partial(partial, _call, function)] * min(self.workers, len(jobs))
        # Killed at once: whatever a unit is writing has no final name yet.
        with process_pool(makes, lost, threads=None, grace=0.0) as pool:
            for unit, result in results(pool, lambda: waiting.popleft() if waiting else None):
                if result is not _TRY_AGAIN:
                    yield unit.job, result


@dataclass(frozen=True)
class _Unit:
    """A job, its place among the jobs, and the number of the try."""

    number: int
    job: Any
    tries: int = 1

    def __str__(self) -> str:  # a job may hold names of thousands of files
        return f"unit {self.number}"


def _call(function: Callable[[Any], Any], unit: _Unit) -> Any:
    return function(unit.job)
