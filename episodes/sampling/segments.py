"""Runs of windows that are decoded together: recordings, or parts of those that are long."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from firsthand.common.errors import UserError


@dataclass(frozen=True)
class Segments:
    """All windows of a corpus, cut into runs without gaps.

    Attributes:
        recording: the recording that each segment is of.
        first: number of a segment's first window.
        start: the frame at which that window begins.
        windows: how many windows the segment has, at least one.
        frames: how many frames those show, from `start` on.
        size: bytes of the frames' pictures.
    """

    recording: Int64[np.ndarray, "p"]
    first: Int64[np.ndarray, "p"]
    start: Int64[np.ndarray, "p"]
    windows: Int64[np.ndarray, "p"]
    frames: Int64[np.ndarray, "p"]
    size: Int64[np.ndarray, "p"]

    def __len__(self) -> int:
        return len(self.first)

    @property
    def count(self) -> int:
        """Windows in all segments."""
        return int(self.first[-1] + self.windows[-1])

    def at(self, window: int) -> int:
        """The segment that a window is in."""
        return int(np.searchsorted(self.first, window, side="right")) - 1


def cut(
    lengths: Int64[np.ndarray, "r"],
    reach: Int64[np.ndarray, "r"],
    frame: Int64[np.ndarray, "r"],
    largest: int,
    windows: Int64[np.ndarray, "r"] | None = None,
) -> Segments:
    """Segments of at most `largest` bytes, as equal in each recording as possible.

    Args:
        lengths: frames of each recording.
        reach: how many frames past its first one a window shows.
        frame: bytes of one frame of each recording.
        windows: of each recording that is to stay whole, even if it takes twice `largest`; 0 for
            the others, in which a window begins at every frame. None: all 0.

    Raises:
        UserError: a single window takes more than `largest`.
    """
    whole = lengths * frame <= largest
    most = largest // np.maximum(frame, 1) - reach  # windows of a segment
    if not (whole | (most >= 1)).all():
        worst = int(np.argmin(np.where(whole, 1, most)))
        raise UserError(
            f"one window spans {(reach[worst] + 1) * frame[worst] / 1e6:.3g} MB of pictures, a "
            f"piece of a pool may take {largest / 1e6:.3g} MB: raise pool.megabytes"
        )
    uncut = np.zeros_like(lengths) if windows is None else windows
    parts = np.where(whole | (uncut > 0), 1, -(-lengths // np.maximum(most, 1)))
    recording = np.repeat(np.arange(len(lengths)), parts)
    number = np.arange(len(recording)) - np.repeat(np.cumsum(parts) - parts, parts)
    length, of = lengths[recording], parts[recording]
    start, stop = number * length // of, (number + 1) * length // of
    frames = np.minimum(stop - start + reach[recording], length - start)
    counts = np.where(uncut > 0, uncut, lengths)
    first = np.repeat(np.cumsum(counts) - counts, parts) + start
    count = np.where(of == 1, counts[recording], stop - start)
    return Segments(recording, first, start, count, frames, frames * frame[recording])
