"""Says how far work has come: a live bar on a terminal, now and then a plain line elsewhere.

A file, a pipe or a cluster's log gets a line at the start, at every tenth and at the end, none
sooner than a second after another, and one a minute where a tenth takes longer. Work that was begun
before says in a line of its own from where it goes on.
"""

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

Thing = TypeVar("Thing")

_APART, _SILENT = 1.0, 60.0  # seconds between two plain lines, at least and at most


class ProgressBar(ABC):
    """How much of a work is done. `words` stand behind the figures; "" leaves them as they are."""

    def __init__(self, title: str, total: int, done: int) -> None:
        self.title, self.total, self.done, self.words = title, total, done, ""

    def advance(self, count: int = 1, words: str = "") -> None:
        """Some more is done."""
        self.reach(self.done + count, words)

    def reach(self, done: int, words: str = "", total: int | None = None) -> None:
        """So much is done, and there may turn out to be another `total` to do."""
        self.done, self.words = done, words or self.words
        self.total = self.total if total is None else total
        self._show()

    @abstractmethod
    def _show(self) -> None: ...


class Begin(Protocol):
    """Begins a bar, of which `done` is done already."""

    def __call__(self, title: str, total: int, done: int = 0) -> ProgressBar: ...


@contextmanager
def progress(clock: Callable[[], float] = time.monotonic) -> Iterator[Begin]:
    """Bars, as many as are begun; `clock` is for tests."""
    if not sys.stdout.isatty():

        def begin_lines(title: str, total: int, done: int = 0) -> ProgressBar:
            if line := _resumed(title, total, done):
                print(line, flush=True)
            return _Lines(title, total, done, clock)

        yield begin_lines
        return
    from rich.progress import (  # fmt: skip
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    name, words = (TextColumn(f"{{task.{what}}}") for what in ("description", "fields[words]"))
    times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(name, BarColumn(), MofNCompleteColumn(), words, *times) as bars:

        def begin(title: str, total: int, done: int = 0) -> ProgressBar:
            if line := _resumed(title, total, done):
                bars.console.print(line, markup=False, highlight=False)
            task = bars.add_task(title, total=total, completed=done, words="")
            return _Live(title, total, done, lambda **new: bars.update(task, **new))

        yield begin


def track(
    things: Iterable[Thing], title: str, total: int, *, visible: bool = True
) -> Iterator[Thing]:
    """The things, with a bar of how many of them have been dealt with."""
    if not visible:
        yield from things
        return
    with progress() as begin:
        bar = begin(title, total)
        for thing in things:
            yield thing
            bar.advance()


class _Live(ProgressBar):
    def __init__(self, title: str, total: int, done: int, update: Callable[..., None]) -> None:
        super().__init__(title, total, done)
        self._update = update

    def _show(self) -> None:
        self._update(completed=self.done, total=self.total, words=self.words)


class _Lines(ProgressBar):
    def __init__(self, title: str, total: int, done: int, clock: Callable[[], float]) -> None:
        super().__init__(title, total, done)
        self._clock = clock
        self._begun, self._already = clock(), done
        self._say("")

    def _show(self) -> None:
        if self.done < self._last_done:  # it has begun anew
            self._begun, self._already, self._last_done = self._last_time, 0, 0
        if self.done == self._last_done:
            return
        passed = self._clock() - self._last_time
        tenth = 10 * self.done // max(self.total, 1) > 10 * self._last_done // max(self.total, 1)
        if self.done >= self.total or passed >= _SILENT or (tenth and passed >= _APART):
            self._say(self._time())

    def _say(self, clock: str) -> None:
        self._last_time, self._last_done = self._clock(), self.done
        line = (f"{self.title} {self.done:,}/{self.total:,}", self.words, clock)
        print(" · ".join(part for part in line if part), flush=True)

    def _time(self) -> str:
        """How long it took, or how long the rest takes at the same pace."""
        took, here = self._clock() - self._begun, self.done - self._already
        if self.done >= self.total:
            return _minutes(took)
        return f"{_minutes(took / max(here, 1) * (self.total - self.done))} left"


def _resumed(title: str, total: int, done: int) -> str:
    return f"{title}: goes on from {done:,} of {total:,}" if 0 < done < total else ""


def _minutes(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
