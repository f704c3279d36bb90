"""Units of work on several processes, where a unit that kills its process is tried again.

Foreign files reach C libraries (FFmpeg, HDF5), and now and then one of them crashes its process.
That may cost the unit, never the work of the others. `LocalExecutor` uses this machine,
`common.ray_executor.RayExecutor` a cluster; what comes out is the same.
"""

import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol, TypeVar, runtime_checkable

from firsthand.common.errors import UserError

Job = TypeVar("Job")
Result = TypeVar("Result")

TRIES = 3  # of a unit whose process dies
_STARTED = object()
_FROM_TERMINAL = (signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True)
class WorkerCrash:
    """What comes of a unit whose process died every time: how it died the last time."""

    reason: str


@runtime_checkable
class Executor(Protocol):
    """Somebody who does units of work."""

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
    """New processes on this machine, `workers` of them; with 0, this process does the work."""

    workers: int = 1

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
        waiting = deque((job, 1) for job in jobs)  # and the number of the try
        idle = [_Worker(function) for _ in range(min(self.workers, len(jobs)))]
        busy: dict[Any, tuple[_Worker, Job, int]] = {}
        try:
            while waiting or busy:
                while waiting and idle:
                    worker, (job, tried) = idle.pop(), waiting.popleft()
                    worker.give(job)
                    busy[worker.connection] = worker, job, tried
                for connection in wait(list(busy)):
                    worker, job, tried = busy[connection]
                    if (answer := worker.take()) is _STARTED:
                        continue
                    del busy[connection]
                    if not isinstance(answer, WorkerCrash):
                        idle.append(worker)
                        yield job, answer
                        continue
                    idle.append(_Worker(function))
                    if tried < TRIES:
                        waiting.append((job, tried + 1))
                    else:
                        yield job, answer
        finally:
            for worker, *_ in busy.values():
                worker.stop()
            for worker in idle:
                worker.stop()


class _Worker:
    """A process that does one job at a time. It starts with its first one."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        # A forked process may not decode: FFmpeg's threads do not survive the fork.
        context = get_context("spawn")
        self.connection, self._other_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(function, self._other_end))
        self._started = False

    def give(self, job: Any) -> None:
        if self._process.pid is None:
            with born_deaf():
                self._process.start()
            self._other_end.close()  # so that the end of the process ends the connection
        with suppress(OSError):  # it died while idle, which `take` will find
            self.connection.send(job)

    def take(self) -> Any:
        """The result, `WorkerCrash`, or once in the beginning `_STARTED`."""
        try:
            kind, value = self.connection.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode or 0
            how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
            self.stop()
            if code > 0 and not self._started:
                raise UserError(
                    f"a worker process cannot start ({how}): a script that is to have workers "
                    "must do its work below `if __name__ == '__main__':`"
                ) from None
            return WorkerCrash(how)
        if kind == "started":
            self._started = True
            return _STARTED
        if kind == "user error":
            raise UserError(value)
        if kind == "error":
            raise RuntimeError(f"a worker process failed:\n{value}")
        return value

    def stop(self) -> None:
        self.connection.close()
        self._other_end.close()
        if self._process.pid is not None:
            self._process.kill()  # whatever it is writing has no final name yet
            self._process.join()
            self._process.close()


@contextmanager
def born_deaf() -> Iterator[None]:
    """Processes started meanwhile do not hear the terminal while they load: Ctrl-C reaches them
    too, and what has not come to `stay_deaf` would print a traceback."""
    resource_tracker.ensure_running()  # when it is started it lets signals in
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FROM_TERMINAL)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def stay_deaf() -> None:
    """An interrupted parent stops its processes itself. What they start hears as usual."""
    for number in _FROM_TERMINAL:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FROM_TERMINAL)


def _serve(function: Callable[[Any], Any], connection: Connection) -> None:
    """The life of a worker process."""
    stay_deaf()
    threading.Thread(target=_die_with_parent, daemon=True).start()
    connection.send(("started", None))
    while True:
        try:
            job = connection.recv()
            try:
                answer = ("done", function(job))
            except UserError as error:
                answer = ("user error", str(error))
            except Exception:
                answer = ("error", traceback.format_exc())
            connection.send(answer)
        except (EOFError, OSError):
            return


def _die_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
