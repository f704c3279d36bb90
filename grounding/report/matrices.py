"""Matrices as heat maps."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from firsthand.grounding.report.style import HEAT, Picture, figure, rendered

_ACROSS = 5  # panels in a row
_MOST = 40  # names along an axis in normal size


def concept_matrices(
    words: Sequence[str],
    image_cosines: Float[np.ndarray, "n n"],
    text_cosines: Float[np.ndarray, "n n"],
    r: float,
    p: float,
) -> Picture:
    """Cosines of all pairs of concepts: of their mean images, and of their words.

    Both in the same order, in which concepts with similar images are neighbours.
    """
    order = seriate(image_cosines)
    names = [words[int(row)] for row in order]
    side = 1.6 + 0.14 * min(len(words), _MOST)
    fig = figure(2 * side + 1.2, side + 0.3)
    sides = ((image_cosines, "how they look"), (text_cosines, "what they are called"))
    for axes, (values, title) in zip(fig.subplots(1, 2), sides, strict=True):
        ordered = values[np.ix_(order, order)].copy()
        np.fill_diagonal(ordered, np.nan)  # always 1, and would hide the differences
        image = axes.imshow(ordered, cmap=HEAT, aspect="auto")
        _names(axes, names, names)
        axes.set_title(title, fontsize=10)
        fig.colorbar(image, ax=axes)
    fig.suptitle(f"r = {r:.2f}, p = {p:.4f}", fontsize=11)
    return rendered(fig)


def seriate(similarity: Float[np.ndarray, "n n"]) -> Int[np.ndarray, " n"]:
    """Spectral seriation (Atkins et al. 1998): an order of rows in which similar ones are
    neighbours."""
    weights = similarity - similarity.min()
    laplacian = np.diag(weights.sum(axis=1)) - weights
    second = np.linalg.eigh(laplacian)[1][:, min(1, len(similarity) - 1)]
    return np.argsort(second, kind="stable")


def layer_pairs(
    rows: Sequence[str], columns: Sequence[str], scores: Mapping[str, Float[np.ndarray, "r c"]]
) -> Picture:
    """Agreement of layers: a panel and a colour scale for each measure, the best pair framed."""
    height = 1.1 + 0.32 * len(rows)
    across = min(len(scores), _ACROSS)
    down = -(-len(scores) // across)
    fig = figure(max(2.0, 0.6 * len(columns)) * across + 1.6, height * down)
    panels = fig.subplots(down, across, squeeze=False, sharey=True).ravel()
    for axes in panels[len(scores) :]:
        axes.set_visible(False)
    for axes, (measure, values) in zip(panels, scores.items(), strict=False):
        image = axes.imshow(values, cmap=HEAT, aspect="auto")
        _names(axes, rows, columns)
        _write(axes, values, image.norm(values), "{:.2f}")
        if np.isfinite(values).any():
            row, column = np.unravel_index(np.nanargmax(values), values.shape)
            _frame(axes, int(row), int(column))
        axes.set_title(measure, fontsize=9)
    return rendered(fig)


def confusion(
    targets: Sequence[str],
    chosen: Sequence[str],
    shares: Float[np.ndarray, "a c"],
    chance: float | None = None,
) -> Picture:
    """A confusion matrix: targets (rows), choices (columns), shares; right choices are framed."""
    fig = figure(2.2 + 0.5 * len(chosen), 1.6 + 0.36 * len(targets))
    axes = fig.subplots()
    high = max(float(np.nanmax(shares)), 1e-9)
    image = axes.imshow(shares, cmap=HEAT, vmin=0, vmax=high, aspect="auto")
    _names(axes, targets, chosen)
    _write(axes, 100 * shares, shares / high, "{:.0f}")
    for row, name in enumerate(targets):
        if name in chosen:
            _frame(axes, row, list(chosen).index(name))
    guess = "" if chance is None else f" (chance {100 * chance:.0f})"
    axes.set(ylabel="asked for", xlabel=f"chosen, in %{guess}")
    fig.colorbar(image, ax=axes)
    return rendered(fig)


def _names(axes: Any, rows: Sequence[str], columns: Sequence[str]) -> None:
    small = 8 if max(len(rows), len(columns)) <= _MOST else 5
    axes.set_yticks(range(len(rows)), rows, fontsize=small)
    turned = 90 if len(columns) > 8 else 45
    axes.set_xticks(range(len(columns)), columns, fontsize=small, rotation=turned)


def _write(
    axes: Any, values: Float[np.ndarray, "r c"], shades: Float[np.ndarray, "r c"], form: str
) -> None:
    """Write values on their cells; shades: brightness of each cell, from 0 (dark) to 1."""
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = "white" if shades[row, column] < 0.5 else "black"
            axes.text(
                column, row, form.format(value), ha="center", va="center", fontsize=7, color=colour
            )


def _frame(axes: Any, row: int, column: int) -> None:
    from matplotlib.patches import Rectangle

    corner = (column - 0.5, row - 0.5)
    axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor="red", lw=1.6))
