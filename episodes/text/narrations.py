"""What is said in videos, from files beside them.

    clip.json, .csv, .tsv beside clip.mp4    a text for the whole clip, or timed texts
    clip.srt, .vtt, .txt                     subtitles; a caption of the whole clip
    lang_annotations.json, narrations.json   in a folder: video (path from there) -> text or texts
    metadata.csv, .jsonl, narrations.csv     in a folder: a row each with file_name and text (or
                                             caption); with start and end, texts that are timed

JSON holds a string, or a list of {"start": s, "end": s, "text": …}; CSV has the columns start, end,
text. Times are seconds from the video's start. clip.mp4.json is clip.json, and endings may be in
any case. A file for a folder may tell of a video in several rows or entries: one text for the whole
and timed ones. Captions beside videos are video2dataset's custom, metadata.csv Hugging Face's.
"""

import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firsthand.common.errors import UserError
from firsthand.episodes.episode import Narration
from firsthand.episodes.tally import Tally
from firsthand.episodes.text.caption_files import (
    ENDINGS,
    Lose,
    VideoText,
    narration,
    parse_text,
    read_sentences,
    read_table,
)
from firsthand.episodes.untrusted.trust import inside, load_annotations, load_json_lines

TEXTS = ("text", "caption")  # columns
LISTS = ("lang_annotations.json", "narrations.json")
TABLES = ("metadata.csv", "metadata.jsonl", "narrations.csv")
Below = dict[Path, list[str]]  # folders and the names of the files in them: `rooted.walk`


def read_narrations(
    root: Path, videos: list[Path], below: Below, tally: Tally, links: bool = False
) -> tuple[dict[Path, VideoText], list[str], set[Path]]:
    """What is said in each video (or folder in a video's place), which entries name none, and
    which files were read.

    A file beside a video goes before one for its folder, a deeper folder's before a higher one's.
    Entries and files that cannot be used are lost in the tally, each by its file and place.

    Args:
        root: absolute and without "..", and the videos paths below it.
    """
    reading = _Reading(root, tally, links)
    for folder in sorted(below):
        reading.folder(folder, below[folder])
    strangers = [str(path.relative_to(root)) for path in sorted(set(reading.texts) - set(videos))]
    for folder, names in below.items():
        reading.beside([video for video in videos if video.parent == folder], names)
    return {v: reading.texts.get(v, VideoText()) for v in videos}, strangers, reading.files


@dataclass
class _Entries:
    """What a file for a folder says of each video."""

    texts: dict[Path, str] = field(default_factory=dict)
    timed: dict[Path, list[Narration]] = field(default_factory=lambda: defaultdict(list))

    def add(self, video: Path, text: VideoText) -> None:
        """Raises `UserError` for a second text about the whole."""
        if text.instruction and self.texts.get(video):
            raise UserError(f"{video.name} has a text about the whole already")
        self.texts[video] = self.texts.get(video) or text.instruction
        self.timed[video] += text.narrations

    def by_video(self) -> dict[Path, VideoText]:
        return {v: VideoText(text, tuple(self.timed[v])) for v, text in self.texts.items()}


@dataclass
class _Reading:
    root: Path
    tally: Tally
    links: bool
    texts: dict[Path, VideoText] = field(default_factory=dict)
    files: set[Path] = field(default_factory=set)

    def folder(self, folder: Path, names: list[str]) -> None:
        """Tables, then lists, which go before them."""
        there = {name.lower(): name for name in names}
        for kinds, read in ((TABLES, self._table), (LISTS, self._list)):
            for name in kinds:
                if name in there:
                    self._read_or_lose(folder / there[name], read)

    def beside(self, videos: list[Path], names: list[str]) -> None:
        """For each video the first file that says something, in the order of `ENDINGS`."""
        there: dict[str, list[str]] = defaultdict(list)
        for name in names:
            if Path(name).suffix.lower() in ENDINGS and name.lower() not in (*LISTS, *TABLES):
                there[Path(name).stem].append(name)
        for video in videos:
            found = {*there.get(video.stem, ()), *there.get(video.name, ())}
            for name in sorted(found, key=lambda n: (ENDINGS.index(Path(n).suffix.lower()), n)):
                if text := self._read_or_lose(video.with_name(name), read_sentences):
                    self._set_text(video, text)
                    break

    def _read_or_lose(
        self, path: Path, read: Callable[[Path, Lose], VideoText | None]
    ) -> VideoText | None:
        """What a file says, if anything; a file that cannot be read is lost."""
        name = str(path.relative_to(self.root))

        def lose(where: str, reason: str) -> None:
            self.tally.lose("sentence", f"{name}: {where}" if where else name, reason)

        self.files.add(path)
        try:
            inside(self.root, name, self.links)
            text = read(path, lose)
        except UserError as error:
            lose("", str(error).removeprefix(f"{path}: "))
            return None
        if text is None:
            self.files.discard(path)
        return None if text == VideoText() else text

    def _list(self, path: Path, lose: Lose) -> VideoText:
        content = load_annotations(path)
        if not isinstance(content, dict):
            raise UserError("must map video names to texts")
        entries = _Entries()
        for key, value in content.items():
            try:
                entries.add(self._video(path, key), parse_text(value, lose, f"{key!r:.100}, "))
            except UserError as error:
                lose(f"{key!r:.100}", str(error))
        return self._add_entries(entries)

    def _table(self, path: Path, lose: Lose) -> VideoText:
        if path.suffix.lower() == ".jsonl":
            rows, comma = load_json_lines(path, lose), False
        else:
            rows, comma = read_table(path, ("file_name",), lose)
            if rows and not {*TEXTS} & rows[0][1].keys():
                columns = ", ".join(rows[0][1])
                raise UserError(f"lacks the column {' or '.join(TEXTS)}; it has {columns:.200}")
        entries = _Entries()
        for number, row in rows:
            try:
                if not isinstance(row, dict) or not isinstance(row.get("file_name"), str):
                    raise UserError("names no file_name")
                video = self._video(path, row["file_name"])
                text = next((row[name] for name in TEXTS if not _is_empty(row.get(name))), None)
                if text is None:
                    raise UserError("has no text")
                if _is_empty(row.get("start")) and _is_empty(row.get("end")):
                    entry = parse_text(text, lose, f"line {number}, ")
                else:
                    entry = VideoText(narrations=(narration({**row, "text": text}, comma),))
                entries.add(video, entry)
            except UserError as error:
                lose(f"line {number}", str(error))
        return self._add_entries(entries)

    def _add_entries(self, entries: _Entries) -> VideoText:
        """What says nothing leaves what an earlier file says."""
        for video, text in entries.by_video().items():
            self._set_text(video, text if text != VideoText() else self.texts.get(video, text))
        return VideoText()

    def _set_text(self, video: Path, text: VideoText) -> None:
        """Of a video, instead of what was read before, which is noted."""
        before = self.texts.get(video, text)
        if before != text and (count := bool(before.instruction) + len(before.narrations)):
            self.tally.note("sentences are left out for those of a file that goes before", count)
        self.texts[video] = text

    def _video(self, path: Path, name: str) -> Path:
        video = Path(os.path.normpath(path.parent / name)) if "\0" not in name else self.root.parent
        if os.path.isabs(name) or not video.is_relative_to(self.root):
            raise UserError(f"{name!r:.100} leads out of the folder {self.root}")
        return video


def _is_empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())
