"""Which frames of CALVIN's play a sentence is about: lang_annotations/auto_lang_ann.npy.

A pickled table {"language": {"ann": [sentence], "task": [task], "emb": array}, "info": {"indx":
[(first, end)], …}}, written by `automatic_lang_annotator_mp.py` of mees/calvin. `end` is one past
the last frame: the writer stores first + length, and the official loader shows no later frame.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from firsthand.common.errors import UserError
from firsthand.episodes.text.caption_files import text_of
from firsthand.episodes.untrusted.npy import load_npy

FILE = "auto_lang_ann.npy"
MAX_FRAMES = 10_000_000  # names of frames have seven digits
_EXAMPLES = 3  # examples in a note


@dataclass(frozen=True)
class Annotation:
    """A sentence about the frames first … end - 1, and the name of the task it stands for."""

    first: int
    end: int
    text: str
    task: str


@dataclass(frozen=True)
class Language:
    """The annotations of a folder, in the file's order, each once; which are no annotations; and
    what is odd about the others."""

    annotations: tuple[Annotation, ...] = ()
    lost: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def load_language(path: Path) -> Language:
    """Sentences whose windows are too few, or the other way round, are all lost: nobody knows which
    belong together. So are tasks, which the sentences do without.

    Raises:
        UserError: naming the file, which is damaged.
    """
    table = load_npy(path, objects=True)
    try:
        content = table.item()
        windows, texts = list(content["info"]["indx"]), list(content["language"]["ann"])
        tasks = content["language"].get("task", [""] * len(texts))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise UserError(f"{path}: holds no table of language annotations") from None
    tasks = list(tasks) if isinstance(tasks, list | tuple | np.ndarray) else []
    counts = f"{FILE} has {len(windows)} windows, {len(texts)} sentences and {len(tasks)} tasks"
    if len(windows) != len(texts):
        rows = range(max(len(windows), len(texts)))
        return Language(lost=tuple((f"annotation {number}", counts) for number in rows))
    fitting = len(tasks) == len(texts)
    tasks = tasks if fitting else [""] * len(texts)
    language = to_language(list(zip(windows, texts, tasks, strict=True)))
    notes = () if fitting else (f"{counts}, which are not kept",)
    return replace(language, notes=(*notes, *language.notes))


def to_language(rows: Sequence[tuple[Any, Any, Any]]) -> Language:
    """Rows of (window, sentence, task), believed only as far as they make sense."""
    annotations: dict[Annotation, int] = {}
    lost = []
    for number, row in enumerate(rows):
        try:
            annotation = _annotation(*row)
            annotations[annotation] = annotations.get(annotation, 0) + 1
        except UserError as error:
            lost.append((f"annotation {number}", str(error)))
    return Language(tuple(annotations), tuple(lost), tuple(_oddities(annotations)))


def _annotation(window: Any, text: Any, task: Any) -> Annotation:
    bounds = list(window) if isinstance(window, list | tuple | np.ndarray) else []
    whole = all(isinstance(b, int | np.integer) and not isinstance(b, bool) for b in bounds)
    if len(bounds) != 2 or not whole or not 0 <= bounds[0] < bounds[1] <= MAX_FRAMES:
        raise UserError(f"its window {str(window):.80} is not first < end <= {MAX_FRAMES}")
    if not isinstance(text, str) or not text.strip():
        raise UserError(f"its sentence is {text!r:.80}")
    return Annotation(int(bounds[0]), int(bounds[1]), text_of(text), str(task))


def _oddities(annotations: dict[Annotation, int]) -> list[str]:
    notes = []
    repeats = sum(annotations.values()) - len(annotations)
    if repeats:
        twice = [a for a, count in annotations.items() if count > 1]
        notes.append(
            f"{repeats} annotations repeat others word for word and are read once: "
            + _examples(twice)
        )
    windows = Counter((a.first, a.end) for a in annotations)
    several = [a for a in annotations if windows[a.first, a.end] > 1]
    tasks: dict[tuple[int, int], set[str]] = {}
    for a in several:
        tasks.setdefault((a.first, a.end), set()).add(a.task)
    if several:
        contradictory = sum(len(names) > 1 for names in tasks.values())
        notes.append(
            f"{len(tasks)} windows have several sentences, {contradictory} of them for different "
            f"tasks; each is a recording: {_examples(several)}"
        )
    return notes


def _examples(annotations: list[Annotation]) -> str:
    examples = [f"{a.first}-{a.end - 1} {a.text!r}" for a in annotations[:_EXAMPLES]]
    return ", ".join(examples) + (", …" if len(annotations) > _EXAMPLES else "")
