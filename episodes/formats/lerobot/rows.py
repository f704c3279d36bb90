"""Where the episodes of a LeRobot dataset are.

Version 2 has a parquet file and an mp4 a camera for every episode and lists them in
meta/episodes.jsonl; version 3 joins episodes in larger files, and meta/episodes/*.parquet says
where each begins. Which rows are an episode's is taken from the rows themselves, since lists are
stale where episodes were deleted or lerobot 0.4.0 converted them (its issue 2401: the episode at a
change of files is listed in the one before).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from firsthand.common.errors import UserError
from firsthand.episodes.formats.dataset_folder import Locate, is_hidden
from firsthand.episodes.formats.lerobot.layout import OURS, Feature, LeRobotInfo
from firsthand.episodes.formats.lerobot.values import to_numbers
from firsthand.episodes.untrusted.parquet import load_parquet, parquet_columns
from firsthand.episodes.untrusted.trust import is_there, load_json_lines

_MANY = 1 << 40
_MOST_EPISODES = 10_000_000  # that a file which cannot be read is believed to have listed


@dataclass(frozen=True)
class EpisodeRow:
    """An episode's rows of a parquet file (None: all), its start in seconds of its videos, and why
    it has none in others."""

    index: int
    length: int
    data: str
    first_row: int | None
    videos: Mapping[str, tuple[str, float]]
    ours: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return episode_name(self.index)


@dataclass
class Rows:
    """The episodes in order of their numbers; those that cannot be read, and why; those whose data
    is not there, as when a part of a dataset is downloaded."""

    found: list[EpisodeRow] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)


def episode_name(index: int) -> str:
    return f"episode_{index:06d}"


def load_rows(layout: LeRobotInfo, locate: Locate) -> Rows:
    """Raises `UserError`, naming the file, when there is no list of episodes."""
    videos = [name for name, feature in layout.features.items() if feature.kind == "video"]
    rows = Rows()
    once: dict[int, EpisodeRow] = {}
    for row in (_of_v3 if layout.version == "v3.0" else _of_v2)(layout, videos, locate, rows):
        if once.setdefault(row.index, row) != row:
            rows.lost[row.name] = "is listed twice, not as the same"
    named = rows.lost.keys() | rows.absent
    rows.found = [row for _, row in sorted(once.items()) if row.name not in named]
    return rows


def _of_v2(
    layout: LeRobotInfo, videos: list[str], locate: Locate, rows: Rows
) -> Iterator[EpisodeRow]:
    path = layout.root / "meta" / "episodes.jsonl"
    size = layout.info.get("chunks_size", 1000)
    if not isinstance(size, int) or size < 1:
        raise UserError(f"{layout.path}: chunks_size is {size!r:.80}")

    def lose(where: str, why: str) -> None:
        rows.lost[f"{path.name} {where}"] = why

    for number, line in load_json_lines(path, lose):
        kept: dict[str, Any] = line if isinstance(line, dict) else {}
        index, length = kept.get("episode_index"), kept.get("length")
        if not _is_whole(index) or not _is_whole(length):
            lose(f"line {number}", "has no episode_index and length")
            continue
        numbers = {"episode_chunk": index // size, "episode_index": index}
        files = {v: (layout.file("video_path", {**numbers, "video_key": v}), 0.0) for v in videos}
        row = EpisodeRow(index, length, layout.file("data_path", numbers), None, files)
        if _is_absent(row.data, locate):
            rows.absent.add(row.name)
        yield row


def _of_v3(
    layout: LeRobotInfo, videos: list[str], locate: Locate, rows: Rows
) -> Iterator[EpisodeRow]:
    folder = layout.root / "meta" / "episodes"
    listed, unread = [], ""
    paths = [path for path in folder.glob("*/*.parquet") if not is_hidden(path.name)]
    for path in sorted(paths):
        try:
            listed += _lines(path, videos, rows)
        except UserError as error:
            unread = rows.lost[str(path.relative_to(layout.root))] = str(error)
    if not listed:
        raise UserError(unread or f"{folder}: lists no episodes")
    if unread:
        total, known = layout.info.get("total_episodes"), {e["episode_index"] for e in listed}
        for index in range(min(total, _MOST_EPISODES) if _is_whole(total) else 0):
            if index not in known:
                rows.lost[episode_name(index)] = "is in no list of episodes that can be read"
    files = {_chunk_file(line, "data") for line in listed}
    spans, faults = _spans(layout, files, locate)
    for line in listed:
        file = layout.file("data_path", _numbers(_chunk_file(line, "data")))
        row = _row(layout, line, file, spans.get(line["episode_index"], []))
        if row.first_row is not None:
            yield row
        elif file not in faults and _is_absent(file, locate):
            rows.absent.add(row.name)
        else:
            count = sum(end - first for _, first, end in spans.get(row.index, []))
            has = f"is {row.length} frames long, but {Path(file).name} has {count}"
            rows.lost[row.name] = faults.get(file, has)


def _row(
    layout: LeRobotInfo, line: Mapping[str, Any], file: str, spans: list[tuple[str, int, int]]
) -> EpisodeRow:
    """Without a first row unless one of the places is as long as the episode; its own file's if
    there are several."""
    files, video_faults = {}, {}
    for key in (key for key in line if key.endswith("/from_timestamp")):
        prefix = key.removesuffix("/from_timestamp")
        video = prefix.removeprefix("videos/")
        wrong = [
            n for n in (f"{prefix}/chunk_index", f"{prefix}/file_index") if not _is_whole(line[n])
        ]
        wrong += [] if _is_time(line[key]) else [key]
        if wrong:
            video_faults[video] = f"is of no known place: its {wrong[0]} is {line[wrong[0]]!r:.80}"
            continue
        numbers = {**_numbers(_chunk_file(line, prefix)), "video_key": video}
        files[video] = (layout.file("video_path", numbers), line[key])
    fitting = [p for p in spans if p[2] - p[1] == line["length"] > 0]
    there, first, _ = min(fitting, key=lambda p: (p[0] != file, p), default=(file, None, None))
    ours = {name: line[name] for name in OURS if name in line}
    return EpisodeRow(
        line["episode_index"], line["length"], there, first, files, ours, video_faults
    )


def _spans(
    layout: LeRobotInfo, listed: set[tuple[int, int]], locate: Locate
) -> tuple[dict[int, list[tuple[str, int, int]]], dict[str, str]]:
    """Where the rows (first … end - 1) of each episode are, in the files that are listed and those
    behind them; and which files cannot be read, and why."""
    spans: dict[int, list[tuple[str, int, int]]] = {}
    faults: dict[str, str] = {}
    behind = {chunk_file for c, f in listed for chunk_file in ((c, f + 1), (c + 1, 0))}
    for chunk_file in sorted(listed | behind):
        file = layout.file("data_path", _numbers(chunk_file))
        try:
            if not is_there(path := locate(file)):
                continue
            column = load_parquet(path, ["episode_index"]).column("episode_index")
            numbers = to_numbers(column, Feature("int64", (1,), None))
            if numbers.dtype.kind not in "iu":
                raise UserError(f"{path}: episode_index is {numbers.dtype}, no whole numbers")
        except UserError as error:
            faults[file] = str(error)
            continue
        cuts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
        for first, end in zip(cuts, cuts[1:], strict=False):
            if end > first:
                spans.setdefault(int(numbers[first]), []).append((file, first, end))
    return spans, faults


def _lines(path: Path, videos: list[str], rows: Rows) -> list[dict[str, Any]]:
    """What one file lists, without the statistics, which take more room than all the rest."""
    there = set(parquet_columns(path))
    whole = ["episode_index", "length", "data/chunk_index", "data/file_index"]
    video_columns = []
    for prefix in (f"videos/{video}" for video in videos):
        columns = [f"{prefix}/{name}" for name in ("chunk_index", "file_index", "from_timestamp")]
        video_columns += columns if there.issuperset(columns) else []
    texts = [name for name in OURS if name in there]
    lines = []
    for number, line in enumerate(load_parquet(path, [*whole, *video_columns, *texts]).to_pylist()):
        wrong = [n for n in whole if not _is_whole(line[n])]
        wrong += [n for n in texts if not isinstance(line[n], str)]
        if not wrong:
            lines.append(line)
            continue
        index = line["episode_index"]
        name = episode_name(index) if _is_whole(index) else f"{path.name} row {number}"
        rows.lost[name] = f"its {wrong[0]} in {path.name} is {line[wrong[0]]!r:.80}"
    return lines


def _is_absent(file: str, locate: Locate) -> bool:
    try:
        return not is_there(locate(file))
    except UserError:  # told when the file is looked at
        return False


def _chunk_file(line: Mapping[str, Any], where: str) -> tuple[int, int]:
    return line[f"{where}/chunk_index"], line[f"{where}/file_index"]


def _numbers(chunk_file: tuple[int, int]) -> dict[str, int | str]:
    return {"chunk_index": chunk_file[0], "file_index": chunk_file[1]}


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MANY


def _is_time(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value) and value >= 0
