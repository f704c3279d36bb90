"""Short stretches of long videos as recordings, each with its sentence: what GR-1 learns from.

GR-1 (Wu et al. 2023, section 4.1) takes clips of 3 seconds around Ego4D's narrations and shows
their frames 1/3 of a second apart: ten of them, the first and the last at the clip's ends.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import Item
from firsthand.episodes.formats.dataset_folder import Rooted
from firsthand.episodes.jpeg import EncodedEpisode, EncodedFrames
from firsthand.episodes.tally import Tally
from firsthand.episodes.text.clean_narration import NarrationFilter
from firsthand.episodes.video.decode import OpenVideo
from firsthand.episodes.video.frames import CAMERA, VideoSettings, encode_frame
from firsthand.episodes.video.seek import frames_at

_VERSION = 1  # of what this file makes of the same input: a new one makes it again
_LONGEST = 3600
_ROUNDING = Fraction(1, 20)  # of a period, by which a last frame may come too late


@dataclass(frozen=True)
class Clip:
    """A stretch of a video, in seconds from its first frame, and the sentence about it."""

    start: float
    end: float
    text: str
    name: str = ""  # what the dataset calls it

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and 0 <= self.end - self.start <= _LONGEST):
            raise UserError(
                f"a clip lasts 0 to {_LONGEST} seconds, not from {self.start} to {self.end}"
            )


@dataclass(frozen=True, kw_only=True)
class ClipSettings(VideoSettings):
    """How clips become recordings."""

    fps: float = 3.0
    """Frames a second of the recordings."""
    seconds: float = 3.0
    """Length of a clip. It holds a frame at either end, one more than `length`."""


@dataclass(frozen=True, kw_only=True)
class NarratedClips(ClipSettings, NarrationFilter, Rooted):
    """A dataset of long videos, of which clips are cut where narrations pass a filter."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_filter()


ImagesAt = Callable[[Sequence[Fraction]], Iterator[bytes | None]]


def clip_around(time: float, seconds: float, text: str, name: str = "") -> Clip:
    """The stretch of so many seconds with a time in its middle."""
    return Clip(time - seconds / 2, time + seconds / 2, text, name)


def item_of_clips(
    path: Path, root: Path, clips: Sequence[Clip], settings: VideoSettings, group: str, split: str
) -> Item:
    """A video and its clips as an item, called what the file is called without its ending."""
    frames = sum((clip.end - clip.start) * settings.fps + 1 for clip in clips)
    return Item(
        path.stem,
        group,
        file_version(path),
        megabytes=frames * settings.size**2 * 3 * 0.1 / 1e6,
        split=split,
        detail={
            "path": str(path.relative_to(root)),
            "clips": [[clip.start, clip.end, clip.text, clip.name] for clip in clips],
        },
    )


def clips_of(item: Item) -> list[Clip]:
    """The clips that `item_of_clips` was given."""
    return [Clip(*values) for values in item.detail["clips"]]


def file_version(path: Path) -> str:
    """Changes with a file's content, as far as its size and time tell."""
    stat = path.stat() if path.exists() else path.lstat()  # of a broken link, told when read
    return f"{_VERSION}-{stat.st_size}-{stat.st_mtime_ns}"


@contextmanager
def opened(path: Path, tally: Tally) -> Iterator[OpenVideo]:
    """A video of which damaged parts cost themselves. Only then are its frames counted: clips show
    some of them."""
    damage = Tally()
    with OpenVideo(path, damage) as video:
        yield video
    if not damage.lost:
        damage.used.clear()
    tally.add(damage)


def read_clips(
    path: Path, clips: Sequence[Clip], settings: VideoSettings, tally: Tally
) -> Iterator[EncodedEpisode]:
    """The clips of a video in the order in which they start; see `cut_clips`.

    Raises:
        UserError: why the file cannot be used (without its name).
    """
    with opened(path, tally) as video:

        def images(times: Sequence[Fraction]) -> Iterator[bytes | None]:
            last, encoded = None, None
            for frame in frames_at(video, times):
                if frame is not last:
                    last, encoded = frame, frame and encode_frame(frame, settings)
                yield encoded

        end = None if video.duration is None else video.duration - video.period
        yield from cut_clips(clips, settings, images, end, tally, path.stem)


