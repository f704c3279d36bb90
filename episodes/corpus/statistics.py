"""What the numbers in recordings are like: of each shard when it is made, merged for a corpus.

Names are `state`, `actions`, `signals/<name>` and `pixels/<camera>`. Pixels are red, green and blue
in 0 to 1, of a few pictures of each recording.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from firsthand.episodes.corpus.running_stats import RunningStats
from firsthand.episodes.storage.reader import EpisodeFile

PICTURES = 4  # of each recording and camera, evenly spread

Key = tuple[str, tuple[int, ...]]  # a name; recordings may differ in what they mean by it


def statistics_of(file: EpisodeFile) -> list[dict[str, Any]]:
    """Those of all recordings in a file, as plain JSON values that can be merged."""
    found: dict[Key, RunningStats] = {}
    levels: dict[str, Int64[np.ndarray, "256 3"]] = {}  # how often a camera showed each

    def add(name: str, values: np.ndarray | None) -> None:
        if values is not None:
            shape = values.shape[1:]
            found.setdefault((name, shape), RunningStats(shape)).add(values)

    for episode, header in enumerate(file.headers):
        add("state", file.state(episode))
        add("actions", file.actions(episode))
        for signal in header.signals:
            add(f"signals/{signal}", file.signal(episode, signal))
        chosen = np.linspace(0, header.length - 1, PICTURES).round().astype(int)
        for camera in header.cameras:
            images = file.frames(episode, camera, np.unique(chosen))
            levels[camera] = levels.get(camera, 0) + _levels(images)
    for camera, counts in levels.items():
        found[f"pixels/{camera}", (3,)] = RunningStats.counted(np.arange(256) / 255, counts)
    return [{"of": name, **running.to_json()} for (name, _), running in sorted(found.items())]


def _levels(images: UInt8[np.ndarray, "t h w 3"]) -> Int64[np.ndarray, "256 3"]:
    channels = (images[..., channel].ravel() for channel in range(3))
    return np.stack([np.bincount(channel, minlength=256) for channel in channels], axis=1)


def merge_statistics(shards: Iterable[Sequence[Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Count, mean, std, min and max of everything in some shards, by name.

    A signal whose shape differs between recordings appears once for each, its shape in its name.
    """
    merged: dict[Key, RunningStats] = {}
    for shard in shards:
        for values in shard:
            running = RunningStats.from_json(values)
            key = (values["of"], running.mean.shape)
            merged.setdefault(key, RunningStats(running.mean.shape)).merge(running)
    names = [name for name, _ in merged]
    return {
        name if names.count(name) == 1 else f"{name} {shape}": {
            "count": running.count,
            **{part: getattr(running, part).tolist() for part in ("mean", "std", "min", "max")},
        }
        for (name, shape), running in sorted(merged.items())
    }
