"""Being told to stop: SIGTERM (Slurm's) and SIGHUP (a closed terminal) as Ctrl-C."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """Raised where Ctrl-C would be; holds the signal's number."""


@contextmanager
def like_ctrl_c() -> Iterator[None]:
    """Until the block ends, these signals interrupt it as Ctrl-C does, the first of them alone:
    Slurm sends several. One that is ignored, as with nohup, stays ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner = os.getpid()
    taken = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_DFL]

    def interrupt(number: int, _: FrameType | None) -> None:
        if os.getpid() != owner:  # a forked child, which would have ended
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        for other in taken:
            signal.signal(other, signal.SIG_IGN)
        raise Stopped(number)

    for number in taken:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def status(stopped: KeyboardInterrupt) -> int:
    """The exit status, as a shell gives it: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
    number = stopped.args[0] if isinstance(stopped, Stopped) else signal.SIGINT
    return 128 + number
