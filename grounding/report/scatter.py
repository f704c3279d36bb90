"""Maps of words and of what they mean."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.patheffects import withStroke

from firsthand.grounding.evaluation.tsne import WordMap
from firsthand.grounding.report.style import COLOURS, Picture, figure, rendered

_LETTER, _HEIGHT, _MARK = 6.2, 13, 4  # pixels of a letter, of a line, and half a marker's
_SIDES = ((1, 1), (-1, 1), (1, -1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1))


def concept_map(words: Sequence[str], places: WordMap) -> Picture:
    """Each word (triangle) joined to the mean of the frames that show it (dot): CVCL's figure 4."""
    drawn = figure(7.0, 6.2)
    axes = drawn.subplots()
    for seen, said in zip(places.seen, places.said, strict=True):
        axes.plot(*zip(seen, said, strict=True), color="silver", lw=0.9, zorder=1)
    axes.scatter(*places.seen.T, s=26, color=COLOURS[0], label="frames, their mean", zorder=2)
    axes.scatter(*places.said.T, s=26, marker="^", color=COLOURS[1], label="word", zorder=2)
    axes.legend(fontsize=8, frameon=False)
    _finish(axes)
    colours = [COLOURS[0]] * len(words) + [COLOURS[1]] * len(words)
    _write(drawn, axes, [*words, *words], np.concatenate([places.seen, places.said]), colours)
    return rendered(drawn)


def frame_map(words: Sequence[str], shown: Sequence[str], places: WordMap) -> Picture:
    """Every frame in the colour of what it shows, every word where it lies among them."""
    drawn = figure(8.0, 7.0)
    axes = drawn.subplots()
    hues = colormaps["hsv"]
    for number, (word, said) in enumerate(zip(words, places.said, strict=True)):
        # neighbours in the list are far apart on the wheel
        colour = hues(number * 0.618034 % 1)
        mine = places.frames[[row for row, label in enumerate(shown) if label == word]]
        axes.scatter(*mine.T, s=14, color=colour, alpha=0.7, linewidths=0)
        axes.scatter(*said, s=70, marker="^", color=colour, edgecolors="black", zorder=3)
    axes.scatter([], [], s=14, color="gray", label="a picture, in its word's colour")
    axes.scatter([], [], s=70, marker="^", color="gray", edgecolors="black", label="a word")
    drawn.legend(loc="outside lower center", ncols=2, fontsize=9, frameon=False)
    _finish(axes)
    _write(drawn, axes, words, places.said, ["black"] * len(words))
    return rendered(drawn)


def _write(
    drawn: Any,
    axes: Any,
    words: Sequence[str],
    places: Float[np.ndarray, "n 2"],
    colours: Sequence[str],
) -> None:
    """Each word beside its place, on that side and so far away that it covers no other word."""
    drawn.canvas.draw()  # before this nobody knows where on the paper a place lies
    where = axes.transData.transform(places)
    pixels, halo = drawn.dpi / 72, withStroke(linewidth=2, foreground="white")
    taken = [(*(place - _MARK), *(place + _MARK)) for place in where]
    for word, place, point, colour in zip(words, where, places, colours, strict=True):
        size = np.array([_LETTER * len(word), _HEIGHT])
        boxes = []
        for away in (4, 12, 22, 34):
            for x, y in _SIDES:
                corner = place + away * np.array([x, y]) - size * (1 - np.array([x, y])) / 2
                boxes.append((*corner, *(corner + size)))
        best = min(boxes, key=lambda box: sum(_overlap(box, other) for other in taken))
        taken.append(best)
        axes.annotate(
            word, point, (np.array(best[:2]) - place) / pixels, textcoords="offset points",
            fontsize=8, color=colour, zorder=4, path_effects=[halo],
        )  # fmt: skip


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """The area that two boxes (left, bottom, right, top) share."""
    width, height = (min(a[n + 2], b[n + 2]) - max(a[n], b[n]) for n in (0, 1))
    return max(0.0, width) * max(0.0, height)


def _finish(axes: Any) -> None:
    """Places mean nothing but by their distances."""
    axes.set(xticks=[], yticks=[])
    axes.margins(0.08)
