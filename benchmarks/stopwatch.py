"""How long calls take: until the device is done, or those of some functions while others run."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch

Result = TypeVar("Result")

Function = tuple[Any, str]  # a module or class, and the name of a function in it


class CallTimer:
    """Sums the processor's seconds spent in kinds of calls since it was last read.

    A call inside another counts for the outer one. Seconds are this process's CPU time, which is
    wall-clock time where nothing else runs, and not lengthened by whatever else does.
    """

    def __init__(self, kinds: Sequence[str]) -> None:
        self._seconds = dict.fromkeys(kinds, 0.0)
        self._inside = False

    def read(self) -> dict[str, float]:
        """The seconds of every kind since the last reading."""
        seconds, self._seconds = self._seconds, dict.fromkeys(self._seconds, 0.0)
        return seconds

    def wrap(self, kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed."""

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return function(*args, **kwargs)
            self._inside, start = True, time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self._seconds[kind] += time.process_time() - start
                self._inside = False

        return call


@contextmanager
def timed(kinds: Mapping[str, Sequence[Function]]) -> Iterator[CallTimer]:
    """Time every call of the named functions inside the block."""
    stopwatch = CallTimer(list(kinds))
    with ExitStack() as stack:
        for kind, functions in kinds.items():
            for owner, name in functions:
                original = getattr(owner, name)
                setattr(owner, name, stopwatch.wrap(kind, original))
                stack.callback(setattr, owner, name, original)
        yield stopwatch


def timed_call(
    device: "torch.device", function: Callable[..., Result], *arguments: Any
) -> tuple[Result, float]:
    """What a function returns, and the wall-clock milliseconds until the device had done it."""
    from firsthand.training.throughput import settle

    begun = time.perf_counter()
    result = function(*arguments)
    settle(device)
    return result, 1000 * (time.perf_counter() - begun)
