"""What is said in videos, from files beside them.

    clip.json, clip.csv beside clip.mp4      a text for the whole clip, or timed texts
    lang_annotations.json, narrations.json   in a folder: video (path from there) -> the same

JSON holds a string, or a list of {"start": s, "end": s, "text": …}; CSV has the columns start, end,
text. Times are seconds from the video's start.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from episodes.episode import Narration
from episodes.errors import UserError
from episodes.trust import is_there, load_csv, load_json

FOLDER_FILES = ("lang_annotations.json", "narrations.json")


@dataclass(frozen=True)
class Said:
    """A text about the whole of a video, and timed ones."""

    instruction: str = ""
    narrations: tuple[Narration, ...] = ()


def read_narrations(root: Path, videos: list[Path]) -> tuple[dict[Path, Said], list[str]]:
    """What is said in each video under a root, and which entries name no video.

    A file beside a video goes before one for its folder, a deeper folder's before a higher one's.
    `root` must be absolute and without "..", and the videos paths below it.

    Raises:
        UserError: a narration file is malformed, or names a path outside the root.
    """
    folders = {parent for video in videos for parent in video.parents}
    said: dict[Path, Said] = {}
    for folder in sorted(f for f in folders if f.is_relative_to(root)):
        for name in FOLDER_FILES:
            if is_there(path := folder / name):
                said.update(_folder_file(path, root))
    strangers = [str(path.relative_to(root)) for path in sorted(set(said) - set(videos))]
    for video in videos:
        for path in (video.with_suffix(".json"), video.with_suffix(".csv")):
            if is_there(path) and path.name not in FOLDER_FILES:
                said[video] = _csv(path) if path.suffix == ".csv" else _said(load_json(path), path)
                break
    return {video: said.get(video, Said()) for video in videos}, strangers


def _folder_file(path: Path, root: Path) -> dict[Path, Said]:
    content = load_json(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: must map video names to texts, but is a {_kind(content)}")
    result = {}
    for key, value in content.items():
        video = Path(os.path.normpath(path.parent / key)) if "\0" not in key else root.parent
        if os.path.isabs(key) or not video.is_relative_to(root):
            raise UserError(f"{path}: {key!r} leads out of the folder {root}")
        result[video] = _said(value, path, f"{key!r}: ")
    return result


def _said(value: Any, path: Path, where: str = "") -> Said:
    if isinstance(value, str):
        return Said(instruction=_text(value, path, where))
    if not isinstance(value, list):
        raise UserError(
            f"{path}: {where}must be a text or a list of start, end, text, not a {_kind(value)}"
        )
    narrations = []
    for number, entry in enumerate(value):
        entry_where = f"{where}entry {number}: "
        if not isinstance(entry, dict) or not {"start", "end", "text"} <= set(entry):
            raise UserError(f"{path}: {entry_where}must have start, end and text")
        narrations.append(_narration(entry, path, entry_where))
    return Said(narrations=tuple(narrations))


def _csv(path: Path) -> Said:
    rows = load_csv(path, ("start", "end", "text"))
    return Said(
        narrations=tuple(_narration(row, path, f"row {n}: ") for n, row in enumerate(rows, 1))
    )


def _narration(entry: dict[str, Any], path: Path, where: str) -> Narration:
    try:
        start, end = float(entry["start"]), float(entry["end"])
    except (TypeError, ValueError, OverflowError):
        raise UserError(
            f"{path}: {where}start and end must be seconds, "
            f"not {entry['start']!r} and {entry['end']!r}"
        ) from None
    if not (0 <= start <= end and math.isfinite(end)):
        raise UserError(f"{path}: {where}start {start} and end {end} are not 0 <= start <= end")
    return Narration(start, end, _text(entry["text"], path, where))


def _text(value: Any, path: Path, where: str) -> str:
    if not isinstance(value, str):
        raise UserError(f"{path}: {where}the text is a {_kind(value)}")
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise UserError(f"{path}: {where}{value!r} holds a character that is not text")
    return value.strip()


def _kind(value: Any) -> str:
    names = {dict: "mapping", list: "list", str: "text", bool: "truth value", type(None): "null"}
    return names.get(type(value), "number")
