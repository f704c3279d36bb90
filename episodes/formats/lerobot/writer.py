"""Episodes as a LeRobot dataset of version 3.0, which lerobot opens and trains on.

    meta/info.json, meta/stats.json, meta/tasks.parquet
    meta/episodes/chunk-000/file-000.parquet        where each episode is
    data/chunk-000/file-000.parquet                 numbers, a row a frame
    videos/observation.images.<camera>/chunk-000/file-000.mp4

Layout: https://huggingface.co/docs/lerobot/lerobot-dataset-v3
"""

import json
import os
import shutil
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from firsthand.common.errors import UserError
from firsthand.common.lock import lock
from firsthand.episodes.corpus.running_stats import RunningStats
from firsthand.episodes.episode import Episode
from firsthand.episodes.formats.lerobot.files import FILES_A_CHUNK, TableFiles, VideoFiles, sync
from firsthand.episodes.formats.lerobot.layout import OURS
from firsthand.episodes.formats.lerobot.schema import (
    CAMERA,
    LeRobotSchema,
    to_column,
    to_features,
    to_pixels,
    to_sentences,
    whole,
)
from firsthand.episodes.formats.lerobot.statistics import feature_stats, image_stats, stats_table
from firsthand.episodes.jpeg import EncodedEpisode
from firsthand.episodes.storage.header import to_json

_EPISODES_AT_ONCE = 100  # rows of meta/episodes


