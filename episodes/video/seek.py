"""The frames of a video at given times, without decoding what lies between them."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

from firsthand.common.errors import UserError
from firsthand.episodes.video.decode import MAX_GAP, OpenVideo, TimedFrame


def frames_at(video: OpenVideo, times: Iterable[Fraction]) -> Iterator[TimedFrame | None]:
    """The frame nearest in time to each of `times`; of two equally near ones the earlier. None
    where nothing is shown: more than a frame away from both, in a gap of more than `MAX_GAP`.

    Decoding starts at the keyframe before the first time and again after every gap in which there
    is one; the frames are those that decoding all of the video would give. Fewer come back than
    were asked for when the video ends before.

    Args:
        times: seconds from the first frame's start, none before the one ahead of it.

    Raises:
        UserError: why the file cannot be used (without its name).
    """
    frames = iter(())
    earlier: TimedFrame | None = None
    current: TimedFrame | None = None
    following: TimedFrame | None = None
    for time in times:
        if current is None or (following and video.worth_seeking(following.start, time)):
            frames = video.frames_from(time)
            earlier, current, following = None, next(frames, None), next(frames, None)
        while current and following and time > (current.start + following.start) / 2:
            earlier, current, following = current, following, next(frames, None)
        if current is None:
            raise UserError("holds no frame that can be decoded")
        if following is None and time > current.end:
            return
        away = abs(time - current.start) > video.period
        neighbour = following if time > current.start else earlier
        silent = neighbour is not None and abs(neighbour.start - current.start) > MAX_GAP
        yield None if away and silent else current
