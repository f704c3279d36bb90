"""Maps of words and of what they mean."""

from collections.abc import Sequence
from typing import Any

from matplotlib import colormaps

from pretrain.word_map import WordMap
from pretrain.word_pictures.style import COLOURS, Picture, figure, rendered


def concept_map(words: Sequence[str], places: WordMap) -> Picture:
    """Each word (triangle) joined to the mean of the frames that show it (dot): CVCL's figure 4."""
    drawn = figure(7.0, 6.2)
    axes = drawn.subplots()
    for seen, said in zip(places.seen, places.said, strict=True):
        axes.plot(*zip(seen, said, strict=True), color="silver", lw=0.9, zorder=1)
    axes.scatter(*places.seen.T, s=26, color=COLOURS[0], label="frames, their mean", zorder=2)
    axes.scatter(*places.said.T, s=26, marker="^", color=COLOURS[1], label="word", zorder=2)
    for word, seen, said in zip(words, places.seen, places.said, strict=True):
        _write(axes, word, seen, COLOURS[0])
        _write(axes, word, said, COLOURS[1])
    _finish(axes)
    axes.legend(fontsize=8, frameon=False)
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
        _write(axes, word, said, "black")
    _finish(axes)
    return rendered(drawn)


def _write(axes: Any, word: str, place: Any, colour: Any) -> None:
    axes.annotate(
        word, place, (3, 3), textcoords="offset points", fontsize=8, color=colour, zorder=4
    )


def _finish(axes: Any) -> None:
    """Places mean nothing but by their distances."""
    axes.set(xticks=[], yticks=[])
    axes.margins(0.08)
