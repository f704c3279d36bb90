"""Statistics of a LeRobot feature, with the shapes and names that LeRobot gives them."""

from typing import Any

import numpy as np
from jaxtyping import Int64, Shaped

from firsthand.episodes.corpus.running_stats import RunningStats


def feature_stats(values: Shaped[np.ndarray, "t ..."]) -> RunningStats:
    """Of the frames of a feature; arrays have the shape of one frame, bounds its type."""
    numbers = values.reshape(len(values), -1) if values.ndim == 1 else values
    stats = RunningStats.of(numbers)
    stats.min, stats.max = numbers.min(0), numbers.max(0)
    return stats


def image_stats(count: int, levels: Int64[np.ndarray, "3 256"]) -> RunningStats:
    """From how often each level of red, green and blue was counted in `count` images.

    Levels become 0 … 1 and shapes (3, 1, 1), as LeRobot has them; the std is that of one pixel.
    """
    values = np.arange(256) / 255
    share = levels / levels.sum(1, keepdims=True)
    mean = share @ values
    present = levels > 0
    stats = RunningStats((3, 1, 1))
    stats.count, stats.mean = count, mean[:, None, None]
    squares = count * (share * np.square(values - mean[:, None])).sum(1)
    stats.squares = squares[:, None, None]
    stats.min = values[present.argmax(1)][:, None, None]
    stats.max = values[255 - present[:, ::-1].argmax(1)][:, None, None]
    return stats


def stats_table(stats: RunningStats) -> dict[str, Any]:
    """The numbers under LeRobot's names, as nested lists."""
    arrays = {name: getattr(stats, name).tolist() for name in ("min", "max", "mean", "std")}
    return {**arrays, "count": [stats.count]}
