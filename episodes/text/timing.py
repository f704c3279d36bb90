"""Sentences in the time of a video: which part of it they are about, and which they miss."""

from collections.abc import Sequence
from fractions import Fraction

from firsthand.episodes.episode import Narration
from firsthand.episodes.tally import Tally

_OTHER_UNIT = 5  # times the video's length: sentences that go so far are not in seconds


def narrations_within(
    narrations: Sequence[Narration], start: float, end: float
) -> tuple[Narration, ...]:
    """What is said between two times, in seconds from the first of them."""
    return tuple(
        Narration(max(n.start, start) - start, min(n.end, end) - start, n.text)
        for n in narrations
        if n.start < end and (n.end > start or n.start == n.end >= start)
    )


def in_seconds(
    narrations: Sequence[Narration], length: Fraction | None, tally: Tally, name: str
) -> Sequence[Narration]:
    """The same, or none of them if most lie so far behind the end that they are in milliseconds or
    frames."""
    far = [n for n in narrations if length and n.end > _OTHER_UNIT * length]
    if not length or 2 * len(far) <= len(narrations):
        return narrations
    reason = (
        f"its sentences go on to {max(n.end for n in far):.2f} seconds, but it lasts "
        f"{float(length):.2f}: are they in milliseconds or frames, or another video's?"
    )
    tally.lose("sentence", name, reason, len(narrations))
    return ()


def count_sentences(
    instruction: str,
    narrations: Sequence[Narration],
    spans: Sequence[tuple[float, float]],
    tally: Tally,
    name: str,
) -> None:
    """Count the sentences that are said in recordings, and lose those that are in none.

    Args:
        spans: the recordings, in seconds of the video.
    """
    tally.use("sentence", bool(instruction))
    end = spans[-1][1]
    for narration in narrations:
        if any(narrations_within([narration], *span) for span in spans):
            tally.use("sentence")
            if narration.end > end + 1:
                tally.note("sentences that go on behind the end of their video are shortened")
            continue
        where = f"{name} at {narration.start:.2f} to {narration.end:.2f} seconds"
        behind = f"behind the end of the video at {end:.2f} seconds"
        reason = f"lies {behind if narration.start >= end else 'where nothing is shown'}"
        tally.lose("sentence", where, reason)
