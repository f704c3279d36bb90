"""A video file's frames and when each is on the screen, from the start or from any later time."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
from av.container import InputContainer
from av.error import ArgumentError, FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from firsthand.common.errors import UserError
from firsthand.episodes.tally import Tally
from firsthand.episodes.untrusted.trust import regular_file
from firsthand.episodes.video.truncation import announced_seconds, missing_frames, tells_by_all

_MAX_PIXELS = 64_000_000
MAX_GAP = 60  # seconds between two frames, beyond which none is on the screen
# Files only, in the formats we know: a playlist called .mp4 must not make us open what it names.
_FORMATS = "mov,matroska,avi,mpegts,mpeg,asf,flv,ogg,mxf,gif"
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
_BROKEN = (FFmpegError, OSError, ValueError, ArithmeticError, MemoryError)
_AT_START = "cannot be decoded at its start, cut short or no video"
_SEEKABLE = ("mov", "matroska")  # others have no time stamps to trust anywhere but at the start


@dataclass(frozen=True)
class TimedFrame:
    """A frame of the video and when it is on the screen, in seconds from the first one's start."""

    frame: av.VideoFrame
    start: Fraction
    end: Fraction
    aspect: float  # width of a pixel over its height


class OpenVideo:
    """The main video stream of a file, decoded as it is iterated over.

    One iteration at a time: a new one moves the file's only position.

    Args:
        tally: told of the frames that are decoded, and of those that are not there or damaged,
            which cost nothing but themselves; without one they are an error.
        name: what reports call the file.

    Raises:
        UserError: why the file cannot be used (without its name), when opening it or while
            iterating, as when it turns out to be cut short.
    """

    def __init__(self, path: Path, tally: Tally | None = None, name: str = "") -> None:
        self._path = Path(os.path.abspath(path))  # 12:30.mp4 would name a protocol
        self._tally, self._name = tally, name or path.name
        self._told: set[int] = set()  # what the tally knows, by its time stamps
        self._cut = False  # whether it knows that the end is missing
        self._damaged = 0  # packets that could not be decoded
        self._beside = False  # whether the last packet was one of these
        self._broken = ""  # why something could not be decoded
        self._reached = Fraction(0)  # when the last packet of all ends, by the file's clock
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
        except ArgumentError:
            known = _FORMATS.replace(",", ", ")
            raise UserError(f"cannot be decoded at its start: it is none of {known}") from None
        except _BROKEN as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UserError(f"{_AT_START}: {reason}") from None
        try:
            self._stream, others = _video_stream(container)
        except UserError:
            container.close()
            raise
        if others and self._tally is not None and not self._told:
            self._tally.note("films beside the one that is read in a file", others)
        self._seekable = self._seekable and container.format.name.startswith(_SEEKABLE)
        self._stream.thread_type = "SLICE"  # beside a damaged frame others are lost with "FRAME"
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
        if (own := announced_seconds(self._container, self._stream)) is not None:
            return own
        if self._container.duration:  # of the longest stream, by the file's clock
            late = Fraction(self._container.start_time or 0, av.time_base)
            return Fraction(self._container.duration, av.time_base) - late
        return None

    def frames(self) -> Iterator[TimedFrame]:
        """All frames in the order they are shown."""
        if not self._at_start:
            self._container.close()
            self._container = self._open()
        yield from self._decode(from_start=True)

    def frames_from(self, time: Fraction) -> Iterator[TimedFrame]:
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

    def _decode(self, from_start: bool) -> Iterator[TimedFrame]:
        self._at_start = False
        count, start, end = 0, None, Fraction(0)
        aspect = float(self._stream.sample_aspect_ratio or 1) or 1.0
        keyframe: Fraction | None = None  # when the last one was shown
        for frame in self._frames():
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
            if frame.key_frame:
                apart = now - (now if keyframe is None else keyframe)
                self._keyframes_apart, keyframe = max(self._keyframes_apart, apart), now
            start, end = now, now + (min(duration, Fraction(MAX_GAP)) or self.period)
            yield TimedFrame(frame, start, end, aspect)
        if from_start or start is not None:
            self._check_complete(count, end + (self._origin or 0))

    def _frames(self) -> Iterator[av.VideoFrame]:
        """All frames from here on; a damaged packet costs what it holds, as with ffmpeg."""
        count = 0
        for packet in self._packets():
            try:
                frames = packet.decode()
            except _BROKEN as error:
                self._lose(error, packet.dts, count)
                continue
            for frame in frames:
                assert isinstance(frame, av.VideoFrame)
                count += 1
                self._use(frame.pts)
                yield frame
        if self._broken and not count:
            raise UserError(f"{_AT_START}: {self._broken}")

    def _packets(self) -> Iterator[Packet]:
        """Those of our stream. Others are gone through if only they tell where the file ends."""
        streams = () if tells_by_all(self._container, self._stream) else (self._stream,)
        try:
            for packet in self._container.demux(*streams):
                if packet.pts is not None and packet.time_base:
                    until = (packet.pts + (packet.duration or 0)) * packet.time_base
                    self._reached = max(self._reached, until)
                half = packet.is_corrupt and "mov" in self._container.format.name
                if (
                    packet.stream == self._stream and not half
                ):  # half of one ends a file that is cut
                    yield packet
        except _BROKEN as error:
            self._lose(error, None, int(self._reached > 0))

    def _use(self, time: int | None) -> None:
        self._beside = False
        if self._tally is not None and time not in self._told:
            self._tally.use("frame")
            self._told |= set() if time is None else {time}

    def _lose(self, error: Exception, time: int | None, count: int) -> None:
        self._broken = getattr(error, "strerror", None) or str(error)
        if self._tally is None:
            where = f"cannot be decoded after {count} frames" if count else _AT_START
            raise UserError(f"{where}: {self._broken}") from None
        if (key := ~(time or 0)) in self._told:  # frames have keys of their own, from 0 on
            return
        self._told.add(key)
        self._damaged += 1
        reason = f"cannot be decoded: {self._broken}"
        unit, where, why, lost = self._tally.lost[-1] if self._beside else ("", "", "", 0)
        if why == reason:  # side by side they are one loss
            self._tally.lost[-1] = (unit, where, why, lost + 1)
        else:
            at = float((time or 0) * (self._stream.time_base or 0) - (self._origin or 0))
            self._tally.lose("frame", f"{self._name} at {max(at, 0):.2f} seconds", reason)
        self._beside = True

    def _check_complete(self, count: int, end: Fraction) -> None:
        """Compare what was there with what the file announces; `end` is by the file's own clock."""
        there, reached = count + self._damaged, max(end, self._reached)
        missing, what = missing_frames(
            self._container, self._stream, self._path, there, end, reached
        )
        if missing and self._tally is None:
            raise UserError(f"is cut short: {what}")
        if missing and self._tally is not None and not self._cut:
            self._cut = True
            self._tally.lose("frame", self._name, f"is cut short: {what}", missing)


def _video_stream(container: InputContainer) -> tuple[VideoStream, int]:
    """The film that players show of those that are about as long as the longest, and how many
    others there are. (Previews may stand before it.)"""
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        kinds = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise UserError(f"has no video stream, only {kinds}")
    lengths = [announced_seconds(container, stream) or Fraction(0) for stream in streams]
    longest = [s for s, n in zip(streams, lengths, strict=True) if 10 * n >= 9 * max(lengths)]
    stream = next((s for s in longest if s.disposition & Disposition.default), longest[0])
    if stream.codec_context is None:
        raise UserError("is in a format that cannot be decoded")
    return stream, len(streams) - 1
