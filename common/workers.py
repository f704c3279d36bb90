"""Jobs done by several processes, with a clear end when one of them fails."""

import atexit
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing import current_process, get_context
from multiprocessing.connection import wait
from typing import Any, Protocol, TypeVar, runtime_checkable

from firsthand.common.worker import Worker, WorkerDiedError, closing_work

_LOOK = 1.0  # seconds after which those that say nothing are looked at: they may have died

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
    `next_job` is called whenever somebody is idle; None means that nothing is to be done until
    another job has finished, or ever. All that crosses between processes must be picklable.

    Args:
        lost: makes the result of a job that ended its process, from the job and how it ended; a new
            process does the other jobs. None: such an end is an error.

    Raises:
        UserError: a job raised one, or a process ended before it could begin.
        RuntimeError: a job raised anything else, or a process died; says which job.
    """
    with process_pool([make] * workers, lost) if workers else in_process(make) as hands:
        while True:
            for hand in hands.idle():
                if (job := next_job()) is not None:
                    hands.give(hand, job)
            if (finished := hands.take()) is None:
                return
            yield finished[1:]


@runtime_checkable
class WorkerPool(Protocol):
    """Somebody to give jobs to. Hands have numbers; a job goes to the hand that it is meant for."""

    def idle(self) -> list[int]:
        """Who has nothing to do."""
        ...

    def give(self, hand: int, job: Any) -> None:
        """Add a job to those of a hand, which does them one after the other."""
        ...

    def take(self) -> tuple[int, Any, Any] | None:
        """Wait for a job to be done; returns hand, job and result, or None when all are idle.
        Raises what `run` does."""
        ...


def leave_if_imported() -> None:
    """A script without main guard is run again by each worker that it starts: end there, silently.
    The process that started it says what to do."""
    if getattr(current_process(), "_inheriting", False):
        sys.exit(1)


@contextmanager
def process_pool(
    makes: Sequence[Callable[[], Callable[[Any], Any]]],
    lost: Callable[[Any, str], Any] | None = None,
) -> Iterator[WorkerPool]:
    """New processes, one for each of `makes`, as for `run`. They start with their first job, and
    may have children of their own, as data loaders and servers are."""
    leave_if_imported()
    context = get_context("spawn")
    hands = _Crew([Worker(context, make) for make in makes], lost)
    # They are no daemons, so Python would wait for them at its end if nobody had stopped them.
    atexit.register(hands.stop)
    try:
        yield hands
    finally:
        atexit.unregister(hands.stop)
        hands.stop()


@contextmanager
def in_process(make: Callable[[], Callable[[Any], Any]]) -> Iterator[WorkerPool]:
    """This process, which does a job when its result is asked for. Mistakes of jobs are raised as
    they are."""
    with ExitStack() as stack:
        yield _Alone(make, stack)


class _Crew:
    def __init__(
        self, workers: "list[Worker]", lost: Callable[[Any, str], Any] | None = None
    ) -> None:
        self._workers, self._lost = workers, lost
        self._waiting: list[deque[Any]] = [deque() for _ in workers]

    def idle(self) -> list[int]:
        return [hand for hand, worker in enumerate(self._workers) if not worker.busy]

    def give(self, hand: int, job: Any) -> None:
        if self._workers[hand].busy:
            self._waiting[hand].append(job)
            return
        try:
            self._workers[hand].give(job)
        except WorkerDiedError:  # while it had nothing to do
            if self._lost is None:
                raise
            self._replace(hand)
            self._workers[hand].give(job)

    def take(self) -> tuple[int, Any, Any] | None:
        while busy := {w.connection: hand for hand, w in enumerate(self._workers) if w.busy}:
            ready = [busy[end] for end in wait(list(busy), _LOOK)]  # pyright: ignore
            ready += [hand for hand in busy.values() if self._workers[hand].ended]
            if not ready:
                continue
            hand = ready[0]
            worker = self._workers[hand]
            try:
                if (done := worker.take()) is None:
                    continue
                job, result = done
            except WorkerDiedError as death:
                if self._lost is None:
                    raise
                job, result = worker.job, self._lost(worker.job, str(death))
                self._replace(hand)
            if self._waiting[hand]:
                self.give(hand, self._waiting[hand].popleft())
            return hand, job, result
        return None

    def _replace(self, hand: int) -> None:
        self._workers[hand].stop()
        self._workers[hand] = self._workers[hand].successor()

    def stop(self) -> None:
        for worker in self._workers:
            worker.stop()


class _Alone:
    def __init__(self, make: Callable[[], Callable[[Any], Any]], stack: ExitStack) -> None:
        self._make, self._stack = make, stack
        self._work: Callable[[Any], Any] | None = None
        self._waiting: deque[Any] = deque()

    def idle(self) -> list[int]:
        return [] if self._waiting else [0]

    def give(self, hand: int, job: Any) -> None:
        self._waiting.append(job)

    def take(self) -> tuple[int, Any, Any] | None:
        if not self._waiting:
            return None
        work = self._work or self._stack.enter_context(closing_work(self._make()))
        self._work = work
        job = self._waiting.popleft()
        return 0, job, work(job)
