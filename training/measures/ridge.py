"""Ridge regression, cross-validated over groups: what a linear read-out finds."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64

PENALTIES: Sequence[float] = tuple(10.0**power for power in range(-1, 7))
_FOLDS = 5


def folds_of(groups: Int64[np.ndarray, " n"], seed: int = 0) -> Int64[np.ndarray, " n"]:
    """A fold for each sample: whole groups, drawn, as many to each of the folds.

    Raises:
        ValueError: there are fewer than three groups: one fold is read out, one chooses the
            penalty, one is fitted.
    """
    names, which = np.unique(groups, return_inverse=True)
    if len(names) < 3:
        raise ValueError(f"cross-validation needs at least 3 groups, not {len(names)}")
    fold = np.arange(len(names)) % min(_FOLDS, len(names))
    return np.random.default_rng(seed).permutation(fold)[which]


def cross_validated(
    x: Float64[np.ndarray, "n d"], y: Float64[np.ndarray, "n k"], folds: Int64[np.ndarray, " n"]
) -> tuple[Float64[np.ndarray, "n k"], Float64[np.ndarray, "n k"]]:
    """What is read out of `x` for each sample by a fit on the other folds, and the mean of these.

    The penalty of a fit is the one with which all but one of its folds predict that one best.
    """
    predicted, means = np.empty_like(y), np.empty_like(y)
    count = folds.max() + 1
    for fold in range(count):
        outside = folds != fold
        inner = outside & (folds != (fold + 1) % count)
        chosen = outside & ~inner
        tried = ridge(x[inner], y[inner], x[chosen], PENALTIES)
        errors = np.square(tried - y[chosen]).sum((1, 2))
        penalty = PENALTIES[int(np.argmin(errors))]
        predicted[~outside] = ridge(x[outside], y[outside], x[~outside], [penalty])[0]
        means[~outside] = y[outside].mean(0)
    return predicted, means


def ridge(
    x: Float64[np.ndarray, "n d"],
    y: Float64[np.ndarray, "n k"],
    new: Float64[np.ndarray, "m d"],
    penalties: Sequence[float],
) -> Float64[np.ndarray, "p m k"]:
    """Predictions for new rows by ridge regression with an intercept, one for each penalty.

    Columns are standardised by the fitted rows. Solved in the space of the samples, of which there
    are fewer than of numbers, all penalties from one decomposition.
    """
    mean, std = x.mean(0), x.std(0)
    std = np.where(
        std > 1e-6 * max(std.max(), 1e-12), std, np.inf
    )  # what never varies tells nothing
    fitted, asked = (x - mean) / std, (new - mean) / std
    values, vectors = np.linalg.eigh(fitted @ fitted.T)
    centre = y.mean(0)
    onto = vectors.T @ (y - centre)
    scaled = [onto / (values.clip(min=0) + penalty)[:, None] for penalty in penalties]
    return (asked @ fitted.T @ vectors) @ np.stack(scaled) + centre
