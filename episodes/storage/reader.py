"""Reading recordings from a store (its layout: `episodes.storage.merge`)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float32, Shaped, UInt8

from firsthand.common.errors import UserError
from firsthand.common.progress import track
from firsthand.episodes.episode import ACTION_SIZE, STATE_SIZE, Episode
from firsthand.episodes.jpeg import EncodedEpisode, EncodedFrames, decode_jpeg
from firsthand.episodes.storage.checked_file import SealedFile
from firsthand.episodes.storage.checksum import DamagedError
from firsthand.episodes.storage.header import Header, headers_from_json
from firsthand.episodes.storage.writer import FORMAT_VERSION, STATE

READABLE = range(1, FORMAT_VERSION + 1)
_VERIFIED_AT_ONCE = 1024  # blocks


class EpisodeFile(SealedFile):
    """Reads the recordings in a file; every byte is checked before it is believed.

    Recordings are named by their position or by their name in the file.

    Raises:
        UserError: naming the file, the recording and the bytes, for whatever is wrong with it.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        with self._reading("the list of its episodes") as file:
            version = file["data"].attrs.get("format_version")
            if version not in READABLE:
                known = f"{READABLE[0]} to {READABLE[-1]}"
                raise UserError(f"has format version {version}; {known} can be read")
            self.headers = tuple(headers_from_json(file["headers"][:].tobytes()))
            self._splits = {
                split: tuple(name.decode() for name in names[:])
                for split, names in file["mask"].items()
            }
            _check(self.headers, self._splits)
            self.source: Mapping[str, Any] = json.loads(file["data"].attrs["source"])
            self.env_args: Mapping[str, Any] = json.loads(file["data"].attrs["env_args"])
        self._names = tuple(header.name for header in self.headers)
        self._index = {name: index for index, name in enumerate(self._names)}

    def __len__(self) -> int:
        return len(self._names)

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(self._splits)

    def names(self, split: str | None = None) -> tuple[str, ...]:
        if split is None:
            return self._names
        if split not in self._splits:
            raise UserError(f"{self.path}: has no split {split!r}, only {', '.join(self.splits)}")
        return self._splits[split]

    def header(self, episode: int | str) -> Header:
        index = self._index.get(episode, -1) if isinstance(episode, str) else int(episode)
        if not 0 <= index < len(self):
            raise UserError(f"{self.path}: has {len(self)} episodes and none called {episode!r}")
        return self.headers[index]

    def read(self, episode: int | str) -> Episode:
        """The whole recording, decoded."""
        encoded = self.read_encoded(episode)
        with self._reading(f"the pictures of {self.header(episode).name}"):
            return encoded.decode()

    def read_encoded(self, episode: int | str) -> EncodedEpisode:
        """The whole recording with its pictures as they are stored: what merging files needs."""
        header = self.header(episode)
        with self._reading(header.name) as file:
            demo, length = file["data"][header.name], header.length
            encoded = {c: _stored(demo["obs"], c, (length,))[:] for c in header.cameras}
            frames = {
                camera: EncodedFrames([data.tobytes() for data in encoded[camera]], *size)
                for camera, size in header.cameras.items()
            }
            signals = {
                name: _stored(demo["obs"], name, (length, *spec.shape))[:]
                for name, spec in header.signals.items()
            }
            state, actions = (length, STATE_SIZE), (length, ACTION_SIZE)
            return EncodedEpisode(
                frames,
                header.fps,
                header.instruction,
                header.narrations,
                state=_stored(demo["obs"], STATE, state)[:] if header.has_state else None,
                actions=_stored(demo, "actions", actions)[:] if header.has_actions else None,
                executed=(
                    _stored(demo, "executed_actions", actions)[:] if header.has_executed else None
                ),
                signals=signals,
                source=header.source,
            )

    def frames(
        self, episode: int | str, camera: str, indices: Sequence[int] | np.ndarray
    ) -> UInt8[np.ndarray, "t h w 3"]:
        """The pictures of one camera at any indices, each decoded once."""
        header = self.header(episode)
        if camera not in header.cameras:
            raise UserError(
                f"{self.path}: {header.name} has no camera {camera!r}, "
                f"only {', '.join(header.cameras) or 'none'}"
            )
        wanted, back = np.unique(np.asarray(indices, np.int64), return_inverse=True)
        if len(wanted) and not 0 <= wanted[0] <= wanted[-1] < header.length:
            raise UserError(
                f"{self.path}: {header.name} has frames 0 to {header.length - 1}, "
                f"not {wanted[0]} to {wanted[-1]}"
            )
        images = np.empty((len(wanted), *header.cameras[camera], 3), np.uint8)
        with self._reading(f"{camera} of {header.name}") as file:
            data = _pick(
                _stored(file, f"data/{header.name}/obs/{camera}", (header.length,)), wanted
            )
            for image, encoded in zip(images, data, strict=True):
                image[:] = decode_jpeg(encoded.tobytes())
        return images if np.array_equal(back, np.arange(len(wanted))) else images[back]

    def state(self, episode: int | str) -> Float32[np.ndarray, "t 15"] | None:
        header = self.header(episode)
        return self._array(header, f"obs/{STATE}", STATE_SIZE) if header.has_state else None

    def actions(self, episode: int | str) -> Float32[np.ndarray, "t 7"] | None:
        header = self.header(episode)
        return self._array(header, "actions", ACTION_SIZE) if header.has_actions else None

    def signal(self, episode: int | str, name: str) -> Shaped[np.ndarray, "t ..."]:
        header = self.header(episode)
        if name not in header.signals:
            raise UserError(
                f"{self.path}: {header.name} has no signal {name!r}, "
                f"only {', '.join(header.signals) or 'none'}"
            )
        return self._array(header, f"obs/{name}", *header.signals[name].shape)

    def _array(self, header: Header, key: str, *shape: int) -> np.ndarray:
        with self._reading(f"{key} of {header.name}") as file:
            return _stored(file, f"data/{header.name}/{key}", (header.length, *shape))[:]

    def verify(self, progress: bool = True) -> None:
        """Check every byte; `UserError` names the damaged ones and the recordings they are in.

        With `progress`, a bar shows how far the check of a large file is.
        """
        with self._reading("the file"):
            blocks = self._open().reader.blocks
            starts = range(0, blocks, _VERIFIED_AT_ONCE)
            hidden = not progress or blocks < 64 * _VERIFIED_AT_ONCE
            title = f"verifying {self.path.name}"
            for first in track(starts, title, len(starts), visible=not hidden):
                damaged = self._open().reader.damaged_blocks(first, _VERIFIED_AT_ONCE)
                if damaged:
                    raise DamagedError(self._open().reader.damage + self._damaged_episodes())

    def _damaged_episodes(self) -> str:
        damaged = []
        for name in self._names:
            try:
                self.read_encoded(name)
            except UserError:
                damaged.append(name)
        return f", in {', '.join(damaged)}" if damaged else ""


