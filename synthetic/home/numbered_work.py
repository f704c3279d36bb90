"""Numbered work done by several processes, with a bar, and kept so that no kill costs more than a
piece."""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from firsthand.common.atomic import write_json
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


def kept(
    title: str, work: Callable[[int], Any], folders: Sequence[Path], workers: int, ledgers: Path
) -> list[Any]:
    """What `work(number)` returns for the number of every folder, as JSON gives it back.

    A call fills the folder of its number with pictures. When it has, a file in `ledgers`, called
    like the folder, tells what it returned and how long the pictures are; a number of which all
    that is there is not worked on again.
    """
    ledgers.mkdir(parents=True, exist_ok=True)
    paths = [ledgers / f"{folder.name}.json" for folder in folders]
    pieces = list(zip(paths, folders, strict=True))
    missing = [number for number, (path, folder) in enumerate(pieces) if not _whole(path, folder)]
    make = partial(_make, work, pieces)
    list(finished(title, make, missing, workers, len(pieces)))
    return [json.loads(path.read_bytes())["made"] for path in paths]


def _make(work: Callable[[int], Any], pieces: Sequence[tuple[Path, Path]], number: int) -> None:
    path, folder = pieces[number]
    folder.mkdir(parents=True, exist_ok=True)
    made = work(number)
    write_json(path, {"made": made, "bytes": _sizes(folder)})


def _whole(path: Path, folder: Path) -> bool:
    """Whether a piece is finished: a machine that stopped may have left pictures short."""
    return path.exists() and json.loads(path.read_bytes())["bytes"] == _sizes(folder)


def _sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted(folder.glob("*"))}
