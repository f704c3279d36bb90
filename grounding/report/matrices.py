"""Tables of numbers as colours."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from firsthand.grounding.report.style import HEAT, Picture, figure, rendered

_ACROSS = 5  # panels beside each other
_MOST = 40  # names along a side that can still be read


def concept_matrices(
    words: Sequence[str],
    seen: Float[np.ndarray, "n n"],
    said: Float[np.ndarray, "n n"],
    r: float,
    p: float,
) -> Picture:
    """How alike concepts look, and how alike they are called: cosines of all pairs.

    Both in the same order, in which concepts that look alike stand together.
    """
    order = seriated(seen)
    names = [words[int(row)] for row in order]
    side = 1.6 + 0.14 * min(len(words), _MOST)
    drawn = figure(2 * side + 1.2, side + 0.3)
    for axes, values, title in zip(
        drawn.subplots(1, 2), (seen, said), ("how they look", "what they are called"), strict=True
    ):
        shown = values[np.ix_(order, order)].copy()
        np.fill_diagonal(shown, np.nan)  # always 1, and would hide the differences
        image = axes.imshow(shown, cmap=HEAT, aspect="auto")
        _names(axes, names, names)
        axes.set_title(title, fontsize=10)
        drawn.colorbar(image, ax=axes)
    drawn.suptitle(f"r = {r:.2f}, p = {p:.4f}", fontsize=11)
    return rendered(drawn)


def seriated(alike: Float[np.ndarray, "n n"]) -> Int[np.ndarray, " n"]:
    """Rows in an order in which like stands by like: spectral seriation (Atkins et al. 1998)."""
    weights = alike - alike.min()
    laplacian = np.diag(weights.sum(axis=1)) - weights
    second = np.linalg.eigh(laplacian)[1][:, min(1, len(alike) - 1)]
    return np.argsort(second, kind="stable")


def layer_pairs(
    rows: Sequence[str], columns: Sequence[str], scores: Mapping[str, Float[np.ndarray, "r c"]]
) -> Picture:
    """How well layers agree, a panel for each measure, the best pair of each framed.

    Measures have scales of their own, and so have the colours.
    """
    height = 1.1 + 0.32 * len(rows)
    across = min(len(scores), _ACROSS)
    down = -(-len(scores) // across)
    drawn = figure(max(2.0, 0.6 * len(columns)) * across + 1.6, height * down)
    panels = drawn.subplots(down, across, squeeze=False, sharey=True).ravel()
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
    return rendered(drawn)


def confusion(
    asked: Sequence[str],
    chosen: Sequence[str],
    shares: Float[np.ndarray, "a c"],
    chance: float | None = None,
) -> Picture:
    """What was chosen (columns) when what was asked for (rows): shares, each row adds up to one.

    Right choices are framed.
    """
    drawn = figure(2.2 + 0.5 * len(chosen), 1.6 + 0.36 * len(asked))
    axes = drawn.subplots()
    high = max(float(np.nanmax(shares)), 1e-9)
    image = axes.imshow(shares, cmap=HEAT, vmin=0, vmax=high, aspect="auto")
    _names(axes, asked, chosen)
    _write(axes, 100 * shares, shares / high, "{:.0f}")
    for row, name in enumerate(asked):
        if name in chosen:
            _frame(axes, row, list(chosen).index(name))
    guess = "" if chance is None else f" (chance {100 * chance:.0f})"
    axes.set(ylabel="asked for", xlabel=f"chosen, in %{guess}")
    drawn.colorbar(image, ax=axes)
    return rendered(drawn)


def _names(axes: Any, rows: Sequence[str], columns: Sequence[str]) -> None:
    small = 8 if max(len(rows), len(columns)) <= _MOST else 5
    axes.set_yticks(range(len(rows)), rows, fontsize=small)
    turned = 90 if len(columns) > 8 else 45
    axes.set_xticks(range(len(columns)), columns, fontsize=small, rotation=turned)


def _write(
    axes: Any, values: Float[np.ndarray, "r c"], shades: Float[np.ndarray, "r c"], form: str
) -> None:
    """Values on their shades, from 0, which is dark, to 1."""
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
