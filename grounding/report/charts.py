"""Accuracies as bars, dots and curves."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from firsthand.grounding.accuracy import AccuracySummary
from firsthand.grounding.report.style import (
    COLOURS,
    Picture,
    figure,
    hide_top_right,
    means_and_errors,
    percent,
    rendered,
)

_PERMUTATIONS = 9999


def accuracy_bars(
    rows: Mapping[str, Sequence[AccuracySummary | None]],
    sets: Sequence[str],
    chance: Sequence[float],
) -> Picture:
    """A group of bars for each test set, in each a bar for every row (CVCL's figure 2).

    rows: an accuracy for each set, by model; None is left out. Dashed lines are chance.
    """
    fig = figure(max(6.0, 1.5 + len(sets) * (0.5 + 0.36 * len(rows))), 4.2)
    axes = fig.subplots()
    width = 0.84 / len(rows)
    for number, (name, values) in enumerate(rows.items()):
        positions = np.arange(len(sets)) - 0.42 + (number + 0.5) * width
        found = [
            (x, value) for x, value in zip(positions, values, strict=True) if value is not None
        ]
        heights, bars = means_and_errors([value for _, value in found])
        x = [position for position, _ in found]
        colour = COLOURS[number % len(COLOURS)]
        axes.bar(x, heights, 0.92 * width, color=colour, label=name)
        axes.errorbar(x, heights, bars, fmt="none", ecolor="black", elinewidth=1, capsize=2)
        for position, value in found:
            top = (position, 100 * max(value.high, value.mean))
            axes.annotate(
                percent(value.mean), top, (0, 2), textcoords="offset points",
                ha="center", va="bottom", fontsize=7,
            )  # fmt: skip
    for position, share in enumerate(chance):
        label = "chance" if position == 0 else None
        ends = (position - 0.46, position + 0.46)
        axes.plot(ends, (100 * share,) * 2, color="black", dashes=(3, 2), lw=1, label=label)
    axes.set_xticks(range(len(sets)), sets)
    if len(sets) > 3:
        axes.tick_params(axis="x", rotation=20)
    axes.set(ylabel="right choices in %", ylim=(0, 105), xlim=(-0.6, len(sets) - 0.4))
    fig.legend(loc="outside upper center", ncols=4, fontsize=8, frameon=False)
    hide_top_right(axes)
    return rendered(fig)


def category_dots(rows: Mapping[str, Mapping[str, AccuracySummary]], chance: float) -> Picture:
    """A line for each category with a dot for every row, the best for the first row on top."""
    first = next(iter(rows.values()))
    others = sorted({name for values in rows.values() for name in values} - set(first))
    names = [*sorted(first, key=lambda name: -first[name].mean), *others]
    fig = figure(6.4, 1.3 + 0.22 * len(names))
    axes = fig.subplots()
    for number, (row, values) in enumerate(rows.items()):
        known = [name for name in names if name in values]
        x, bars = means_and_errors([values[name] for name in known])
        # slightly apart, so that equal dots do not cover each other
        y = [names.index(name) + 0.12 * (number - (len(rows) - 1) / 2) for name in known]
        colour = COLOURS[number % len(COLOURS)]
        axes.errorbar(x, y, xerr=bars, fmt="o", ms=5, color=colour, elinewidth=1.2, label=row)
    axes.axvline(100 * chance, color="black", dashes=(3, 2), lw=1, label="chance")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="right choices in %", xlim=(-2, 102), ylim=(len(names) - 0.4, -0.6))
    axes.grid(axis="y", alpha=0.25)
    fig.legend(loc="outside upper center", ncols=3, fontsize=8, frameon=False)
    hide_top_right(axes)
    return rendered(fig)


def alignment_curve(
    curves: Mapping[str, Sequence[tuple[float, AccuracySummary]]], chance: float
) -> Picture:
    """Accuracy against the share of utterances that name something in view."""
    fig = figure(6.0, 4.0)
    axes = fig.subplots()
    for number, (name, points) in enumerate(curves.items()):
        ordered = sorted(points, key=lambda point: point[0])
        y, bars = means_and_errors([value for _, value in ordered])
        x = [100 * share for share, _ in ordered]
        colour = COLOURS[number % len(COLOURS)]
        axes.errorbar(x, y, bars, fmt="o-", ms=5, color=colour, capsize=3, label=name)
    axes.axhline(100 * chance, color="black", dashes=(3, 2), lw=1, label="chance")
    axes.set(
        xlabel="utterances that name something in view, in %", ylabel="right choices in %",
        xlim=(0, 100), ylim=(0, 100),
    )  # fmt: skip
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, frameon=False)
    hide_top_right(axes)
    return rendered(fig)


def scatter(
    words: Sequence[str],
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    x_label: str,
    y_label: str,
) -> Picture:
    """A scatter plot of words by two values, with their correlation (CVCL's figure S5).

    p is from permutations of the words, which assumes no distribution.
    """
    fig = figure(6.0, 4.6)
    axes = fig.subplots()
    axes.scatter(x, y, s=22, color=COLOURS[0])
    for word, position in zip(words, zip(x, y, strict=True), strict=True):
        axes.annotate(word, position, (4, 2), textcoords="offset points", fontsize=8)
    if (r := correlation(x, y)) is not None:
        axes.set_title(f"r = {r:.2f}, p = {permutation_p(x, y):.4f}", fontsize=10)
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.margins(0.1)
    axes.grid(alpha=0.25)
    hide_top_right(axes)
    return rendered(fig)


def correlation(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> float | None:
    """Pearson's; None of fewer than three or if all are equal on a side."""
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1])


def permutation_p(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> float:
    """The two-sided p-value of a correlation: how often permutations correlate as strongly."""
    a, b = (values - values.mean() for values in (x, y))
    random = np.random.default_rng(0)
    permuted = np.abs(random.permuted(np.tile(b, (_PERMUTATIONS, 1)), axis=1) @ a)
    return float((np.sum(permuted >= abs(a @ b) * (1 - 1e-9)) + 1) / (_PERMUTATIONS + 1))
