"""Scatter plots of a t-SNE map of words and images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.patheffects import withStroke

from firsthand.grounding.evaluation.tsne import WordMap
from firsthand.grounding.report.style import COLOURS, Picture, figure, rendered

_GLYPH, _HEIGHT, _MARK = 6.2, 13, 4  # pixels: width of a letter, height of a line, half a marker
_SIDES = ((1, 1), (-1, 1), (1, -1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1))


def concept_map(words: Sequence[str], points: WordMap) -> Picture:
    """Each word (triangle) joined to the mean of the frames that show it (dot): CVCL's figure 4."""
    fig = figure(7.0, 6.2)
    axes = fig.subplots()
    for image, word_position in zip(points.images, points.words, strict=True):
        axes.plot(*zip(image, word_position, strict=True), color="silver", lw=0.9, zorder=1)
    axes.scatter(*points.images.T, s=26, color=COLOURS[0], label="frames, their mean", zorder=2)
    axes.scatter(*points.words.T, s=26, marker="^", color=COLOURS[1], label="word", zorder=2)
    axes.legend(fontsize=8, frameon=False)
    _finish(axes)
    colours = [COLOURS[0]] * len(words) + [COLOURS[1]] * len(words)
    _write(fig, axes, [*words, *words], np.concatenate([points.images, points.words]), colours)
    return rendered(fig)


def frame_map(words: Sequence[str], labels: Sequence[str], points: WordMap) -> Picture:
    """Every frame (dot) in the colour of its label, every word (triangle) in its own."""
    fig = figure(8.0, 7.0)
    axes = fig.subplots()
    hues = colormaps["hsv"]
    for number, (word, word_position) in enumerate(zip(words, points.words, strict=True)):
        # golden ratio: neighbours in the list are far apart on the colour wheel
        colour = hues(number * 0.618034 % 1)
        frames = points.frames[[row for row, label in enumerate(labels) if label == word]]
        axes.scatter(*frames.T, s=14, color=colour, alpha=0.7, linewidths=0)
        axes.scatter(*word_position, s=70, marker="^", color=colour, edgecolors="black", zorder=3)
    axes.scatter([], [], s=14, color="gray", label="a picture, in its word's colour")
    axes.scatter([], [], s=70, marker="^", color="gray", edgecolors="black", label="a word")
    fig.legend(loc="outside lower center", ncols=2, fontsize=9, frameon=False)
    _finish(axes)
    _write(fig, axes, words, points.words, ["black"] * len(words))
    return rendered(fig)


def _write(
    fig: Any,
    axes: Any,
    words: Sequence[str],
    points: Float[np.ndarray, "n 2"],
    colours: Sequence[str],
) -> None:
    """Each word beside its point, at the side and distance where it overlaps others least."""
    fig.canvas.draw()  # only then are positions in pixels known
    positions = axes.transData.transform(points)
    pixels, halo = fig.dpi / 72, withStroke(linewidth=2, foreground="white")
    boxes_taken = [(*(position - _MARK), *(position + _MARK)) for position in positions]
    for word, position, coordinates, colour in zip(words, positions, points, colours, strict=True):
        extent = np.array([_GLYPH * len(word), _HEIGHT])
        boxes = []
        for away in (4, 12, 22, 34):
            for x, y in _SIDES:
                corner = position + away * np.array([x, y]) - extent * (1 - np.array([x, y])) / 2
                boxes.append((*corner, *(corner + extent)))
        best = min(boxes, key=lambda box: sum(_overlap(box, other) for other in boxes_taken))
        boxes_taken.append(best)
        axes.annotate(
            word, coordinates, (np.array(best[:2]) - position) / pixels, textcoords="offset points",
            fontsize=8, color=colour, zorder=4, path_effects=[halo],
        )  # fmt: skip


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """The area that two boxes (left, bottom, right, top) share."""
    width, height = (min(a[n + 2], b[n + 2]) - max(a[n], b[n]) for n in (0, 1))
    return max(0.0, width) * max(0.0, height)


def _finish(axes: Any) -> None:
    """No ticks: coordinates of t-SNE have no meaning, only distances."""
    axes.set(xticks=[], yticks=[])
    axes.margins(0.08)
