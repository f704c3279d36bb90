"""Where the episodes of a LeRobot dataset are.

Version 2 has a parquet file and an mp4 a camera for every episode and lists them in
meta/episodes.jsonl; version 3 joins episodes in larger files, and meta/episodes/*.parquet says
where each begins.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from episodes.errors import UserError
from episodes.lerobot_layout import OURS, Layout
from episodes.parquet import load_parquet, parquet_columns
from episodes.trust import load_json_lines

_MANY = 1 << 40


@dataclass(frozen=True)
class Row:
    """An episode's rows of a parquet file (None: all), and its start in seconds of its videos."""

    index: int
    length: int
    data: str
    first_row: int | None
    videos: Mapping[str, tuple[str, float]]
    ours: Mapping[str, str] = field(default_factory=dict)


def load_rows(layout: Layout) -> list[Row]:
    """The episodes in order of their numbers.

    Raises:
        UserError: naming the file: it is damaged, or lists an episode twice.
    """
    videos = [name for name, feature in layout.features.items() if feature.kind == "video"]
    rows = _of_v3(layout, videos) if layout.version == "v3.0" else _of_v2(layout, videos)
    rows.sort(key=lambda row: row.index)
    for row, following in zip(rows, rows[1:], strict=False):
        if row.index == following.index:
            raise UserError(f"{layout.root / 'meta'}: episode {row.index} is listed twice")
    return rows


def _of_v2(layout: Layout, videos: list[str]) -> list[Row]:
    path = layout.root / "meta" / "episodes.jsonl"
    size = layout.info.get("chunks_size", 1000)
    if not isinstance(size, int) or size < 1:
        raise UserError(f"{layout.path}: chunks_size is {size!r:.80}")
    rows = []
    for number, line in enumerate(load_json_lines(path), 1):
        kept: dict[str, Any] = line if isinstance(line, dict) else {}
        index, length = kept.get("episode_index", -1), kept.get("length", -1)
        if not _is_whole(index) or not _is_whole(length):
            raise UserError(f"{path}: line {number} has no episode_index and length")
        numbers = {"episode_chunk": index // size, "episode_index": index}
        shown = {v: (layout.file("video_path", {**numbers, "video_key": v}), 0.0) for v in videos}
        rows.append(Row(index, length, layout.file("data_path", numbers), None, shown))
    return rows


def _of_v3(layout: Layout, videos: list[str]) -> list[Row]:
    folder = layout.root / "meta" / "episodes"
    listed = [line for path in sorted(folder.glob("*/*.parquet")) for line in _lines(path, videos)]
    if not listed:
        raise UserError(f"{folder}: lists no episodes")
    files = [layout.file("data_path", _numbers(line, "data")) for line in listed]
    starts: dict[str, int] = {}  # first frame of each file, of all the dataset's
    for file, line in zip(files, listed, strict=True):
        first = line["dataset_from_index"]
        starts[file] = min(starts.get(file, first), first)
    rows = []
    for file, line in zip(files, listed, strict=True):
        shown = {}
        for video in videos:
            numbers = {**_numbers(line, f"videos/{video}"), "video_key": video}
            start = line[f"videos/{video}/from_timestamp"]
            shown[video] = (layout.file("video_path", numbers), start)
        first = line["dataset_from_index"] - starts[file]
        ours = {name: line[name] for name in OURS if name in line}
        rows.append(Row(line["episode_index"], line["length"], file, first, shown, ours))
    return rows


def _lines(path: Path, videos: list[str]) -> list[dict[str, Any]]:
    """What one file lists, without the statistics, which take more room than all the rest."""
    whole = ["episode_index", "length", "dataset_from_index", "dataset_to_index"]
    for place in ("data", *(f"videos/{video}" for video in videos)):
        whole += [f"{place}/chunk_index", f"{place}/file_index"]
    seconds = [f"videos/{video}/from_timestamp" for video in videos]
    texts = [name for name in OURS if name in parquet_columns(path)]
    lines = load_parquet(path, [*whole, *seconds, *texts]).to_pylist()
    for line in lines:
        wrong = [n for n in whole if not _is_whole(line[n])]
        wrong += [n for n in seconds if not _is_time(line[n])]
        wrong += [n for n in texts if not isinstance(line[n], str)]
        if wrong:
            raise UserError(f"{path}: {wrong[0]} of an episode is {line[wrong[0]]!r:.80}")
        first, end = line["dataset_from_index"], line["dataset_to_index"]
        if end - first != line["length"]:
            name = f"episode {line['episode_index']}"
            raise UserError(f"{path}: {name} is frames {first} to {end} but {line['length']} long")
    return lines


def _numbers(line: Mapping[str, Any], place: str) -> dict[str, int | str]:
    return {key: line[f"{place}/{key}"] for key in ("chunk_index", "file_index")}


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MANY


def _is_time(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value) and value >= 0
