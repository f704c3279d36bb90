"""A process that does jobs one after the other: how it starts, serves, dies and is stopped.

`common.workers` makes pools of them; nothing else starts one.
"""

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from firsthand.common.errors import UserError, unwritable

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_FROM_TERMINAL = (signal.SIGINT, signal.SIGHUP)


class WorkerDiedError(RuntimeError):
    """A process ended in the midst of a job.

    Attributes:
        exitcode: its exit status, or minus the signal that killed it; None if it is still ending.
        ready: whether it had begun its first job. One that had not can hardly do another.
    """

    def __init__(self, job: Any, exitcode: int | None, ready: bool) -> None:
        self.exitcode, self.ready = exitcode, ready
        killed = exitcode is not None and exitcode < 0
        how = f"was killed by signal {-(exitcode or 0)}" if killed else f"exited {exitcode}"
        super().__init__(f"a worker process died ({how}) at {job}")

    @property
    def reason(self) -> str:
        """How the process ended, without the job."""
        if self.exitcode is not None and self.exitcode < 0:
            return f"killed by {signal.Signals(-self.exitcode).name}"
        return f"exited with {self.exitcode}"

    def error(self) -> Exception:
        """What to raise: itself, or how to start workers if the process never was ready."""
        if self.ready:
            return self
        return UserError(
            f"a worker process cannot start ({self.reason}): a script that is to have workers must "
            "do its work below `if __name__ == '__main__':`, and what they use is defined in a "
            "module that they can import; workers=0 starts none"
        )


class Terminated(BaseException):
    """What SIGTERM raises in a worker: no policy takes it for an error of its own."""


class WorkerProcess:
    """A process and the job it is busy with. It starts with its first job.

    Args:
        make: called once in the process; what it returns is called with every job, and closed in
            the end if it has a method `close`.
        threads: of numeric libraries in the process; None leaves that to them.
        grace: seconds in which a process that is stopped, or whose parent is gone, may tidy up;
            with 0 it is killed at once.
    """

    def __init__(
        self, make: Callable[[], Callable[[Any], Any]], threads: int | None, grace: float
    ) -> None:
        # A forked process may not decode: FFmpeg's threads do not survive the fork.
        context = get_context("spawn")
        self.connection, self._other_end = context.Pipe()
        self._process = context.Process(target=serve, args=(make, self._other_end, grace))
        self._threads, self._grace = threads, grace
        self._started = self._ready = False
        self.busy = False
        self.job: Any = None

    def submit(self, job: Any) -> None:
        """Let the process, which must be idle, do a job.

        Raises:
            WorkerDiedError: it died while it was idle.
        """
        if not self._started:
            with _thread_limit(self._threads), terminal_signals_blocked():
                self._process.start()
            self._other_end.close()  # so that the end of the process ends the connection
            self._started = True
        self.job, self.busy = job, True
        try:
            self.connection.send(job)
        except OSError:
            raise self._death() from None

    @property
    def ended(self) -> bool:
        """Whether the process is no more. Its connection may be open all the same, as long as a
        process that it has forked lives."""
        return self._process.exitcode is not None

    def result(self) -> tuple[Any, Any] | None:
        """The finished job and its result; None if the process has only now become ready.

        Raises:
            WorkerDiedError: the process ended.
            UserError: the job raised one.
            RuntimeError: the job raised anything else; names the job, holds the traceback.
        """
        try:
            if self.ended and not self.connection.poll():
                raise EOFError
            kind, value = self.connection.recv()
        except (EOFError, OSError):
            raise self._death() from None
        if kind == "ready":
            self._ready = True
            return None
        if kind == "stop":
            raise KeyboardInterrupt
        if kind == "user error":
            raise UserError(value)
        if kind == "error":
            raise RuntimeError(f"a worker process failed at {self.job}:\n{value}")
        self.busy = False
        return self.job, value

    def _death(self) -> WorkerDiedError:
        self._process.join(timeout=5)
        return WorkerDiedError(self.job, self._process.exitcode, self._ready)

    def stop(self) -> None:
        if self.connection.closed:
            return
        self.connection.close()
        if not self._started:
            self._other_end.close()
            return
        if not self._grace:
            self._process.kill()
        elif self.busy:
            self._process.terminate()  # an idle one ends when it sees the closed connection
        self._process.join(timeout=self._grace or None)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        self._process.close()


@contextmanager
def _thread_limit(threads: int | None) -> Iterator[None]:
    """New processes inherit these settings; numeric libraries read them when they are loaded."""
    names = _THREADS if threads is not None else ()
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def terminal_signals_blocked() -> Iterator[None]:
    """Processes started meanwhile do not get Ctrl-C, which reaches them too, while they load: what
    has not come to `ignore_terminal_signals` would print a traceback."""
    resource_tracker.ensure_running()  # when it is started it lets signals in
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FROM_TERMINAL)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore_terminal_signals() -> None:
    """An interrupted parent stops its processes itself. What they start gets Ctrl-C as usual."""
    for number in _FROM_TERMINAL:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FROM_TERMINAL)


def serve(make: Callable[[], Callable[[Any], Any]], connection: Connection, grace: float) -> None:
    """Do the jobs that come by `connection`, until it is closed: what a worker process runs."""
    ignore_terminal_signals()
    if grace:
        signal.signal(signal.SIGTERM, _terminate)
        # What a policy forks, such as readers of data, ends at SIGTERM, as anywhere else.
        os.register_at_fork(after_in_child=partial(signal.signal, signal.SIGTERM, signal.SIG_DFL))
    threading.Thread(target=_die_with_parent, args=(grace,), daemon=True).start()
    with ExitStack() as stack:
        work = None
        while True:
            try:
                job = connection.recv()
                try:
                    if work is None:
                        work = stack.enter_context(closing_work(make()))
                        connection.send(("ready", None))
                    answer = ("done", work(job))
                except UserError as error:
                    answer = ("user error", str(error))
                except KeyboardInterrupt:  # the policy's own: Ctrl-C does not come here
                    answer = ("stop", None)
                except Exception as error:
                    answer = ("error", traceback.format_exc())
                    if disk_full := unwritable(error):
                        answer = ("user error", str(disk_full))
                connection.send(answer)
            except (EOFError, OSError, Terminated):
                return  # the parent has gone, has no more jobs, or stops us


def _terminate(number: int, _: object) -> None:
    """Tidy up and end; a scheduler may send the signal twice."""
    signal.signal(number, signal.SIG_IGN)
    raise Terminated


@contextmanager
def closing_work(work: Any) -> Iterator[Any]:
    """Closes what was made, if it can be closed."""
    try:
        yield work
    finally:
        if hasattr(work, "close"):
            work.close()


def _die_with_parent(grace: float) -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    if grace:
        os.kill(os.getpid(), signal.SIGTERM)  # so that worlds are closed, whose files would stay
        time.sleep(grace)
    os._exit(1)
