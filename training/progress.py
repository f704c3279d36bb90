"""Says how far training has come, how well it does and how fast it is."""

from collections.abc import Iterator
from contextlib import contextmanager

from firsthand.common.progress import ProgressBar, progress


class Reporter:
    """Told of every step, and of the loss and speed whenever they are known: after the last one
    in any case."""

    def __init__(self, steps: int, done: int, bar: ProgressBar | None) -> None:
        self._steps, self._step, self._bar = steps, done, bar

    def advance(self) -> None:
        self._step += 1
        if self._bar is not None and self._step < self._steps:  # the last is told with its figures
            self._bar.reach(self._step)

    def figures(self, loss: float, windows_per_second: float) -> None:
        """loss: mean since the last call."""
        if self._bar is not None:
            words = f"loss {loss:.4f} · {_three_digits(windows_per_second)} windows/s"
            self._bar.reach(self._step, words)


@contextmanager
def report(title: str, steps: int, done: int, speak: bool) -> Iterator[Reporter]:
    """A reporter; one that says nothing where `speak` is off."""
    if not speak:
        yield Reporter(steps, done, None)
        return
    with progress() as begin:
        yield Reporter(steps, done, begin(title, steps, done))


def _three_digits(rate: float) -> str:
    """A rate that can be read on slow machines and fast ones."""
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
