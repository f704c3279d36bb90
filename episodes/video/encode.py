"""What an encoder must not do to the thread that calls it. Its own file: encoders are many."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def keep_scheduling() -> Iterator[None]:
    """Schedules this thread afterwards as before, while SVT-AV1 encodes: it makes the thread that
    calls it a real-time one if it may (as root, in containers), and what waits by turns for other
    threads then stops one core."""
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, priority)
