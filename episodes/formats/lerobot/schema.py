"""What an episode looks like in a LeRobot dataset: its features, and a column of each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Shaped, UInt8

from firsthand.common.errors import UserError
from firsthand.episodes.episode import Episode
from firsthand.episodes.formats.lerobot.files import PIXELS
from firsthand.episodes.formats.lerobot.layout import ACTION_NAMES, BOOKKEEPING, STATE_NAMES
from firsthand.episodes.jpeg import EncodedEpisode, EncodedFrames, decode_jpeg

if TYPE_CHECKING:
    import pyarrow

CAMERA = "observation.images."
_NAMES = {"observation.state": STATE_NAMES, "action": ACTION_NAMES, "executed_action": ACTION_NAMES}
_MOST_DIMENSIONS = 5  # of a feature that lerobot reads


@dataclass(frozen=True)
class LeRobotSchema:
    """What all episodes of a dataset have in common."""

    fps: float
    cameras: Mapping[str, tuple[int, int]]  # height, width
    numbers: Mapping[str, tuple[str, tuple[int, ...]]]  # feature -> type, shape of one frame
    parts: tuple[str, ...]  # features that are no signals

    @classmethod
    def of(cls, episode: Episode | EncodedEpisode) -> "LeRobotSchema":
        """Raises `UserError` when the episode does not fit into LeRobot's layout."""
        cameras = {camera: _size(frames) for camera, frames in sorted(episode.frames.items())}
        numbers = {n: (v.dtype.name, v.shape[1:]) for n, v in to_features(episode).items()}
        for name, (_, shape) in numbers.items():
            if "/" in name or name in BOOKKEEPING or name.startswith(CAMERA):
                raise UserError(f"the signal {name!r} cannot be a feature of LeRobot's")
            if len(shape) > _MOST_DIMENSIONS:
                raise UserError(f"the signal {name!r} has {len(shape)} dimensions, LeRobot's 5")
        parts = tuple(name for name in numbers if name not in episode.signals)
        return cls(float(episode.fps), cameras, numbers, parts)

    def features(self) -> dict[str, Any]:
        """The entry of meta/info.json."""
        found: dict[str, Any] = {}
        for camera, (height, width) in self.cameras.items():
            found[CAMERA + camera] = {
                "dtype": "video",
                "shape": [height, width, 3],
                "names": ["height", "width", "channels"],
                "info": {
                    "video.height": height,
                    "video.width": width,
                    "video.codec": "h264",
                    "video.pix_fmt": PIXELS,
                    "video.is_depth_map": False,
                    "video.fps": whole(self.fps),
                    "video.channels": 3,
                    "has_audio": False,
                },
            }
        for name, (kind, shape) in self.numbers.items():
            # A name tells lists of one number from plain numbers: both are of shape (1,).
            names = ["0"] if shape == (1,) else None
            names = _NAMES[name] if name in self.parts else names
            found[name] = {"dtype": kind, "shape": list(shape or (1,)), "names": names}
        for name in BOOKKEEPING:
            kind = "float32" if name == "timestamp" else "int64"
            found[name] = {"dtype": kind, "shape": [1], "names": None}
        return found


def to_features(episode: Episode | EncodedEpisode) -> dict[str, Shaped[np.ndarray, "t ..."]]:
    """The numbers of an episode under the names of features; a signal keeps its own."""
    parts = {
        "observation.state": episode.state,
        "action": episode.actions,
        "executed_action": episode.executed,
    }
    ours = {name: values for name, values in parts.items() if values is not None}
    if twice := ours.keys() & episode.signals.keys():
        raise UserError(
            f"the signal {min(twice)!r} has the name that LeRobot gives to another part"
        )
    return ours | dict(sorted(episode.signals.items()))


def to_sentences(episode: Episode | EncodedEpisode) -> list[str]:
    """What is said at each frame: the narration that began last, else the instruction."""
    texts = [episode.instruction] * len(episode)
    for narration in sorted(episode.narrations, key=lambda n: n.start):
        first, end = (round(time * episode.fps) for time in (narration.start, narration.end))
        texts[first:end] = [narration.text] * len(texts[first:end])
    return texts


def to_column(values: Shaped[np.ndarray, "t ..."]) -> "pyarrow.Array":
    """Numbers (also for lists of one), lists of a fixed length, or nested lists, as LeRobot's."""
    import pyarrow

    flat = np.ascontiguousarray(values).reshape(-1)
    column = pyarrow.array(flat.astype(flat.dtype.newbyteorder("=")))
    if values.shape[1:] == (1,):
        return column
    if values.ndim == 2:
        return pyarrow.FixedSizeListArray.from_arrays(column, values.shape[1])
    for size in values.shape[:0:-1]:
        starts = np.arange(0, len(column) + 1, size, dtype=np.int32)
        column = pyarrow.ListArray.from_arrays(starts, column)
    return column


def to_pixels(
    frames: EncodedFrames | UInt8[np.ndarray, "t h w 3"],
) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """Pictures one by one."""
    if isinstance(frames, EncodedFrames):
        yield from (decode_jpeg(data) for data in frames.data)
    else:
        yield from frames


def whole(number: float) -> int | float:
    """An integer where it is one: what LeRobot's own files have."""
    return int(number) if number == int(number) else number


def _size(frames: EncodedFrames | UInt8[np.ndarray, "t h w 3"]) -> tuple[int, int]:
    if isinstance(frames, EncodedFrames):
        return frames.height, frames.width
    return int(frames.shape[1]), int(frames.shape[2])
