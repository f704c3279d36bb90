"""Units of work on a Ray cluster, one unit a task (needs the extra `ray`).

Every machine of the cluster must have this project installed and reach the dataset and the place
that is written to: a shared folder, or a URL.
"""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

from firsthand.common.errors import UserError
from firsthand.common.executor import TRIES, WorkerCrash

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class RayExecutor:
    """Tasks of a Ray cluster, one processor core each."""

    workers: int = 2
    """How many tasks at a time."""
    address: str | None = None
    """Of the cluster, or `auto` for the one that this machine belongs to; None starts one that is
    this machine alone and ends with the work."""

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UserError(f"workers of a cluster must be 1 or more, not {self.workers}")

    def run(
        self, function: Callable[[Job], Result], jobs: Sequence[Job]
    ) -> Iterator[tuple[Job, Result | WorkerCrash]]:
        """See `common.executor.Executor`. A unit whose machine or process is lost is done again
        by another."""
        ray = _ray()
        ours = not ray.is_initialized()
        if ours:
            self._connect(ray)
        # An exception of the unit is raised here and is no reason to try again.
        task = ray.remote(max_retries=TRIES - 1, retry_exceptions=False, num_cpus=1)(_call)
        waiting, under_way = iter(enumerate(jobs)), {}
        try:
            while True:
                while len(under_way) < self.workers and (job := next(waiting, None)):
                    under_way[task.remote(function, job[1])] = job[0]
                if not under_way:
                    return
                (done, *_), _ = ray.wait(list(under_way), num_returns=1)
                number = under_way.pop(done)
                try:
                    kind, value = ray.get(done)
                except ray.exceptions.RayTaskError as error:
                    raise RuntimeError(f"a task failed:\n{error}") from None
                except ray.exceptions.RayError as error:
                    yield jobs[number], WorkerCrash(f"lost ({type(error).__name__})")
                    continue
                if kind is not None:
                    raise kind(value)
                yield jobs[number], value
        finally:
            for reference in under_way:
                ray.cancel(reference, force=True)
            if ours:
                ray.shutdown()

    def _connect(self, ray: Any) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        _check_answers(self.address or "")
        alone = {"num_cpus": self.workers, "include_dashboard": False} if not self.address else {}
        try:
            ray.init(
                address=self.address or "local", log_to_driver=False, logging_level=40, **alone
            )
        except Exception as error:  # Ray raises what it likes, Exception itself among them
            where = f"no cluster at {self.address}" if self.address else "cannot start here"
            raise UserError(f"Ray: {where}: {error}") from error


def _check_answers(address: str) -> None:
    """Ray itself waits for ten minutes and more where nobody answers."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return  # "auto", or no address: Ray finds it
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"Ray: no cluster at {address}: {error}") from None


def _ray() -> Any:
    try:
        return import_module("ray")
    except ImportError:
        raise UserError("executor=ray needs Ray: pip install 'firsthand[ray]'") from None


def _call(function: Callable[[Job], Result], job: Job) -> tuple[type[UserError] | None, Any]:
    """An error of the user's as a value, which Ray would wrap in one of its own."""
    try:
        return None, function(job)
    except UserError as error:
        return type(error), str(error)
