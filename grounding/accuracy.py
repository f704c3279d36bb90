"""A share of right answers, and how far it may be from the true one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firsthand.common.intervals import wilson


@dataclass(frozen=True)
class AccuracySummary:
    """The mean over models that differ in their seed, and its standard error: n - 1 under the root.

    One model alone has no such error, which is then None. `low` and `high` lie one error to either
    side, or, for one model whose answers are known, at the ends of their 95 % interval.
    """

    mean: float
    error: float | None
    low: float
    high: float
    models: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "AccuracySummary":
        mean = float(np.mean(values))
        if len(values) < 2:
            return cls(mean, None, mean, mean, len(values))
        error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
        return cls(mean, error, mean - error, mean + error, len(values))

    @classmethod
    def of_answers(cls, models: Sequence[Sequence[float]]) -> "AccuracySummary":
        """Of what each model got for each of its answers, from 0 to 1."""
        if len(models) > 1:
            return cls.of([float(np.mean(credit)) for credit in models])
        mean = float(np.mean(models[0]))
        _, low, high = wilson(mean * len(models[0]), len(models[0]))
        return cls(mean, None, low, high, 1)

    def shown(self) -> str:
        """With the error, or else with the interval, if there is one."""
        if self.error is not None:
            return f"{100 * self.mean:.1f} ± {100 * self.error:.1f} %"
        if self.low == self.high:
            return f"{100 * self.mean:.1f} %"
        return f"{100 * self.mean:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})"
