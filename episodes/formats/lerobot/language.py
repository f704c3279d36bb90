"""What is said in the episodes of a LeRobot dataset: its table of tasks, and our own columns."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from firsthand.common.errors import UserError
from firsthand.episodes.episode import Narration
from firsthand.episodes.formats.lerobot.layout import OURS, LeRobotInfo
from firsthand.episodes.tally import Tally
from firsthand.episodes.untrusted.parquet import load_parquet
from firsthand.episodes.untrusted.trust import is_text, is_there, load_json_lines, regular_file


def file_stamp(path: Path) -> tuple[int, int]:
    """Size and time of a file."""
    return regular_file(path), path.stat().st_mtime_ns


def tasks_path(root: Path, version: str) -> Path:
    """The table of sentences: tasks.jsonl before version 3.

    Raises:
        UserError: there is none.
    """
    names = ("tasks.parquet", "tasks.jsonl")
    for name in names:
        if is_there(path := root / "meta" / name):
            return path
    usual = names[version != "v3.0"]
    raise UserError(f"{root / 'meta' / usual}: is missing; download all of meta/")


@dataclass(frozen=True)
class Tasks:
    """The sentences by their numbers, and what is wrong with the rows that are none."""

    texts: Mapping[int, str]
    wrong: str


@lru_cache(maxsize=4)
def load_tasks(path: Path, stamp: tuple[int, int]) -> Tasks:
    """The table of sentences.

    Args:
        stamp: the file's size and time; when they change it is read again.

    Raises:
        UserError: naming the file, of which no row is a number and a sentence.
    """
    lost: list[str] = []
    pairs: list[tuple[int, Any, Any]] = []  # row, number, sentence
    if path.suffix == ".jsonl":
        for row, line in load_json_lines(path, lambda where, why: lost.append(f"{where} {why}")):
            kept: dict[str, Any] = line if isinstance(line, dict) else {}
            pairs.append((row, kept.get("task_index"), kept.get("task")))
    else:
        columns = load_parquet(path).to_pydict()
        numbers = columns.pop("task_index", [])
        texts = next(iter(columns.values()), [])  # a pandas index, which may have any name
        pairs = [(row, *pair) for row, pair in enumerate(zip(numbers, texts, strict=False), 1)]
    texts_of: dict[int, set[str]] = {}
    for row, number, text in pairs:
        if not isinstance(number, int) or not isinstance(text, str):
            lost.append(f"row {row} is no number and text")
        else:
            texts_of.setdefault(number, set()).add(text)
    lost += [
        f"task {number} has two sentences" for number, found in texts_of.items() if len(found) > 1
    ]
    single = {number: min(found) for number, found in texts_of.items() if len(found) == 1}
    clear = {number: text for number, text in single.items() if is_text(text)}
    lost += [
        f"task {number} holds a character that is not text" for number in single.keys() - clear
    ]
    if not texts_of:
        raise UserError(f"{path}: holds no table of tasks" + (f": {lost[0]:.200}" if lost else ""))
    return Tasks(clear, f" ({lost[0]:.200})" if lost else "")


def sentences(
    root: Path, layout: LeRobotInfo, tasks: np.ndarray | None, name: str, tally: Tally
) -> tuple[str, tuple[Narration, ...]]:
    """The sentence of all frames, or those of the stretches that have the same."""
    path = tasks_path(root, layout.version)
    known = load_tasks(path, file_stamp(path))
    if tasks is None or tasks.dtype.kind not in "iu":
        tally.lose("sentence", name, "its task_index holds no whole numbers")
        return "", ()
    cuts = [0, *(np.flatnonzero(np.diff(tasks)) + 1).tolist(), len(tasks)]
    narrations = []
    for first, end in zip(cuts, cuts[1:], strict=False):
        if (task := int(tasks[first])) in known.texts:
            narrations.append(Narration(first / layout.fps, end / layout.fps, known.texts[task]))
        else:
            reason = f"its task {task} is not in {path.name}{known.wrong}"
            tally.lose("sentence", f"{name}: frames {first} to {end - 1}", reason)
    tally.use("sentence", len(narrations))
    if len(cuts) == 2:
        return "".join(n.text for n in narrations), ()
    return "", tuple(n for n in narrations if n.text)


def restored(
    ours: Mapping[str, str],
    instruction: str,
    narrations: tuple[Narration, ...],
    source: dict[str, Any],
) -> tuple[str, tuple[Narration, ...], dict[str, Any]]:
    """What our own writer put beside LeRobot's columns, which hold less."""
    if not ours:
        return instruction, narrations, source
    try:
        instruction, timed, source = (json.loads(ours[name]) for name in OURS)
        return str(instruction), tuple(Narration(**n) for n in timed), dict(source)
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise UserError(f"its columns {', '.join(OURS)} are damaged: {error!s:.100}") from None
