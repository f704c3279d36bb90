"""How far a measured rate or mean may be from the true one."""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Interval(NamedTuple):
    """An estimate with the lower and upper end of its confidence interval."""

    value: float
    low: float
    high: float


def wilson(successes: float | int, n: int, level: float = 0.95) -> Interval:
    """Success rate with Wilson's score interval (Wilson 1927), good at small n and near 0 and 1.

    With no trials the rate is not a number and the interval is everything.

    Raises:
        ValueError: not 0 <= successes <= n, or level not inside (0, 1).
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie in 0..n, not {successes} of {n}")
    if n == 0:
        return Interval(float("nan"), 0.0, 1.0)
    z2 = _normal_quantile(level) ** 2
    rate = successes / n
    centre = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (rate * (1 - rate) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    low = 0.0 if successes == 0 else float(centre - half)  # exact ends, free of rounding
    high = 1.0 if successes == n else float(centre + half)
    return Interval(rate, low, high)


def bounded_mean(values: Float[np.ndarray, "n"], most: float, level: float = 0.95) -> Interval:
    """Mean of numbers between 0 and `most`, with an interval that is honest however few they are
    and even if all are equal: Wilson's, of the mean as a share of `most`. No distribution on that
    stretch varies more than the one at its two ends, of which Wilson's interval is; others it gives
    more room than they need.
    """
    share = wilson(float(np.sum(values)) / most, len(values), level)
    return Interval(*(most * end for end in share))


def bootstrap_mean(
    values: Float[np.ndarray, "n"], level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Mean with its percentile bootstrap interval (Efron 1979): `resamples` means of n draws with
    replacement. Not a number when there are no values.

    Raises:
        ValueError: level not inside (0, 1).
    """
    _check_level(level)
    if len(values) == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    # Drawing how often each distinct value occurs is the same as drawing the values, and cheaper.
    distinct, counts = np.unique(values, return_counts=True)
    draws = np.random.default_rng(seed).multinomial(len(values), counts / len(values), resamples)
    means = draws @ distinct / len(values)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(np.mean(values)), float(low), float(high))


def _normal_quantile(level: float) -> float:
    """The z for which a standard normal variable lies in [-z, z] with probability `level`."""
    _check_level(level)
    return NormalDist().inv_cdf((1 + level) / 2)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"a confidence level lies inside (0, 1), {level} does not")
