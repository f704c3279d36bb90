"""Accuracy over models or trials, with its standard error or confidence interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firsthand.common.intervals import wilson


@dataclass(frozen=True)
class AccuracySummary:
    """The mean over n models that differ in their seed."""

    mean: float
    error: float | None
    """Standard error over seeds (n - 1 in the variance); None for one model."""
    low: float
    """Mean less one error; for one model the lower end of the 95 % interval over trials."""
    high: float
    """The upper end."""
    models: int
    """n."""

    @classmethod
    def of(cls, values: Sequence[float]) -> "AccuracySummary":
        mean = float(np.mean(values))
        if len(values) < 2:
            return cls(mean, None, mean, mean, len(values))
        error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
        return cls(mean, error, mean - error, mean + error, len(values))

    @classmethod
    def of_answers(cls, models: Sequence[Sequence[float]]) -> "AccuracySummary":
        """From the credit of each model in each trial, within [0, 1]."""
        if len(models) > 1:
            return cls.of([float(np.mean(credit)) for credit in models])
        mean = float(np.mean(models[0]))
        _, low, high = wilson(mean * len(models[0]), len(models[0]))
        return cls(mean, None, low, high, 1)

    def formatted(self) -> str:
        """In percent, with the error, else with the interval if there is one."""
        if self.error is not None:
            return f"{100 * self.mean:.1f} ± {100 * self.error:.1f} %"
        if self.low == self.high:
            return f"{100 * self.mean:.1f} %"
        return f"{100 * self.mean:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})"
