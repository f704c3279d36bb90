"""The frames of a video at given times, without decoding what lies between them."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

from firsthand.common.errors import UserError
from firsthand.episodes.video.decode import MAX_GAP, OpenVideo, Shown


def shown_at(video: OpenVideo, times: Iterable[Fraction]) -> Iterator[Shown | None]:
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
    earlier: Shown | None = None
    shown: Shown | None = None
    following: Shown | None = None
    for time in times:
        if shown is None or (following and video.worth_seeking(following.start, time)):
            frames = video.frames_from(time)
            earlier, shown, following = None, next(frames, None), next(frames, None)
        while shown and following and time > (shown.start + following.start) / 2:
            earlier, shown, following = shown, following, next(frames, None)
        if shown is None:
            raise UserError("holds no frame that can be decoded")
        if following is None and time > shown.end:
            return
        away = abs(time - shown.start) > video.period
        beside = following if time > shown.start else earlier
        silent = beside is not None and abs(beside.start - shown.start) > MAX_GAP
        yield None if away and silent else shown
