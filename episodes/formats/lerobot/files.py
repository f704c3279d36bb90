"""The files of a LeRobot dataset of version 3 while it is written: each holds many episodes."""

import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.frame import PictureType
from av.video.stream import VideoStream
from jaxtyping import Int64, UInt8

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import ParquetWriter

FILES_A_CHUNK = 1000
# Colours at full resolution: halving them (yuv420p) costs small pictures 4 to 5 dB, whatever the
# rate, and saves 3 % of the bytes.
PIXELS = "yuv444p"
_MEGABYTE = 1 << 20  # LeRobot's
# Every choice that changes the bytes; a keyframe at least every half second or so, since windows of
# a second or more are what is asked for, and at the start of every episode.
# x264's macroblock tree is off: with it, 1 video in 20 came out differently from the same pictures.
_X264 = {
    "crf": "14",
    "preset": "medium",
    "g": "15",
    "bf": "0",
    "forced-idr": "1",
    "threads": "1",
    "x264-params": "mbtree=0",
}


class TableFiles:
    """Parquet files, one after the other; an episode is a group of rows in one of them.

    Args:
        folder: where chunk-000/file-000.parquet, … appear.
        megabytes: a file that has grown to this size is followed by another.
    """

    def __init__(self, folder: Path, megabytes: float) -> None:
        self._folder, self._limit = folder, megabytes * _MEGABYTE
        self._number = 0
        self._writer: ParquetWriter | None = None

    def chunk_file(self) -> tuple[int, int]:
        """Chunk and file that the next table goes to."""
        if self._writer is not None and os.path.getsize(self._path) >= self._limit:
            self.close()
            self._number += 1
        return divmod(self._number, FILES_A_CHUNK)

    def write(self, table: "pyarrow.Table") -> None:
        from pyarrow import parquet

        if self._writer is None:
            self._path = _file(self._folder, self._number, "parquet")
            self._writer = parquet.ParquetWriter(self._path, table.schema, compression="snappy")
        self._writer.write_table(table, row_group_size=max(1, len(table)))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            sync(self._path)
        self._writer = None


class VideoFiles:
    """H.264 in mp4, one after the other, for one camera.

    Args:
        folder: where chunk-000/file-000.mp4, … appear.
        megabytes: a file that has grown to this size is followed by another.
    """

    def __init__(self, folder: Path, megabytes: float, fps: float, height: int, width: int) -> None:
        self._folder, self._limit = folder, megabytes * _MEGABYTE
        self._rate = Fraction(fps).limit_denominator(1_000_000)
        self._size = height, width
        self._number = self._frames = self._bytes = 0  # the latter two of the present file
        self._stream: VideoStream | None = None

    def write(
        self, pictures: Iterable[UInt8[np.ndarray, "h w 3"]]
    ) -> tuple[tuple[int, int], int, Int64[np.ndarray, "3 256"]]:
        """Append an episode.

        Returns:
            Chunk and file, the number of its first frame there, and how often each level of red,
            green and blue was seen.
        """
        if self._stream is not None and self._bytes >= self._limit:
            self.close()
            self._number += 1
        stream = self._stream or self._open()
        first = self._frames
        levels = np.zeros((3, 256), np.int64)
        for pixels in pictures:
            levels += [np.bincount(pixels[..., c].ravel(), minlength=256) for c in range(3)]
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = self._frames, 1 / self._rate
            if self._frames == first:
                frame.pict_type = PictureType.I
            packets = stream.encode(frame)
            self._container.mux(packets)
            self._bytes += sum(packet.size for packet in packets)
            self._frames += 1
        return divmod(self._number, FILES_A_CHUNK), first, levels

    def _open(self) -> VideoStream:
        self._path = _file(self._folder, self._number, "mp4")
        self._container = av.open(str(self._path), "w")
        stream = self._container.add_stream("libx264", rate=self._rate, options=dict(_X264))
        stream.height, stream.width = self._size
        stream.pix_fmt = PIXELS
        stream.codec_context.time_base = 1 / self._rate
        self._stream, self._frames, self._bytes = stream, 0, 0
        return stream

    def close(self) -> None:
        if self._stream is not None:
            self._container.mux(self._stream.encode())
            self._container.close()
            sync(self._path)
        self._stream = None


def _file(folder: Path, number: int, ending: str) -> Path:
    chunk, file = divmod(number, FILES_A_CHUNK)
    path = folder / f"chunk-{chunk:03d}" / f"file-{file:03d}.{ending}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def sync(path: Path) -> None:
    """Wait until a file is safely on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