def cut_clips(
    clips: Sequence[Clip],
    settings: VideoSettings,
    images: ImagesAt,
    end: Fraction | None,
    tally: Tally,
    name: str,
    unit: str = "clip",
) -> Iterator[EncodedEpisode]:
    """Recordings of the clips, made of the pictures at their times.

    A clip that sticks out of the video is moved into it, as far as that goes; one that lies outside
    is lost alone. The pictures of clips that overlap are found in one pass; only those of
    unfinished clips are in memory.

    Args:
        images: gives the pictures at sorted times, fewer if the video ends before, None where
            it shows nothing for long. A clip that would show that is lost alone.
        end: when the last frame of the video is shown, if that is known.
        tally: told how many clips are used and which are lost.
        name: the video's, for those.
        unit: what a clip is to the dataset.

    Raises:
        UserError: all clips lie outside the video: they belong to another one.
    """
    outside = [_outside(clip, end) for clip in clips]
    inside = [number for number, reason in enumerate(outside) if not reason]
    planned = sorted((_placed(clips[number], end), number) for number in inside)
    waiting = deque((clips[n], _times(start, length, settings)) for (start, length), n in planned)
    if clips and not inside:
        raise UserError(outside[0])
    for clip, reason in zip(clips, outside, strict=True):
        if reason:
            tally.lose(unit, _where(name, clip), reason)
    times = sorted({time for _, clip_times in waiting for time in clip_times})
    held: dict[Fraction, bytes | None] = {}
    reached = Fraction(0)

    def recordings(clip: Clip, clip_times: list[Fraction]) -> Iterator[EncodedEpisode]:
        data = [held[time] for time in clip_times if time in held]
        if not data:  # the video ended before it said it would
            tally.lose(unit, _where(name, clip), _behind(clip, reached))
        elif None in data:
            tally.lose(unit, _where(name, clip), f"the video shows nothing {_during(clip)}")
        else:
            tally.use(unit)
            yield _recording(clip, clip_times[0], tuple(filter(None, data)), settings)

    for time, image in zip(times, images(times), strict=False):
        held[time], reached = image, time
        while waiting and waiting[0][1][-1] <= time:
            yield from recordings(*waiting.popleft())
            _forget(held, waiting)
    if waiting and len(waiting) == len(inside) and not held:
        raise UserError(_behind(waiting[0][0], reached))
    for clip, clip_times in waiting:
        yield from recordings(clip, clip_times)


def _placed(clip: Clip, end: Fraction | None) -> tuple[Fraction, Fraction]:
    """Where a clip starts and how long it is, inside the video."""
    start, length = Fraction(clip.start), Fraction(clip.end) - Fraction(clip.start)
    if end is not None:
        start = min(start, end - length)
    start = max(start, Fraction(0))
    return start, length if end is None else min(length, end - start)


def _times(start: Fraction, length: Fraction, settings: VideoSettings) -> list[Fraction]:
    count = int(length * Fraction(settings.fps) + _ROUNDING) + 1
    return [start + k / Fraction(settings.fps) for k in range(count)]


def _recording(
    clip: Clip, start: Fraction, data: tuple[bytes, ...], settings: VideoSettings
) -> EncodedEpisode:
    frames = EncodedFrames(data, settings.size, settings.size)
    source = {"start_seconds": float(start)} | ({"clip": clip.name} if clip.name else {})
    return EncodedEpisode({CAMERA: frames}, settings.fps, clip.text, source=source)


def _forget(
    held: dict[Fraction, bytes | None], waiting: deque[tuple[Clip, list[Fraction]]]
) -> None:
    first = waiting[0][1][0] if waiting else None
    for time in [time for time in held if first is None or time < first]:
        del held[time]


def _outside(clip: Clip, end: Fraction | None) -> str:
    """Why no part of a clip is in the video; "" if one is."""
    if clip.end < 0:
        return f"the clip {clip.text!r} ends at {clip.end:.2f} seconds, before the video begins"
    return _behind(clip, end) if end is not None and clip.start > end else ""


def _behind(clip: Clip, end: Fraction) -> str:
    return f"ends at {float(end):.2f} seconds, before the clip {clip.text!r} {_during(clip)}"


def _during(clip: Clip) -> str:
    return f"from {clip.start:.2f} to {clip.end:.2f} seconds"


def _where(name: str, clip: Clip) -> str:
    return f"{name}: {clip.name or clip.text}"
