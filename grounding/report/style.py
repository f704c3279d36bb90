"""What all figures of a report share: colours, fonts, axes, and figures as arrays."""

import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

from firsthand.grounding.accuracy import AccuracySummary
from firsthand.training.visualize.image_grid import Picture

# Okabe and Ito's colours, distinct with any colour vision.
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
_DPI = 100


def figure(width: float, height: float) -> Figure:
    """An empty figure of that size in inches, without a window."""
    made = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(made)
    return made


def rendered(fig: Figure) -> Picture:
    """A figure as an array of pixels."""
    canvas = fig.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    with warnings.catch_warnings():
        # no installed font may have a glyph
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        canvas.draw()
        if _add_fallback_fonts(fig.findobj(Text)):
            canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _add_fallback_fonts(texts: Sequence[Any]) -> bool:
    """Let texts with glyphs that the default font lacks fall back on installed fonts; whether any
    did."""
    default, changed = findfont(FontProperties()), False
    for text in texts:
        missing = {glyph for glyph in map(ord, text.get_text()) if glyph not in _glyphs(default)}
        names = [text.get_fontname()]
        for font in sorted(fontManager.ttflist, key=lambda font: font.name) if missing else ():
            if present := missing & _glyphs(font.fname):
                names, missing = [*names, font.name], missing - present
        if len(names) > 1:
            text.set_fontfamily(names)
            changed = True
    return changed


@cache
def _glyphs(path: str) -> frozenset[int]:
    try:
        return frozenset(get_font(path).get_charmap())
    except (OSError, RuntimeError):  # a damaged font
        return frozenset()


def hide_top_right(axes: Any) -> None:
    """Axes lines at the left and bottom only."""
    axes.spines[["top", "right"]].set_visible(False)


def percent(share: float) -> str:
    return f"{100 * share:.0f}"


def means_and_errors(values: Sequence[AccuracySummary]) -> tuple[list[float], list[list[float]]]:
    """Means and the lengths of their intervals below and above, in percent, for `errorbar`."""
    below = [100 * max(value.mean - value.low, 0.0) for value in values]
    above = [100 * max(value.high - value.mean, 0.0) for value in values]
    return [100 * value.mean for value in values], [below, above]


def evenly_spaced(count: int, most: int) -> list[int]:
    """At most `most` of the indices below `count`, evenly spaced."""
    return [n * count // min(count, most) for n in range(min(count, most))]
