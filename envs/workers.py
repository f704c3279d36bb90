"""Jobs done by several processes, with a clear end when one of them fails."""

import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from typing import Any, Protocol, TypeVar, runtime_checkable

from episodes.errors import UserError

Job = TypeVar("Job")
Result = TypeVar("Result")

# One environment and one policy a process: more threads each would only get in each other's way.
_ONE_THREAD = {
    name: "1"
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
    )
}


def run(
    make: Callable[[], Callable[[Job], Result]],
    next_job: Callable[[], Job | None],
    workers: int,
) -> Iterator[tuple[Job, Result]]:
    """Every job with its result, as they are done.

    Each of `workers` new processes calls `make` once and what it returns for every job; with 0
    workers, this process does. What was made is closed in the end if it has a method `close`.
    `next_job` is called whenever somebody is idle; None means that nothing is to be done until
    another job has finished, or ever. All that crosses between processes must be picklable.

    Raises:
        UserError: a job raised one.
        RuntimeError: a job raised anything else, or a process died; says which job.
    """
    with crew([make] * workers) if workers else alone(make) as hands:
        while True:
            for hand in hands.idle():
                if (job := next_job()) is not None:
                    hands.give(hand, job)
            if (finished := hands.take()) is None:
                return
            yield finished[1:]


@runtime_checkable
class Hands(Protocol):
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


@contextmanager
def crew(makes: Sequence[Callable[[], Callable[[Any], Any]]]) -> Iterator[Hands]:
    """New processes, one for each of `makes`, as for `run`. They start with their first job."""
    context = get_context("spawn")
    workers = [_Worker(context, make) for make in makes]
    try:
        yield _Crew(workers)
    finally:
        for worker in workers:
            worker.stop()


@contextmanager
def alone(make: Callable[[], Callable[[Any], Any]]) -> Iterator[Hands]:
    """This process, which does a job when its result is asked for. Mistakes of jobs are raised as
    they are."""
    with ExitStack() as stack:
        yield _Alone(make, stack)


class _Crew:
    def __init__(self, workers: "Sequence[_Worker]") -> None:
        self._workers = workers
        self._waiting: list[deque[Any]] = [deque() for _ in workers]

    def idle(self) -> list[int]:
        return [hand for hand, worker in enumerate(self._workers) if not worker.busy]

    def give(self, hand: int, job: Any) -> None:
        if self._workers[hand].busy:
            self._waiting[hand].append(job)
        else:
            self._workers[hand].give(job)

    def take(self) -> tuple[int, Any, Any] | None:
        busy = {w.connection: hand for hand, w in enumerate(self._workers) if w.busy}
        if not busy:
            return None
        hand = busy[wait(list(busy))[0]]  # pyright: ignore[reportArgumentType]
        job, result = self._workers[hand].take()
        if self._waiting[hand]:
            self._workers[hand].give(self._waiting[hand].popleft())
        return hand, job, result


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
        work = self._work or self._stack.enter_context(_closing(self._make()))
        self._work = work
        job = self._waiting.popleft()
        return 0, job, work(job)


class _Worker:
    """A process and the job it is busy with. It starts with its first job."""

    def __init__(self, context: SpawnContext, make: Callable[[], Callable[[Any], Any]]) -> None:
        self.connection, self._other_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(make, self._other_end), daemon=True)
        self._started = False
        self.busy = False
        self._job: Any = None

    def give(self, job: Any) -> None:
        if not self._started:
            with _one_thread():
                self._process.start()
            self._other_end.close()
            self._started = True
        self._job, self.busy = job, True
        try:
            self.connection.send(job)
        except (BrokenPipeError, ConnectionResetError):
            raise self._death() from None

    def take(self) -> tuple[Any, Any]:
        """The finished job and its result."""
        try:
            kind, value = self.connection.recv()
        except (EOFError, ConnectionResetError):
            raise self._death() from None
        if kind == "user error":
            raise UserError(value)
        if kind == "error":
            raise RuntimeError(f"a worker process failed at {self._job}:\n{value}")
        self.busy = False
        return self._job, value

    def _death(self) -> RuntimeError:
        self._process.join(timeout=5)
        code = self._process.exitcode
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"exited {code}"
        return RuntimeError(f"a worker process died ({how}) at {self._job}")

    def stop(self) -> None:
        self.connection.close()
        if not self._started:
            self._other_end.close()
            return
        if self.busy:
            self._process.terminate()  # an idle one ends when it sees the closed connection
        self._process.join(timeout=10)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        self._process.close()


@contextmanager
def _one_thread() -> Iterator[None]:
    """New processes inherit these settings; numeric libraries read them when they are loaded."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(_ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(make: Callable[[], Callable[[Any], Any]], connection: Connection) -> None:
    """The life of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops us, and we tidy up
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with ExitStack() as stack:
        work = None
        while True:
            try:
                job = connection.recv()
                try:
                    work = work or stack.enter_context(_closing(make()))
                    answer = ("done", work(job))
                except UserError as error:
                    answer = ("user error", str(error))
                except Exception:
                    answer = ("error", traceback.format_exc())
                connection.send(answer)
            except (EOFError, BrokenPipeError, ConnectionResetError):
                return  # the parent has gone, or has no more jobs


@contextmanager
def _closing(work: Any) -> Iterator[Any]:
    try:
        yield work
    finally:
        if hasattr(work, "close"):
            work.close()


def _die_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
