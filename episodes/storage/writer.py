"""Writing recordings to a store (its layout: `episodes.storage.merge`)."""

import re
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Shaped

from firsthand.common.atomic import PartialFile
from firsthand.common.errors import OutputError, UserError
from firsthand.episodes.episode import Episode
from firsthand.episodes.jpeg import QUALITY, EncodedEpisode, EncodedFrames
from firsthand.episodes.storage.checksum import seal
from firsthand.episodes.storage.header import Header, headers_to_json, to_json
from firsthand.episodes.untrusted.trust import is_text

FORMAT_VERSION = 2  # 1 had no signals
STATE = "state"  # its name under obs/
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class EpisodeWriter:
    """Writes recordings to a file that appears under its name only when it is complete.

    Use it as a context manager. The file grows beside its final place as `<name>.partial`; leaving
    the block normally seals and renames it, leaving it by an exception removes it. The same
    episodes give the same bytes.

    Args:
        path: where the file is to appear; an existing one is replaced at the end.
        quality: of the JPEG pictures, 1 to 100. Already encoded ones are stored as they are.
        env_args: robomimic's description of the world: env_name, env_type, env_kwargs.
        source: how the file came about: enough to make it again.

    Raises:
        UserError: nothing was added, or an episode cannot be stored.
    """

    def __init__(
        self,
        path: str | Path,
        quality: int = QUALITY,
        env_args: Mapping[str, Any] | None = None,
        source: Mapping[str, Any] | None = None,
    ) -> None:
        if not 1 <= quality <= 100:
            raise UserError(f"JPEG quality must be 1 to 100, not {quality}")
        self.path = Path(path)
        self.quality = quality
        self._attributes = {
            "format_version": FORMAT_VERSION,
            "env_args": to_json(env_args or {"env_name": "", "env_type": 2, "env_kwargs": {}}),
            "source": to_json(source or {}),
        }
        self._splits: dict[str, list[str]] = {}
        self._headers: list[Header] = []

    def __enter__(self) -> "EpisodeWriter":
        self._stream = PartialFile(self.path)
        self._file = h5py.File(self._stream, "w", libver=("v110", "v110"))
        self._data = self._file.create_group("data")
        self._data.attrs.update(self._attributes)
        return self

    def __len__(self) -> int:
        return len(self._headers)

    def add(self, episode: Episode | EncodedEpisode, split: str = "train") -> str:
        """Store one recording and return its name in the file."""
        _check_storable(episode, split)
        if isinstance(episode, Episode):
            episode = EncodedEpisode.encode(episode, self.quality)
        header = Header.of(f"demo_{len(self)}", episode)
        with self._blaming_the_disk():
            self._store(header, episode)
        self._splits.setdefault(split, []).append(header.name)
        self._headers.append(header)
        return header.name

    def _store(self, header: Header, episode: EncodedEpisode) -> None:
        demo = self._data.create_group(header.name)
        demo.attrs["num_samples"] = header.length
        demo.attrs["fps"] = header.fps
        demo.attrs["instruction"] = demo.attrs["language"] = header.instruction
        demo.attrs["narrations"] = to_json([asdict(n) for n in header.narrations])
        demo.attrs["source"] = to_json(header.source)
        if episode.actions is not None:
            demo.create_dataset("actions", data=episode.actions)
        if episode.executed is not None:
            demo.create_dataset("executed_actions", data=episode.executed)
        observations = demo.create_group("obs")
        if episode.state is not None:
            observations.create_dataset(STATE, data=episode.state)
        for name in sorted(episode.signals):
            observations.create_dataset(name, data=episode.signals[name])
        for camera in sorted(episode.frames):
            _write_frames(observations, camera, episode.frames[camera])

    @contextmanager
    def _blaming_the_disk(self) -> Iterator[None]:
        """Raise what could not be written, rather than what HDF5 stumbles over for its lack."""
        try:
            yield
        finally:
            self._stream.check()

    def take_back(self, count: int) -> None:
        """Forget all recordings but the first `count`, and one whose storing failed half-way."""
        for name in [n for n in self._data if int(str(n).removeprefix("demo_")) >= count]:
            del self._data[name]
        del self._headers[count:]
        kept = {header.name for header in self._headers}
        splits = {s: [n for n in names if n in kept] for s, names in self._splits.items()}
        self._splits = {split: names for split, names in splits.items() if names}

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            with self._blaming_the_disk(), self._file:
                if kind is None:
                    self._finish()
        except OSError as error:
            reason = error.strerror or error
            raise OutputError(f"{self.path}: cannot be written: {reason}") from None
        finally:
            self._stream.discard()

    def _finish(self) -> None:
        if not self._headers:
            raise UserError(f"{self.path}: no episode was added, so no file was written")
        self._data.attrs["total"] = sum(header.length for header in self._headers)
        headers = np.frombuffer(headers_to_json(self._headers), np.uint8)
        self._file.create_dataset("headers", data=headers)
        mask = self._file.create_group("mask")
        for split, names in sorted(self._splits.items()):
            mask.create_dataset(split, data=np.array(names, "S"))
        self._file.close()
        self._stream.check()
        seal(self._stream.partial)
        self._stream.commit()


def _check_storable(episode: Episode | EncodedEpisode, split: str) -> None:
    if not len(episode):
        raise UserError("an episode of length 0 cannot be stored")
    for kind, names in (("split", [split]), ("camera", episode.frames)):
        for name in names:
            if reason := _why_no_name(name, kind):
                raise UserError(reason)
    for text in (episode.instruction, *(n.text for n in episode.narrations)):
        if not is_text(text):
            raise UserError(f"{text!r} cannot be stored: it holds a character that is not text")
    for part in (STATE, "actions", "executed"):
        values = getattr(episode, part)
        if values is not None and not np.isfinite(values).all():
            raise UserError(f"{part} of an episode holds values that are not finite")
    for name, values in episode.signals.items():
        if reason := why_no_signal(name, values, episode.frames):
            raise UserError(reason)


def why_no_signal(name: str, values: Shaped[np.ndarray, "t ..."], cameras: Container[str]) -> str:
    """Why these numbers cannot be stored as a signal beside `cameras`, or ""."""
    if name in cameras:
        return f"{name!r} cannot name a camera and a signal of one episode"
    if not np.isfinite(values).all():
        return f"signals[{name}] of an episode holds values that are not finite"
    return _why_no_name(name, "signal")


def _why_no_name(name: str, kind: str) -> str:
    if not _NAME.fullmatch(name) or set(name) == {"."}:
        return f"{name!r} cannot name a {kind}: use letters, digits, '_', '-' and '.'"
    if kind != "split" and name == STATE:
        return f"{name!r} cannot name a {kind}: it is the robot's state"
    return ""


def _write_frames(group: h5py.Group, camera: str, frames: EncodedFrames) -> None:
    data = np.empty(len(frames), h5py.vlen_dtype(np.uint8))
    for index, picture in enumerate(frames.data):
        data[index] = np.frombuffer(picture, np.uint8)
    dataset = group.create_dataset(camera, (len(frames),), data.dtype)
    # Not `dataset[...] = data`: that takes pictures of equal byte counts for a 2-D array.
    dataset.id.write(h5py.h5s.ALL, h5py.h5s.ALL, data)
    dataset.attrs["encoding"] = "jpeg"
    dataset.attrs["height"], dataset.attrs["width"] = frames.height, frames.width
