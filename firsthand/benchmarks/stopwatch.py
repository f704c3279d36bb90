"""How long calls of one function take, measured from outside while others run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any


class Stopwatch:
    """Sums the seconds spent in a function since it was last read."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def read(self) -> float:
        """The seconds since the last reading."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds


@contextmanager
def timed(owner: Any, name: str) -> Iterator[Stopwatch]:
    """Time every call of `owner.name` (a module's function, a class's method) inside the block."""
    original, stopwatch = getattr(owner, name), Stopwatch()

    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return original(*args, **kwargs)
        finally:
            stopwatch.seconds += time.perf_counter() - start

    setattr(owner, name, call)
    try:
        yield stopwatch
    finally:
        setattr(owner, name, original)
