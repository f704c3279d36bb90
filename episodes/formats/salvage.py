"""What is left of an episode of which some parts are damaged: each costs itself, and is counted."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import TypeVar

import numpy as np
from jaxtyping import Float32, Shaped

from firsthand.common.errors import UserError
from firsthand.episodes.episode import Episode
from firsthand.episodes.jpeg import EncodedEpisode, EncodedFrames
from firsthand.episodes.storage.writer import STATE, why_no_signal
from firsthand.episodes.tally import Tally

Recorded = TypeVar("Recorded", Episode, EncodedEpisode)
Kind = TypeVar("Kind", bound=Hashable)


def salvage(
    episode: Recorded, name: str, tally: Tally, lost: Mapping[int, str] | None = None
) -> Iterator[Recorded]:
    """The recordings that an episode leaves.

    A signal that cannot be stored is left out. Frames that lack a picture, or whose state or
    actions are no numbers, are lost; what is left before and behind them are recordings of their
    own, so that no window spans a gap. Cameras and signals are counted as signals.

    Args:
        name: the item's, for the report.
        lost: which frames lack a picture (what stands in its place is never looked at), and why.

    Raises:
        UserError: no frame is left.
    """
    signals = {}
    for signal, values in episode.signals.items():
        if reason := why_no_signal(signal, values, episode.frames):
            tally.lose("signal", f"{name}: {signal}", reason)
        else:
            signals[signal] = values
    tally.use("signal", len(signals) + len(episode.frames))
    reasons = _not_finite(episode) | dict(lost or {})
    if len(reasons) == len(episode) > 0:
        raise UserError(f"none of its {len(episode)} frames can be used: {reasons[0]}")
    episode = replace(episode, signals=signals)
    start = _start(episode)
    for reason, first, end in _stretches([reasons.get(k, "") for k in range(len(episode))]):
        if reason:
            tally.lose(
                "frame", f"{name}: {_frames(start + first, start + end)}", reason, end - first
            )
        else:
            tally.use("frame", end - first)
            yield _cut(episode, first, end)


def most_common(kinds: Iterable[Kind]) -> Kind | None:
    """What frames are compared with: what most of them are, the first of equally common ones; None
    of none. A single odd one, were it the first, costs itself."""
    return next((kind for kind, _ in Counter(kinds).most_common(1)), None)


def to_single(values: Shaped[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """In single precision. What is too large for it becomes infinite, which costs its frame."""
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(np.float32)


def _not_finite(episode: Episode | EncodedEpisode) -> dict[int, str]:
    """Which frames lack numbers that are needed, and why."""
    reasons: dict[int, str] = {}
    for part in (STATE, "actions", "executed"):
        values = getattr(episode, part)
        wrong = [] if values is None else np.flatnonzero(~np.isfinite(values).all(1)).tolist()
        reasons |= dict.fromkeys(wrong, f"{part} holds values that are not finite")
    return reasons


def _stretches(reasons: list[str]) -> Iterator[tuple[str, int, int]]:
    """Each reason with the frames first … end - 1 that it holds for, side by side."""
    first = 0
    for reason, same in groupby(reasons):
        end = first + len(list(same))
        yield reason, first, end
        first = end


def _start(episode: Episode | EncodedEpisode) -> int:
    """The number of its first frame as the dataset counts."""
    return episode.source.get("frames", [0])[0]


def _frames(first: int, end: int) -> str:
    return f"frame {first}" if end - first == 1 else f"frames {first} to {end - 1}"


def _cut(episode: Recorded, first: int, end: int) -> Recorded:
    """The frames first … end - 1 and what is said at them."""
    from firsthand.episodes.video.frames import narrations_within

    if (first, end) == (0, len(episode)):
        return episode
    frames = {
        camera: replace(images, data=images.data[first:end])
        if isinstance(images, EncodedFrames)
        else images[first:end]
        for camera, images in episode.frames.items()
    }
    parts = {part: getattr(episode, part) for part in (STATE, "actions", "executed")}
    start = _start(episode)
    return replace(
        episode,
        frames=frames,
        narrations=narrations_within(episode.narrations, first / episode.fps, end / episode.fps),
        **{part: None if v is None else v[first:end] for part, v in parts.items()},
        signals={signal: values[first:end] for signal, values in episode.signals.items()},
        source={**episode.source, "frames": [start + first, start + end - 1]},
    )
