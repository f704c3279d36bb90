"""What files of sentences hold: JSON, CSV, subtitles, captions.

Every entry is read for itself: one that is malformed is lost alone, by its file and number.
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from episodes.episode import Narration
from episodes.errors import UserError
from episodes.trust import load_json, load_text, parse_csv

ENDINGS = (".json", ".csv", ".tsv", ".srt", ".vtt", ".txt")
DELIMITERS = (",", ";", "\t")  # Excel writes the second where numbers have decimal commas
COLUMNS = ("start", "end", "text")
_CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2}(?:[.,]\d*)?)")
_CUE = re.compile(r"([\d:.,]+)\s+-->\s+([\d:.,]+).*")
_TAG = re.compile(r"<[^>]*>|\{\\[^}]*\}")
_LONGEST_CAPTION = 2000  # letters of a .txt; longer ones are no sentence about a video

Lose = Callable[[str, str], None]  # where in the file, and why
Rows = list[tuple[int, Any]]  # with their lines, or places in a list


@dataclass(frozen=True)
class Said:
    """A text about the whole of a video, and timed ones."""

    instruction: str = ""
    narrations: tuple[Narration, ...] = ()


def read_sentences(path: Path, lose: Lose) -> Said | None:
    """What a file beside a video says; None if it is another tool's, which says nothing of ours.

    Raises:
        UserError: nothing in it can be read.
    """
    ending = path.suffix.lower()
    if ending == ".json":
        content = load_json(path)
        return None if isinstance(content, dict) else said_in(content, lose)
    if ending in (".srt", ".vtt"):
        return Said(narrations=tuple(_cues(load_text(path), lose)))
    if ending == ".txt":
        caption = " ".join(load_text(path).split())
        return Said(_text(caption)) if len(caption) <= _LONGEST_CAPTION else None
    rows, comma = read_table(path, COLUMNS, lose)
    return Said(narrations=tuple(_narrations(rows, "line", lose, comma)))


def said_in(value: Any, lose: Lose, where: str = "") -> Said:
    """A text, or a list of start, end and text.

    Raises:
        UserError: it is neither.
    """
    if isinstance(value, str):
        return Said(instruction=_text(value))
    if not isinstance(value, list):
        raise UserError(f"must be a text or a list of start, end, text, not a {_kind(value)}")
    return Said(narrations=tuple(_narrations(list(enumerate(value)), f"{where}entry", lose)))


def read_table(path: Path, columns: tuple[str, ...], lose: Lose) -> tuple[Rows, bool]:
    """The rows of a CSV file that are not empty, and whether numbers may have decimal commas."""
    text = load_text(path)
    first = text.partition("\n")[0]
    fits = [d for d in DELIMITERS if {*columns} <= {name.strip(' "\r') for name in first.split(d)}]
    delimiter = (fits or DELIMITERS)[0]
    rows = parse_csv(text, str(path), columns, delimiter, lose)
    return [(n, row) for n, row in rows if any(map(str.strip, row.values()))], delimiter != ","


def _narrations(rows: Rows, kind: str, lose: Lose, comma: bool = False) -> Iterator[Narration]:
    for number, row in rows:
        try:
            yield narration(row, comma)
        except UserError as error:
            lose(f"{kind} {number}", str(error))


def narration(entry: Any, comma: bool = False) -> Narration:
    """A timed sentence of a table.

    Raises:
        UserError: it is none, and why.
    """
    if not isinstance(entry, dict) or not {*COLUMNS} <= set(entry):
        raise UserError("must have start, end and text")
    start, end = _seconds(entry["start"], comma), _seconds(entry["end"], comma)
    if start is None or end is None:
        raise UserError(
            f"start and end must be seconds, not {entry['start']!r:.50} and {entry['end']!r:.50}"
        )
    if not (0 <= start <= end and math.isfinite(end)):
        raise UserError(f"start {start} and end {end} are not 0 <= start <= end")
    return Narration(start, end, _text(entry["text"]))


def _seconds(value: Any, comma: bool) -> float | None:
    """Seconds, also those that are written 0:01:30.5 or 01:30."""
    if isinstance(value, str):
        value = value.strip()
        if found := _CLOCK.fullmatch(value):
            hours, minutes, seconds = found.groups()
            return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))
        value = value.replace(",", ".") if comma and value.count(",") == 1 else value
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _cues(text: str, lose: Lose) -> Iterator[Narration]:
    """The sentences of subtitles. What stands before their times (numbers, notes) is none."""
    for number, block in enumerate(re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")), 1):
        lines = [line.strip() for line in block.strip().split("\n")]
        at = next((n for n, line in enumerate(lines) if "-->" in line), None)
        if at is None:
            continue
        times = _CUE.fullmatch(lines[at])
        spoken = " ".join(_TAG.sub("", " ".join(lines[at + 1 :])).split())
        start, end = times.groups() if times else (lines[at], "")
        try:
            yield narration({"start": start, "end": end, "text": spoken})
        except UserError as error:
            lose(f"block {number}", str(error))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise UserError(f"the text is a {_kind(value)}")
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise UserError(f"{value!r:.200} holds a character that is not text")
    return value.strip()


def _kind(value: Any) -> str:
    names = {dict: "mapping", list: "list", str: "text", bool: "truth value", type(None): "null"}
    return names.get(type(value), "number")
