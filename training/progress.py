"""Says how far training has come: a live line on a terminal, now and then a plain one elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_QUIET_SECONDS = 15.0


class Reporter:
    """Told of every step, and of the loss and speed whenever they are known."""

    def __init__(
        self, title: str, steps: int, done: int, bar: Progress | None, speak: bool
    ) -> None:
        self._title, self._steps, self._begun_at, self._step = title, steps, done, done
        self._bar, self._speak = bar, speak
        self._begun = self._spoke = time.monotonic()
        if bar is not None:
            self._task = bar.add_task(title, total=steps, completed=done, figures="")

    def advance(self) -> None:
        self._step += 1
        if self._bar is not None:
            self._bar.advance(self._task)

    def figures(self, loss: float, windows_per_second: float) -> None:
        """loss: mean since the last call."""
        words = f"loss {loss:.4f} · {windows_per_second:.0f} windows/s"
        if self._bar is not None:
            self._bar.update(self._task, figures=words)
        elif self._speak and self._is_time():
            self._spoke = time.monotonic()
            pace = (self._spoke - self._begun) / max(self._step - self._begun_at, 1)
            left = round(pace * (self._steps - self._step))
            clock = f"{left // 60}:{left % 60:02d} left"
            print(f"{self._title} {self._step}/{self._steps} · {words} · {clock}", flush=True)

    def _is_time(self) -> bool:
        return self._step == self._steps or time.monotonic() - self._spoke > _QUIET_SECONDS


@contextmanager
def report(title: str, steps: int, done: int, speak: bool) -> Iterator[Reporter]:
    """A reporter; one that says nothing where `speak` is off."""
    if not speak or not sys.stdout.isatty():
        yield Reporter(title, steps, done, None, speak)
    else:
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[figures]}"))
        with Progress(TextColumn(title), *columns, TimeRemainingColumn()) as bar:
            yield Reporter(title, steps, done, bar, speak)
