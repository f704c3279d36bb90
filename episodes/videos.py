"""Folders of videos as recordings in one store.

Every video that can be used becomes a file of its own beside the store (a shard), and all of them
are joined at the end. A conversion that was interrupted goes on with the shards that are there, and
one whose inputs and settings have not changed is not repeated.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.progress import track

from episodes.episode import Episode
from episodes.errors import UserError
from episodes.jpeg import EncodedEpisode
from episodes.narrations import Said, read_narrations
from episodes.order import split_names
from episodes.store import EpisodeFile, EpisodeWriter
from episodes.video import VideoSettings, read_video

__all__ = ["VideoReport", "VideoSettings", "read_videos", "videos_to_store"]

ENDINGS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
_VERSION = 1  # of what this file makes of the same input: a new one makes it again


class VideoError(UserError):
    """A video that cannot be used, as opposed to a store that cannot be written."""


@dataclass(frozen=True)
class VideoReport:
    """What became of the videos of a folder. Paths are relative to it.

    `strangers` are names in narration files that belong to no video.
    """

    used: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]  # path, reason
    strangers: tuple[str, ...] = ()


def read_videos(root: str | Path, settings: VideoSettings) -> Iterator[Episode]:
    """The recordings in a folder's videos, decoded. The first video that cannot be used raises."""
    root = _absolute(root)
    videos, _ = find_videos(root)
    said, _ = read_narrations(root, videos)
    for video in videos:
        for episode in _recordings(video, root, said[video], settings):
            yield episode.decode()


def videos_to_store(
    root: str | Path,
    out: str | Path,
    settings: VideoSettings,
    held_out_fraction: float = 0.1,
    seed: int = 0,
    workers: int = 1,
) -> VideoReport:
    """Convert a folder of videos into a store with the splits train and valid.

    A video is in one split with all its recordings. Videos that cannot be used are listed with the
    reason; narrations come from files beside the videos (see `episodes.narrations`).

    Args:
        held_out_fraction: of the videos, at least one unless it is 0 or there is only one.
        workers: processes that decode.

    Raises:
        UserError: no video can be used, or a narration file is malformed.
    """
    root, out = _absolute(root), Path(out)
    videos, empty = find_videos(root)
    said, strangers = read_narrations(root, videos)
    keys = [_key(video, root, said[video], settings) for video in videos]
    everything = _digest([keys, empty, strangers, held_out_fraction, seed])
    if (report := _report_of(out, everything)) is not None:
        return report
    shards = out.with_name(out.name + ".shards")
    shards.mkdir(parents=True, exist_ok=True)
    jobs = [
        (v, root, said[v], settings, shards / f"{k}.h5") for v, k in zip(videos, keys, strict=True)
    ]
    reasons = list(track(_each(jobs, workers), f"Reading {root.name}", len(jobs)))
    good = [job[-1] for job, reason in zip(jobs, reasons, strict=True) if not reason]
    names = [str(video.relative_to(root)) for video in videos]
    report = VideoReport(
        used=tuple(n for n, reason in zip(names, reasons, strict=True) if not reason),
        skipped=tuple((n, r) for n, r in zip(names, reasons, strict=True) if r) + tuple(empty),
        strangers=tuple(strangers),
    )
    if not good:
        shutil.rmtree(shards)
        listed = "; ".join(f"{name} {reason}" for name, reason in report.skipped)
        raise UserError(f"{root}: none of its {len(videos)} videos can be used: {listed}")
    source = {"origin": "videos", "key": everything, "report": asdict(report)}
    _join(good, out, split_names(len(good), held_out_fraction, seed), source)
    shutil.rmtree(shards)
    return report


def find_videos(root: Path) -> tuple[list[Path], list[tuple[str, str]]]:
    """Videos below a folder, by their endings, and the folders with nothing in them.

    Raises:
        UserError: there is no such folder or no video in it.
    """
    if not root.is_dir():
        raise UserError(f"{root}: is no folder of videos")
    videos, empty = [], []
    for folder, folders, files in os.walk(root):
        folders.sort()
        if not folders and not files and Path(folder) != root:
            empty.append((str(Path(folder).relative_to(root)), "is an empty folder"))
        videos += [Path(folder, name) for name in files if name.lower().endswith(ENDINGS)]
    if not videos:
        raise UserError(f"{root}: holds no video (a file ending in {', '.join(ENDINGS)})")
    return sorted(videos), sorted(empty)


def _absolute(root: str | Path) -> Path:
    return Path(os.path.abspath(root))


def _recordings(
    video: Path, root: Path, said: Said, settings: VideoSettings
) -> Iterator[EncodedEpisode]:
    relative = str(video.relative_to(root))
    try:
        for episode in read_video(video, settings, said.instruction, said.narrations):
            source = {"origin": "videos", "path": relative, **episode.source}
            yield replace(episode, source=source)
    except UserError as error:
        raise VideoError(f"{video}: {error}") from None


def _convert(video: Path, root: Path, said: Said, settings: VideoSettings, shard: Path) -> str:
    """Write one video's shard unless it is there; returns why that cannot be done, or ""."""
    try:
        EpisodeFile(shard).verify()
        return ""
    except UserError:
        pass
    try:
        with EpisodeWriter(shard) as writer:
            for episode in _recordings(video, root, said, settings):
                writer.add(episode)
    except VideoError as error:
        return str(error).removeprefix(f"{video}: ")
    return ""


def _each(jobs: list[tuple[Any, ...]], workers: int) -> Iterator[str]:
    if workers <= 1 or len(jobs) == 1:
        yield from (_convert(*job) for job in jobs)
        return
    # A forked process may not decode: FFmpeg's threads do not survive the fork.
    with ProcessPoolExecutor(min(workers, len(jobs)), get_context("spawn")) as pool:
        yield from pool.map(partial(_apply, _convert), jobs)


def _apply(function: Any, arguments: tuple[Any, ...]) -> str:
    return function(*arguments)


def _join(shards: list[Path], out: Path, splits: list[str], source: dict[str, Any]) -> None:
    with EpisodeWriter(out, source=source) as writer:
        for shard, split in track(
            list(zip(shards, splits, strict=True)), "Joining", disable=len(shards) < 100
        ):
            with EpisodeFile(shard) as file:
                for name in file.names():
                    writer.add(file.read_encoded(name), split)


def _key(video: Path, root: Path, said: Said, settings: VideoSettings) -> str:
    """Changes with anything that decides what a video becomes."""
    stat = video.stat()
    relative = str(video.relative_to(root))
    return _digest([relative, stat.st_size, stat.st_mtime_ns, asdict(said), asdict(settings)])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps([_VERSION, value]).encode()).hexdigest()[:32]


def _report_of(out: Path, key: str) -> VideoReport | None:
    """The report kept in a store that was made from the same input, else None."""
    if not out.is_file():
        return None
    try:
        with EpisodeFile(out) as file:
            file.verify()
            source = file.source
    except UserError:
        return None
    if source.get("key") != key:
        return None
    report = source["report"]
    skipped = tuple((name, reason) for name, reason in report["skipped"])
    return VideoReport(tuple(report["used"]), skipped, tuple(report["strangers"]))
