"""A video file's frames and when each is on the screen, from the start or from any later time."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream

from episodes.errors import UserError
from episodes.trust import regular_file

_MAX_PIXELS = 64_000_000
_MAX_GAP = 60  # seconds between two frames, beyond which time stamps are taken to be broken
# Files only, in the formats we know: a playlist called .mp4 must not make us open what it names.
_OPTIONS = {"format_whitelist": "mov,matroska,avi", "protocol_whitelist": "file"}


@dataclass(frozen=True)
class Shown:
    """A frame of the video and when it is on the screen, in seconds from the first one's start."""

    frame: av.VideoFrame
    start: Fraction
    end: Fraction
    aspect: float  # width of a pixel over its height


class OpenVideo:
    """The first real video stream of a file, decoded as it is iterated over.

    One iteration at a time: a new one moves the file's only position.

    Raises:
        UserError: why the file cannot be used (without its name), when opening it or while
            iterating, as when it turns out to be cut short.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._origin: Fraction | None = None  # of the file's clock: when its first frame is shown
        self._keyframes_apart = Fraction(1)  # seconds; the longest distance seen
        self._seekable = True

    def __enter__(self) -> "OpenVideo":
        regular_file(self._path)
        self._container = self._open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._container.close()

    def _open(self) -> InputContainer:
        try:
            container = av.open(str(self._path), options=_OPTIONS)
        except (FFmpegError, OSError, ValueError, MemoryError) as error:
            raise _explained(error, 0) from None
        try:
            self._stream = _video_stream(container)
        except UserError:
            container.close()
            raise
        # AVI has no time stamps that could be trusted anywhere but at its start.
        self._seekable = self._seekable and "avi" not in container.format.name
        self._stream.thread_type = "AUTO"
        self._at_start = True
        return container

    @property
    def period(self) -> Fraction:
        """Seconds between two frames, as announced."""
        rate = self._stream.average_rate or self._stream.guessed_rate
        return 1 / Fraction(rate) if rate else Fraction(1, 25)

    @property
    def duration(self) -> Fraction | None:
        """Seconds, as announced; None when the file does not say."""
        if self._stream.duration and self._stream.time_base:
            return self._stream.duration * self._stream.time_base
        if self._container.duration:  # of the longest stream, by the file's clock
            late = Fraction(self._container.start_time or 0, av.time_base)
            return Fraction(self._container.duration, av.time_base) - late
        return None

    def frames(self) -> Iterator[Shown]:
        """All frames in the order they are shown."""
        if not self._at_start:
            self._container.close()
            self._container = self._open()
        yield from self._decode(from_start=True)

    def frames_from(self, time: Fraction) -> Iterator[Shown]:
        """The frames from some keyframe on that is shown at `time` or before."""
        if self._origin is None:
            next(self.frames(), None)
        earlier = Fraction(1)
        target = time
        while self._seekable and target > 0 and self._seek(target):
            frames = self._decode(from_start=False)
            first = next(frames, None)
            if first is not None and first.start <= time:
                self._keyframes_apart = max(self._keyframes_apart, time - first.start)
                yield first
                yield from frames
                return
            target, earlier = target - earlier, earlier * 4  # formats may land after the time
        self._seekable = self._seekable and time <= 0
        yield from self.frames()

    def worth_seeking(self, here: Fraction, time: Fraction) -> bool:
        """Whether there is probably a keyframe between a frame that is at hand and a later time."""
        return self._seekable and time - here > self._keyframes_apart

    def _seek(self, time: Fraction) -> bool:
        base = self._stream.time_base
        if base is None or self._origin is None:
            return False
        try:
            self._container.seek(int((time + self._origin) / base), stream=self._stream)
        except (FFmpegError, OSError, ValueError):
            return False
        return True

    def _decode(self, from_start: bool) -> Iterator[Shown]:
        self._at_start = False
        count, start, end = 0, None, Fraction(0)
        aspect = float(self._stream.sample_aspect_ratio or 1) or 1.0
        keyframe: Fraction | None = None  # when the last one was shown
        try:
            for frame in self._container.decode(self._stream):
                count += 1
                if frame.width * frame.height > _MAX_PIXELS:
                    raise UserError(f"has pictures too large: {frame.width}x{frame.height}")
                now, duration = end, self.period
                if frame.pts is not None and frame.time_base is not None:
                    now, duration = frame.pts * frame.time_base, frame.duration * frame.time_base
                    self._origin = now if self._origin is None else self._origin
                    now -= self._origin
                elif not from_start:
                    continue
                # Frames before the first keyframe may lean on what was not decoded.
                if not from_start and keyframe is None and not frame.key_frame:
                    continue
                if start is not None and now <= start:  # the file contradicts itself on the order
                    continue
                if start is not None and now - start > _MAX_GAP:
                    times = f"{float(start):.2f} to {float(now):.2f} seconds"
                    raise UserError(f"its time stamps jump from {times}")
                if frame.key_frame:
                    apart = now - (now if keyframe is None else keyframe)
                    self._keyframes_apart, keyframe = max(self._keyframes_apart, apart), now
                start, end = now, now + (min(duration, Fraction(_MAX_GAP)) or self.period)
                yield Shown(frame, start, end, aspect)
            if from_start or start is not None:
                _check_complete(
                    self._container, self._stream, count, float(end + (self._origin or 0))
                )
        except (FFmpegError, OSError, ValueError, ArithmeticError, MemoryError) as error:
            raise _explained(error, count) from None


def _explained(error: Exception, count: int) -> UserError:
    if isinstance(error, UserError):
        return error
    where = f"after {count} frames" if count else "at its start, cut short or no video"
    reason = getattr(error, "strerror", None) or str(error)
    return UserError(f"cannot be decoded {where}: {reason}")


def _video_stream(container: InputContainer) -> VideoStream:
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        kinds = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise UserError(f"has no video stream, only {kinds}")
    stream = streams[0]
    if stream.codec_context is None:
        raise UserError("is in a format that cannot be decoded")
    return stream


def _check_complete(container: InputContainer, stream: VideoStream, count: int, end: float) -> None:
    """AVI and Matroska files that were cut end without an error: compare with what they announce.

    (MP4 fails by itself, and its announced length would count what an edit list hides.) `end` is by
    the file's own clock, which may start late.
    """
    if "avi" in container.format.name and count < 0.98 * stream.frames - 1:
        raise UserError(f"is cut short: {count} of {stream.frames} frames are there")
    if count and "matroska" in container.format.name:
        announced = (container.duration or 0) / av.time_base  # of the longest stream
        share, slack = (0.98, 0.3) if len(container.streams) == 1 else (0.9, 1.0)
        if end < share * announced - slack:
            raise UserError(f"is cut short: {end:.1f} of {announced:.1f} seconds are there")
