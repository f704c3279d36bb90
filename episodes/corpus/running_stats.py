"""Mean, spread and range of numbers that come a batch at a time, in one pass and little memory."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64, Shaped


def _overflowing():
    """Numbers whose squares no float64 can hold have an infinite spread, which is no error."""
    return np.errstate(over="ignore", invalid="ignore")


class RunningStats:
    """Statistics over the first axis of everything that was added, kept in float64.

    Two sets of numbers are joined by the formula of Chan, Golub and LeVeque (1983), of which
    Welford's (1962) is the case where one set holds a single number. Unlike E[x²] - E[x]² it loses
    no digits when the mean is large beside the spread.

    Attributes:
        count: how many there were of each number.
        squares: the sum of squared distances from the mean.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.count = 0
        self.mean, self.squares = np.zeros(shape), np.zeros(shape)
        self.min, self.max = np.full(shape, np.inf), np.full(shape, -np.inf)

    @classmethod
    def of(cls, values: Shaped[np.ndarray, "n *shape"]) -> "RunningStats":
        """Of at least one row of real numbers or truth values."""
        stats = cls(values.shape[1:])
        exact = values.astype(np.float64)
        with _overflowing():
            stats.count, stats.mean = len(exact), exact.mean(axis=0)
            stats.squares = ((exact - stats.mean) ** 2).sum(axis=0)
        stats.min, stats.max = exact.min(axis=0), exact.max(axis=0)
        return stats

    @classmethod
    def counted(
        cls, values: Float64[np.ndarray, "k"], counts: Int64[np.ndarray, "k n"]
    ) -> "RunningStats":
        """Of `n` numbers that each took some of a few values, so many times."""
        running = cls(counts.shape[1:])
        running.count = int(counts[:, 0].sum())
        running.mean = values @ counts / running.count
        running.squares = ((values[:, None] - running.mean) ** 2 * counts).sum(axis=0)
        taken = np.where(counts > 0, values[:, None], np.nan)
        running.min, running.max = np.nanmin(taken, axis=0), np.nanmax(taken, axis=0)
        return running

    @property
    def std(self) -> Float64[np.ndarray, "*shape"]:
        """Of these very numbers, not an estimate for a larger population."""
        return np.asarray(np.sqrt(self.squares / max(1, self.count)))

    def add(self, values: Shaped[np.ndarray, "n *shape"]) -> None:
        """Real numbers or truth values, one set a row."""
        if not len(values):
            return
        self.merge(RunningStats.of(values))

    def merge(self, other: "RunningStats") -> None:
        if not other.count:
            return
        count = self.count + other.count
        with _overflowing():
            apart = other.mean - self.mean
            between = apart**2 * (self.count * other.count / count)
            self.squares = self.squares + other.squares + between
            self.mean = self.mean + apart * (other.count / count)
        self.min, self.max = np.minimum(self.min, other.min), np.maximum(self.max, other.max)
        self.count = count

    def to_json(self) -> dict[str, Any]:
        arrays = {name: getattr(self, name).tolist() for name in ("mean", "squares", "min", "max")}
        return {"count": self.count, "shape": list(self.mean.shape), **arrays}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "RunningStats":
        running = cls(tuple(values["shape"]))
        running.count = int(values["count"])
        for name in ("mean", "squares", "min", "max"):
            array = np.array(values[name], np.float64).reshape(running.mean.shape)
            setattr(running, name, array)
        return running