def _check(headers: Sequence[Header], splits: Mapping[str, Sequence[str]]) -> None:
    names = [header.name for header in headers]
    if not names or len(set(names)) < len(names):
        raise UserError("lists no episode, or one twice")
    for header in headers:
        if type(header.length) is not int or not 0 < header.length < 2**31:
            raise UserError(f"says that {header.name} has {header.length!r} frames")
    if strangers := {name for members in splits.values() for name in members} - set(names):
        raise UserError(f"has {min(strangers)!r} in a split and not in its list of episodes")


def _stored(group: h5py.Group, name: str, shape: tuple[int, ...]) -> Any:
    """A dataset, unless its numbers lie in another file, which no checksum here covers."""
    dataset: Any = group[name]
    if dataset.shape != shape:
        raise UserError(f"{dataset.name} is {dataset.shape}, and not {shape} as the list says")
    if dataset.is_virtual or dataset.external:
        raise UserError(f"{dataset.name} lies in another file")
    return dataset


def _pick(dataset: h5py.Dataset, wanted: np.ndarray) -> Iterable[np.ndarray]:
    """Items at increasing indices; evenly spaced ones in one read, which is much faster."""
    steps = np.diff(wanted)
    if len(wanted) and (steps == steps[:1]).all():
        step = int(steps[0]) if len(steps) else 1
        return dataset[int(wanted[0]) : int(wanted[-1]) + 1 : step]
    return [dataset[int(index)] for index in wanted]
