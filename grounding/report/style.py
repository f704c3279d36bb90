"""How all pictures of a report look."""

import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import UInt8
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

from firsthand.grounding.accuracy import AccuracySummary

Picture = UInt8[np.ndarray, "_ _ 3"]

# Okabe and Ito's colours, which people with any colour vision tell apart.
COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#7F7F7F",
    "#000000",
    "#B8A800",
)
HEAT = colormaps["viridis"]
_DOTS = 100  # an inch


def figure(width: float, height: float) -> Figure:
    """An empty figure, in inches. No window knows of it."""
    made = Figure(figsize=(width, height), dpi=_DOTS, layout="constrained")
    FigureCanvasAgg(made)
    return made


def rendered(drawn: Figure) -> Picture:
    canvas = drawn.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # no font may have a letter
        canvas.draw()
        if _with_letters(drawn.findobj(Text)):
            canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _with_letters(texts: Sequence[Any]) -> bool:
    """Let texts whose letters the usual font lacks fall back on installed ones that have them."""
    usual, changed = findfont(FontProperties()), False
    for text in texts:
        lacking = {letter for letter in map(ord, text.get_text()) if letter not in _letters(usual)}
        names = [text.get_fontname()]
        for font in sorted(fontManager.ttflist, key=lambda font: font.name) if lacking else ():
            if had := lacking & _letters(font.fname):
                names, lacking = [*names, font.name], lacking - had
        if len(names) > 1:
            text.set_fontfamily(names)
            changed = True
    return changed


@cache
def _letters(path: str) -> frozenset[int]:
    try:
        return frozenset(get_font(path).get_charmap())
    except (OSError, RuntimeError):  # a damaged font
        return frozenset()


def plain(axes: Any) -> None:
    """A frame on two sides only."""
    axes.spines[["top", "right"]].set_visible(False)


def percent(share: float) -> str:
    return f"{100 * share:.0f}"


def middle_and_bars(values: Sequence[AccuracySummary]) -> tuple[list[float], list[list[float]]]:
    """Means in percent, and how far their intervals reach below and above, as matplotlib asks."""
    below = [100 * max(value.mean - value.low, 0.0) for value in values]
    above = [100 * max(value.high - value.mean, 0.0) for value in values]
    return [100 * value.mean for value in values], [below, above]


def evenly(count: int, most: int) -> list[int]:
    """Of so many things at most that many, evenly spread."""
    return [n * count // min(count, most) for n in range(min(count, most))]
