"""What files of sentences hold: JSON, CSV, subtitles, captions.

Every entry is read for itself: one that is malformed is lost alone, by its file and number.
"""

import itertools
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firsthand.common.errors import UserError
from firsthand.episodes.episode import Narration
from firsthand.episodes.untrusted.trust import (
    NamedTwice,
    is_text,
    load_annotations,
    load_damaged_text,
    load_text,
    parse_csv,
)

ENDINGS = (".json", ".csv", ".tsv", ".srt", ".vtt", ".txt")
DELIMITERS = (",", ";", "\t")  # Excel writes the second where numbers have decimal commas
COLUMNS = ("start", "end", "text")
_CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2}(?:[.,]\d*)?)")
_CUE = re.compile(r"([\d:.,]+)\s*-->\s*([\d:.,]+).*")
_ARROW = re.compile(r"\d+:[\d:.,]+\s*(?:[-–—=]*>|→)\s*\d.*")  # also one that is mistyped
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)  # of a cue
_ASIDE = re.compile(r"(NOTE|STYLE|REGION)\b")  # which begins a block that is no cue, in WebVTT
_TAG = re.compile(r"<[^>]*>|\{\\[^}]*\}")
_LONGEST_CAPTION = 2000  # letters of a .txt; longer ones are no sentence about a video

Lose = Callable[[str, str], None]  # where in the file, and why
Rows = list[tuple[int, Any]]  # with their lines, or places in a list


@dataclass(frozen=True)
class VideoText:
    """A text about the whole of a video, and timed ones."""

    instruction: str = ""
    narrations: tuple[Narration, ...] = ()


def read_sentences(path: Path, lose: Lose) -> VideoText | None:
    """What a file beside a video says; None if it is another tool's, which says nothing of ours.

    Raises:
        UserError: nothing in it can be read.
    """
    ending = path.suffix.lower()
    if ending == ".json":
        content = load_annotations(path)
        return None if isinstance(content, dict) else parse_text(content, lose)
    if ending in (".srt", ".vtt"):
        return VideoText(narrations=tuple(_cues(load_damaged_text(path), lose)))
    if ending == ".txt":
        caption = " ".join(load_text(path).split())
        return VideoText(text_of(caption)) if len(caption) <= _LONGEST_CAPTION else None
    rows, comma = read_table(path, COLUMNS, lose)
    return VideoText(narrations=tuple(_narrations(rows, "line", lose, comma)))


def parse_text(value: Any, lose: Lose, where: str = "") -> VideoText:
    """A text, or a list of start, end and text.

    Raises:
        UserError: it is neither.
    """
    if isinstance(value, str):
        return VideoText(instruction=text_of(value))
    if not isinstance(value, list):
        raise UserError(f"must be a text or a list of start, end, text, not a {_kind(value)}")
    return VideoText(narrations=tuple(_narrations(list(enumerate(value)), f"{where}entry", lose)))


def read_table(path: Path, columns: tuple[str, ...], lose: Lose) -> tuple[Rows, bool]:
    """The rows of a CSV file that are not empty, and whether numbers may have decimal commas."""
    text = load_damaged_text(path)
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
    return Narration(start, end, text_of(entry["text"]))


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
    """The sentences of subtitles. What stands before the first times (a header, notes) is none."""
    lines = [line.strip() for line in re.split(r"\r\n?|\n", text)]
    webvtt = lines[0].startswith("WEBVTT")
    starts = list(_times_of_cues(lines))
    number = lines[starts[0] - 1] if starts and starts[0] else ""
    for at, end in itertools.pairwise([*starts, len(lines)]):
        cue = lines[at + 1 : end]
        if end < len(lines):
            cue, number = _without_next_label(cue, number, webvtt)
        times = _CUE.fullmatch(lines[at])
        start, stop = times.groups() if times else (lines[at], "")
        try:
            yield narration({"start": start, "end": stop, "text": _cue_text(cue, webvtt)})
        except UserError as error:
            lose(f"line {at + 1}", str(error))


def _times_of_cues(lines: list[str]) -> Iterator[int]:
    """The lines of times: those that look so, and of those between two empty lines the first with
    an arrow."""
    known = False
    for at, line in enumerate(lines):
        known = known and bool(line)
        if _ARROW.match(line) or (not known and "-->" in line):
            known = True
            yield at


def _without_next_label(cue: list[str], number: str, webvtt: bool) -> tuple[list[str], str]:
    """A cue's lines without the number (or in WebVTT the name) of the next, and what that is.

    A number stands below an empty line or is one more than the cue's own, which is `number`.
    """
    last = max((at for at, line in enumerate(cue) if line), default=0)
    label = cue[last] if cue else ""
    numbers = [int(n) for n in (number, label) if _NUMBER.fullmatch(n)]
    counted = len(numbers) == 2 and numbers[1] == numbers[0] + 1
    alone = last == len(cue) - 1 and (last == 0 or not cue[last - 1])
    apart = alone and last > 0 and (webvtt or _NUMBER.fullmatch(label) is not None)
    return (cue[:last], label) if counted or apart else (cue, "")


def _cue_text(cue: list[str], webvtt: bool) -> str:
    """The lines of a cue without tags, and without notes and styles behind an empty line."""
    blocks = [list(block) for there, block in itertools.groupby(cue, bool) if there]
    if webvtt:
        first = blocks[:1] if cue and cue[0] else []
        blocks = first + [b for b in blocks[len(first) :] if not _ASIDE.match(b[0])]
    return " ".join(_TAG.sub("", " ".join(itertools.chain(*blocks))).split())


def text_of(value: Any) -> str:
    """A sentence.

    Raises:
        UserError: it is no text, or holds what no text may (zeros, halves of characters).
    """
    if not isinstance(value, str):
        raise UserError(f"the text is a {_kind(value)}")
    if not is_text(value):
        raise UserError(f"{value!r:.200} holds a character that is not text")
    return value.strip()


def _kind(value: Any) -> str:
    names = {dict: "mapping", list: "list", str: "text", bool: "truth value", type(None): "null",
             NamedTwice: "value that is named twice"}  # fmt: skip
    return names.get(type(value), "number")
