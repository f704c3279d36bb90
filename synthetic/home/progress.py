"""Numbered work done by several processes, with a bar that shows how far it is."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from firsthand.common.progress import progress
from firsthand.common.workers import run

Result = TypeVar("Result")


def finished(
    title: str,
    work: Callable[[int], Result],
    numbers: Sequence[int],
    workers: int,
    total: int | None = None,
) -> Iterator[tuple[int, Result]]:
    """Every number with what `work` made of it, as they are done.

    `work` must be picklable. Of `total`, what is not in `numbers` counts as done already.
    """
    total = len(numbers) if total is None else total
    jobs = iter(numbers)
    processes = 0 if workers == 1 else min(workers, len(numbers))
    with progress() as begin:
        bar = begin(title, total, total - len(numbers))
        for number, result in run(partial(_same, work), lambda: next(jobs, None), processes):
            bar.advance()
            yield number, result


def _same(work: Callable[[int], Result]) -> Callable[[int], Result]:
    """What `run` has every process make for itself."""
    return work