class LeRobotWriter:
    """Writes episodes to a folder that appears under its name only when it is complete.

    Use it as a context manager. The dataset grows beside its place as `<name>.partial`; leaving the
    block normally renames it, leaving it by an exception removes it. The same episodes give the
    same bytes. State and actions get names by which `formats.lerobot.reader` knows them; signals
    become features as they are called. Instruction, narrations and source are kept exactly beside
    LeRobot's own columns, where a frame has one sentence: the narration at its time, or the
    instruction.

    Args:
        path: where the dataset is to appear; nothing may be there.
        data_megabytes, video_megabytes: files that have grown to this size are followed by others.

    Raises:
        UserError: something is there, nothing was added, or an episode does not fit the first.
    """

    def __init__(
        self, path: str | Path, data_megabytes: float = 100.0, video_megabytes: float = 200.0
    ) -> None:
        self.path = Path(path)
        self._partial = self.path.with_name(self.path.name + ".partial")
        self._data_megabytes, self._video_megabytes = data_megabytes, video_megabytes
        self._schema: LeRobotSchema | None = None
        self._tasks: dict[str, int] = {}
        self._splits: dict[str, list[int]] = {}
        self._stats: dict[str, RunningStats] = {}
        self._rows: list[dict[str, Any]] = []
        self._episodes = self._frames = 0

    def __enter__(self) -> "LeRobotWriter":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise UserError(
                f"{self.path}: needs pyarrow: pip install 'firsthand[lerobot]'"
            ) from None
        if self.path.exists():
            raise UserError(f"{self.path}: is there already; choose another name or remove it")
        try:
            self._partial.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._partial, os.O_RDONLY)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written: {error.strerror}") from None
        if lock(self._lock) is False:
            os.close(self._lock)
            raise UserError(f"{self.path}: is being written by another process")
        for left in self._partial.iterdir():  # by a process that was killed
            shutil.rmtree(left)
        self._data = TableFiles(self._partial / "data", self._data_megabytes)
        self._lists = TableFiles(self._partial / "meta" / "episodes", self._data_megabytes)
        self._videos: dict[str, VideoFiles] = {}
        return self

    def __len__(self) -> int:
        return self._episodes

    def add(self, episode: Episode | EncodedEpisode, split: str = "train") -> int:
        """Store one episode and return its number.

        Raises:
            UserError: it does not fit the first one, or its split has been followed by another.
        """
        self._check(episode, split)
        try:
            return self._add(episode, split)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written: {error.strerror or error}") from None

    def _check(self, episode: Episode | EncodedEpisode, split: str) -> None:
        if not len(episode):
            raise UserError("an episode of length 0 cannot be stored")
        if split in self._splits and split != list(self._splits)[-1]:
            raise UserError(f"episodes of the split {split!r} must come one after the other")
        schema = LeRobotSchema.of(episode)
        if self._schema is None:
            self._schema = schema
            for camera, size in schema.cameras.items():
                folder = self._partial / "videos" / (CAMERA + camera)
                self._videos[camera] = VideoFiles(folder, self._video_megabytes, schema.fps, *size)
        for part, theirs in asdict(self._schema).items():
            if (ours := asdict(schema)[part]) != theirs:
                raise UserError(
                    f"episode {self._episodes} does not fit the first: {part} {ours} and {theirs}"
                )

    def _add(self, episode: Episode | EncodedEpisode, split: str) -> int:
        import pyarrow

        index, length, first = self._episodes, len(episode), self._frames
        texts = to_sentences(episode)
        for text in texts:
            self._tasks.setdefault(text, len(self._tasks))
        count = np.arange(length)
        columns = to_features(episode) | {
            "timestamp": (count / episode.fps).astype(np.float32),
            "frame_index": count,
            "episode_index": np.full(length, index),
            "index": first + count,
            "task_index": np.array([self._tasks[text] for text in texts]),
        }
        stats = {name: feature_stats(values) for name, values in columns.items()}
        row: dict[str, Any] = {
            "episode_index": index,
            "tasks": list(dict.fromkeys(texts)),
            "length": length,
            "dataset_from_index": first,
            "dataset_to_index": first + length,
        }
        row |= _chunk_columns("data", self._data.chunk_file())
        self._data.write(pyarrow.table({n: to_column(values) for n, values in columns.items()}))
        for camera in sorted(episode.frames):
            chunk_file, start, levels = self._videos[camera].write(
                to_pixels(episode.frames[camera])
            )
            name = CAMERA + camera
            row |= _chunk_columns(f"videos/{name}", chunk_file)
            row[f"videos/{name}/from_timestamp"] = start / episode.fps
            row[f"videos/{name}/to_timestamp"] = (start + length) / episode.fps
            stats[name] = image_stats(length, levels)
        exact = (episode.instruction, [asdict(n) for n in episode.narrations], episode.source)
        row |= {name: to_json(value) for name, value in zip(OURS, exact, strict=True)}
        for name, episode_stats in stats.items():
            row |= {
                f"stats/{name}/{key}": value for key, value in stats_table(episode_stats).items()
            }
            if name in self._stats:
                self._stats[name].merge(episode_stats)
            else:
                self._stats[name] = episode_stats
        self._rows.append(row)
        if len(self._rows) == _EPISODES_AT_ONCE:
            self._write_rows()
        self._splits.setdefault(split, []).append(index)
        self._episodes, self._frames = index + 1, first + length
        return index

    def _write_rows(self) -> None:
        import pyarrow

        columns = _chunk_columns("meta/episodes", self._lists.chunk_file())
        self._lists.write(pyarrow.Table.from_pylist([row | columns for row in self._rows]))
        self._rows = []

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._finish()
            else:
                with suppress(Exception):
                    self._close()
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written: {error.strerror or error}") from None
        finally:
            shutil.rmtree(self._partial, ignore_errors=True)
            os.close(self._lock)

    def _close(self) -> None:
        for files in (self._data, self._lists, *self._videos.values()):
            files.close()

    def _finish(self) -> None:
        if self._schema is None:
            raise UserError(f"{self.path}: no episode was added, so nothing was written")
        if self._rows:
            self._write_rows()
        self._close()
        meta = self._partial / "meta"
        _write_tasks(meta / "tasks.parquet", list(self._tasks))
        stats = {name: stats_table(found) for name, found in sorted(self._stats.items())}
        _write_json(meta / "stats.json", stats)
        _write_json(meta / "info.json", self._info(self._schema))
        if self.path.exists():
            raise UserError(f"{self.path}: appeared while it was being written")
        os.rename(self._partial, self.path)
        sync(self.path.parent)

    def _info(self, schema: LeRobotSchema) -> dict[str, Any]:
        name = "chunk-{chunk_index:03d}/file-{file_index:03d}"
        return {
            "codebase_version": "v3.0",
            "robot_type": None,
            "total_episodes": self._episodes,
            "total_frames": self._frames,
            "total_tasks": len(self._tasks),
            "chunks_size": FILES_A_CHUNK,
            "data_files_size_in_mb": whole(self._data_megabytes),
            "video_files_size_in_mb": whole(self._video_megabytes),
            "fps": whole(schema.fps),
            "splits": {name: f"{n[0]}:{n[-1] + 1}" for name, n in self._splits.items()},
            "data_path": f"data/{name}.parquet",
            "video_path": f"videos/{{video_key}}/{name}.mp4" if schema.cameras else None,
            "features": schema.features(),
        }


def _chunk_columns(name: str, chunk_file: tuple[int, int]) -> dict[str, int]:
    return dict(zip((f"{name}/chunk_index", f"{name}/file_index"), chunk_file, strict=True))


def _write_tasks(path: Path, texts: list[str]) -> None:
    """The sentences as the index of a pandas table, which is where lerobot looks for them."""
    import pyarrow
    from pyarrow import parquet

    index = "__index_level_0__"
    texts_kind = {"name": None, "field_name": index, "pandas_type": "unicode"}
    numbers_kind = {"name": "task_index", "field_name": "task_index", "pandas_type": "int64"}
    pandas = {
        "index_columns": [index],
        "column_indexes": [],
        "columns": [
            numbers_kind | {"numpy_type": "int64", "metadata": None},
            texts_kind | {"numpy_type": "object", "metadata": None},
        ],
        "pandas_version": "2.2.0",
    }
    table = pyarrow.table({"task_index": list(range(len(texts))), index: texts})
    parquet.write_table(table.replace_schema_metadata({"pandas": json.dumps(pandas)}), path)
    sync(path)


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=4) + "\n")
    sync(path)
