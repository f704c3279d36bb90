"""Jobs done by several processes, with a clear end when one of them fails."""

import atexit
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing import current_process
from multiprocessing.connection import wait
from typing import Any, Protocol, TypeVar, runtime_checkable

from firsthand.common.worker import WorkerDiedError, WorkerProcess, closing_work

_POLL = 1.0  # seconds after which silent processes are checked: they may have died

Job = TypeVar("Job")
Result = TypeVar("Result")


def run(
    make: Callable[[], Callable[[Job], Result]],
    next_job: Callable[[], Job | None],
    workers: int,
    lost: Callable[[Job, str], Result] | None = None,
) -> Iterator[tuple[Job, Result]]:
    """Every job with its result, as they are done.

    Each of `workers` new processes calls `make` once and what it returns for every job; with 0
    workers, this process does. What was made is closed in the end if it has a method `close`.
    `next_job` is called whenever a worker is idle; None means that nothing is to be done until
    another job has finished, or ever. All that crosses between processes must be picklable.

    Args:
        lost: makes the result of a job that ended its process, from the job and how it ended; a new
            process does the other jobs. None: such an end is an error.

    Raises:
        UserError: a job raised one, or a process ended before it could begin.
        RuntimeError: a job raised anything else, or a process died; says which job.
    """
    lost_job = partial(_lost_job, lost) if lost else None
    with process_pool([make] * workers, lost_job) if workers else in_process(make) as pool:
        yield from results(pool, next_job)


def _lost_job(lost: Callable[[Any, str], Any], job: Any, death: WorkerDiedError) -> Any:
    if not death.ready:
        raise death.error() from None
    return lost(job, str(death))


@runtime_checkable
class WorkerPool(Protocol):
    """Numbered workers, each with a queue of its own: a job is done by the one it is given to."""

    def idle(self) -> list[int]:
        """The numbers of the workers that have no job."""
        ...

    def submit(self, worker: int, job: Any) -> None:
        """Add a job to a worker's queue."""
        ...

    def next_result(self) -> tuple[int, Any, Any] | None:
        """Wait for a job to be done; returns worker, job and result, or None when all are idle.
        Raises what `run` does."""
        ...


def results(pool: WorkerPool, next_job: Callable[[], Any | None]) -> Iterator[tuple[Any, Any]]:
    """Every job with its result, as they are done, whoever does it; see `run`."""
    while True:
        for worker in pool.idle():
            if (job := next_job()) is not None:
                pool.submit(worker, job)
        if (finished := pool.next_result()) is None:
            return
        yield finished[1:]


def leave_if_imported() -> None:
    """A script without main guard is run again by each worker that it starts: end there, silently.
    The process that started it says what to do."""
    if getattr(current_process(), "_inheriting", False):
        sys.exit(1)


@contextmanager
def process_pool(
    makes: Sequence[Callable[[], Callable[[Any], Any]]],
    lost: Callable[[Any, WorkerDiedError], Any] | None = None,
    threads: int | None = 1,
    grace: float = 10.0,
) -> Iterator[WorkerPool]:
    """New processes, one for each of `makes`, as for `run`. They start with their first job, and
    may have children of their own, as data loaders and servers are.

    Args:
        lost: makes the result of a job that ended its process, or raises; None raises.
        threads: of numeric libraries in each process: more than one where there is one environment
            and one policy a process would only get in each other's way. None: as they choose.
        grace: seconds that a stopped process has for tidying up; with 0 it is killed.
    """
    leave_if_imported()
    pool = _ProcessPool([partial(WorkerProcess, make, threads, grace) for make in makes], lost)
    # They are no daemons, so Python would wait for them at its end if nobody had stopped them.
    atexit.register(pool.stop)
    try:
        yield pool
    finally:
        atexit.unregister(pool.stop)
        pool.stop()


@contextmanager
def in_process(make: Callable[[], Callable[[Any], Any]]) -> Iterator[WorkerPool]:
    """A pool of this process alone, which does a job when its result is asked for. Errors of jobs
    are raised as they are."""
    with ExitStack() as stack:
        yield _InProcess(make, stack)


class _ProcessPool:
    def __init__(
        self,
        makes: Sequence[Callable[[], WorkerProcess]],
        lost: Callable[[Any, WorkerDiedError], Any] | None,
    ) -> None:
        self._makes, self._lost = makes, lost
        self._processes = [make() for make in makes]
        self._queues: list[deque[Any]] = [deque() for _ in makes]

    def idle(self) -> list[int]:
        return [worker for worker, process in enumerate(self._processes) if not process.busy]

    def submit(self, worker: int, job: Any) -> None:
        if self._processes[worker].busy:
            self._queues[worker].append(job)
            return
        try:
            self._processes[worker].submit(job)
        except WorkerDiedError as death:  # while it had nothing to do: not by this job
            if self._lost is None or not death.ready:
                raise death.error() from None
            self._replace(worker)
            self._processes[worker].submit(job)

    def next_result(self) -> tuple[int, Any, Any] | None:
        while busy := {p.connection: worker for worker, p in enumerate(self._processes) if p.busy}:
            ready = [busy[end] for end in wait(list(busy), _POLL)]  # pyright: ignore
            ready += [worker for worker in busy.values() if self._processes[worker].ended]
            if not ready:
                continue
            worker = ready[0]
            process = self._processes[worker]
            try:
                if (done := process.result()) is None:
                    continue
                job, result = done
            except WorkerDiedError as death:
                if self._lost is None:
                    raise death.error() from None
                job, result = process.job, self._lost(process.job, death)
                self._replace(worker)
            if self._queues[worker]:
                self.submit(worker, self._queues[worker].popleft())
            return worker, job, result
        return None

    def _replace(self, worker: int) -> None:
        self._processes[worker].stop()
        self._processes[worker] = self._makes[worker]()

    def stop(self) -> None:
        for process in self._processes:
            process.stop()


class _InProcess:
    def __init__(self, make: Callable[[], Callable[[Any], Any]], stack: ExitStack) -> None:
        self._make, self._stack = make, stack
        self._work: Callable[[Any], Any] | None = None
        self._queue: deque[Any] = deque()

    def idle(self) -> list[int]:
        return [] if self._queue else [0]

    def submit(self, worker: int, job: Any) -> None:
        self._queue.append(job)

    def next_result(self) -> tuple[int, Any, Any] | None:
        if not self._queue:
            return None
        work = self._work or self._stack.enter_context(closing_work(self._make()))
        self._work = work
        job = self._queue.popleft()
        return 0, job, work(job)
