"""One of several processes that do jobs: how it is started, asked, replaced and stopped."""

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from typing import Any

from firsthand.common.errors import UserError, unwritable
from firsthand.common.executor import born_deaf, stay_deaf

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

_MERCY = 5.0  # seconds that an orphan has for tidying up


class WorkerDiedError(RuntimeError):
    """A process ended in the midst of a job."""


class Terminated(BaseException):
    """What SIGTERM raises in a worker: no policy takes it for an error of its own."""


class Worker:
    """A process and the job it is busy with. It starts with its first job."""

    def __init__(self, context: SpawnContext, make: Callable[[], Callable[[Any], Any]]) -> None:
        self.connection, self._other_end = context.Pipe()
        self._context, self._make = context, make
        self._process = context.Process(target=serve, args=(make, self._other_end))
        self._started = self._ready = False
        self.busy = False
        self.job: Any = None

    def successor(self) -> "Worker":
        """Another of its kind, which has done nothing yet."""
        return Worker(self._context, self._make)

    def give(self, job: Any) -> None:
        if not self._started:
            with _one_thread(), born_deaf():
                self._process.start()
            self._other_end.close()
            self._started = True
        self.job, self.busy = job, True
        try:
            self.connection.send(job)
        except (BrokenPipeError, ConnectionResetError):
            raise self._death() from None

    @property
    def ended(self) -> bool:
        """Whether the process is no more. Its connection may be open all the same, as long as a
        process that it has forked lives."""
        return self._process.exitcode is not None

    def take(self) -> tuple[Any, Any] | None:
        """The finished job and its result; None if the process has only now become ready."""
        try:
            if self.ended and not self.connection.poll():
                raise EOFError
            kind, value = self.connection.recv()
        except (EOFError, ConnectionResetError):
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

    def _death(self) -> Exception:
        self._process.join(timeout=5)
        code = self._process.exitcode
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"exited {code}"
        if not self._ready:
            return UserError(
                f"a worker process ended before it could begin ({how}). A script starts workers "
                'under `if __name__ == "__main__":`, and what they use is defined in a '
                "module that they can import; workers=0 starts none"
            )
        return WorkerDiedError(f"a worker process died ({how}) at {self.job}")

    def stop(self) -> None:
        if self.connection.closed:
            return
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


def serve(make: Callable[[], Callable[[Any], Any]], connection: Connection) -> None:
    """The life of a worker process."""
    stay_deaf()  # the parent stops us, and we tidy up
    signal.signal(signal.SIGTERM, _terminate)
    # What a policy forks, such as readers of data, ends when it is told to, as anywhere else.
    os.register_at_fork(after_in_child=partial(signal.signal, signal.SIGTERM, signal.SIG_DFL))
    threading.Thread(target=_die_with_parent, daemon=True).start()
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
                    told = unwritable(error)
                    answer = (
                        ("user error", str(told)) if told else ("error", traceback.format_exc())
                    )
                connection.send(answer)
            except (EOFError, BrokenPipeError, ConnectionResetError, Terminated):
                return  # the parent has gone, has no more jobs, or stops us


def _terminate(number: int, _: object) -> None:
    """Tidy up and end; a scheduler may say so twice."""
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


def _die_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)  # so that worlds are closed, whose files would stay
    time.sleep(_MERCY)
    os._exit(1)
