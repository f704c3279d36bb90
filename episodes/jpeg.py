"""Pictures as JPEG bytes: how recordings lie on disk."""

import io
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from firsthand.common.errors import UserError
from firsthand.episodes.episode import Episode, EpisodeBase

QUALITY = 95
_MOST_PIXELS = 2**26


def encode_jpeg(image: UInt8[np.ndarray, "h w 3"], quality: int = QUALITY) -> bytes:
    """JPEG without chroma subsampling: pictures are small, and a policy acts on sharp ones."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def decode_jpeg(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """Raises `UserError` when the bytes are no RGB JPEG.

    Pillow's decoder is given the bytes directly: `Image.open` spends a third as long again, or as
    long on small pictures, on reading the segments that say nothing about the pixels.
    """
    try:
        height, width, channels = _shape(data)
        if channels != 3:
            raise UserError(f"a picture is no RGB JPEG, its shape is {(height, width, channels)}")
        if width * height > _MOST_PIXELS:
            raise UserError(f"a picture of {width}x{height} has more than {_MOST_PIXELS} pixels")
        return np.asarray(Image.frombytes("RGB", (width, height), data, "jpeg", "RGB", ""))
    except (OSError, ValueError, IndexError, struct.error) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"a picture is no readable JPEG: {error}") from None


def _shape(data: bytes) -> tuple[int, int, int]:
    """Height, width and channels, as the JPEG's frame header says (ITU-T T.81, B.2.2)."""
    if data[:2] != b"\xff\xd8":
        raise ValueError("it does not begin as one")
    at = 2
    while data[at] == 0xFF:
        kind = data[at + 1]
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width, channels = struct.unpack_from(">HHB", data, at + 5)
            return height, width, channels
        at += 1 if kind == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4])
    raise ValueError("it has no frame header")


@dataclass(frozen=True)
class EncodedFrames:
    """The pictures of one camera as JPEG bytes, all of one size."""

    data: Sequence[bytes]
    height: int
    width: int

    def __len__(self) -> int:
        return len(self.data)

    @classmethod
    def encode(
        cls, frames: Iterable[UInt8[np.ndarray, "h w 3"]], quality: int = QUALITY
    ) -> "EncodedFrames":
        """Encode frames as they come, so that a stream is never held in memory as pixels."""
        data, shape = [], None
        for frame in frames:
            if shape is not None and frame.shape != shape:
                raise UserError(f"frames of one camera differ in size: {shape} and {frame.shape}")
            shape = frame.shape
            data.append(encode_jpeg(frame, quality))
        height, width = shape[:2] if shape is not None else (0, 0)
        return cls(data, height, width)

    def decode(self) -> UInt8[np.ndarray, "t h w 3"]:
        frames = np.empty((len(self), self.height, self.width, 3), np.uint8)
        for frame, data in zip(frames, self.data, strict=True):
            decoded = decode_jpeg(data)
            if decoded.shape != frame.shape:
                raise UserError(f"a picture is {decoded.shape}, not {frame.shape} as declared")
            frame[:] = decoded
        return frames


@dataclass(frozen=True)
class EncodedEpisode(EpisodeBase):
    """An `Episode` whose images are JPEG bytes: what workers hand over and stores hold."""

    frames: Mapping[str, EncodedFrames]

    @classmethod
    def encode(cls, episode: Episode, quality: int = QUALITY) -> "EncodedEpisode":
        frames = {c: EncodedFrames.encode(f, quality) for c, f in episode.frames.items()}
        return cls(frames, **_but_frames(episode))

    def decode(self) -> Episode:
        return Episode({c: f.decode() for c, f in self.frames.items()}, **_but_frames(self))


def _but_frames(episode: "Episode | EncodedEpisode") -> dict[str, Any]:
    return {f.name: getattr(episode, f.name) for f in fields(episode) if f.name != "frames"}
