"""Means, deviations and bounds of a LeRobot feature, joined from episode to episode."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64, Shaped


@dataclass(frozen=True)
class FeatureStats:
    """What is known of `count` frames of a feature; arrays have the shape of one frame.

    `squares` is the sum of squared deviations from the mean: what can be joined without loss of
    digits (Chan, Golub and LeVeque 1979).
    """

    count: int
    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, values: Shaped[np.ndarray, "t ..."]) -> "FeatureStats":
        numbers = values.reshape(len(values), -1) if values.ndim == 1 else values
        exact = numbers.astype(np.float64)
        mean = exact.mean(0)
        squares = np.square(exact - mean).sum(0)
        return cls(len(values), numbers.min(0), numbers.max(0), mean, squares)

    @classmethod
    def of_pictures(cls, count: int, levels: Int64[np.ndarray, "3 256"]) -> "FeatureStats":
        """From how often each level of red, green and blue was seen in `count` pictures.

        Levels become 0 … 1 and shapes (3, 1, 1), as LeRobot has them; a deviation is one pixel's.
        """
        values = np.arange(256) / 255
        share = levels / levels.sum(1, keepdims=True)
        mean = share @ values
        squares = count * (share * np.square(values - mean[:, None])).sum(1)
        seen = levels > 0
        low, high = values[seen.argmax(1)], values[255 - seen[:, ::-1].argmax(1)]
        return cls(count, *(part[:, None, None] for part in (low, high, mean, squares)))

    def __add__(self, other: "FeatureStats") -> "FeatureStats":
        count = self.count + other.count
        apart = other.mean - self.mean
        return FeatureStats(
            count,
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            self.mean + apart * (other.count / count),
            self.squares + other.squares + np.square(apart) * (self.count * other.count / count),
        )

    def table(self) -> dict[str, Any]:
        """The numbers under LeRobot's names, as nested lists."""
        return {
            "min": self.low.tolist(),
            "max": self.high.tolist(),
            "mean": self.mean.tolist(),
            "std": np.sqrt(self.squares / self.count).tolist(),
            "count": [self.count],
        }
