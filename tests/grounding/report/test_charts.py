"""Bars, dots and curves, by the pixels that they colour."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties, findfont, fontManager

from firsthand.grounding.accuracy import AccuracySummary
from firsthand.grounding.report.charts import (
    accuracy_bars,
    alignment_curve,
    category_dots,
    correlation,
    permutation_p,
    scatter,
)
from firsthand.grounding.report.style import COLOURS, _add_fallback_fonts, _glyphs, figure, rendered


def known(mean: float) -> AccuracySummary:
    return AccuracySummary(mean, None, mean, mean, 1)


def coloured(picture: np.ndarray, number: int) -> np.ndarray:
    """Where a picture has one of the style's colours: rows and columns."""
    colour = 255 * np.array(to_rgb(COLOURS[number]))
    return np.argwhere((abs(picture - colour) < 4).all(axis=2))


def test_bars_are_as_high_as_the_accuracies():
    picture = accuracy_bars({"low": [known(0.2)], "high": [known(0.8)]}, ["a"], [0.25])
    low, high = (coloured(picture, number) for number in (0, 1))
    legend = 30  # pixels from the top
    heights = [np.ptp(places[places[:, 0] > legend][:, 0]) for places in (low, high)]
    assert heights[1] == pytest.approx(4 * heights[0], rel=0.05)


def test_what_was_not_measured_has_no_bar():
    both = accuracy_bars({"x": [known(0.5), known(0.5)]}, ["a", "b"], [0.25, 0.5])
    one = accuracy_bars({"x": [known(0.5), None]}, ["a", "b"], [0.25, 0.5])
    bars = [len(coloured(picture, 0)) for picture in (one, both)]
    assert bars[1] > 1.7 * bars[0] > 0
    assert one.shape == both.shape


def test_an_interval_is_drawn():
    far = AccuracySummary(0.5, None, 0.1, 0.9, 1)
    wide, narrow = (accuracy_bars({"x": [v]}, ["a"], [0.25]) for v in (far, known(0.5)))
    black = [(picture == 0).all(axis=2).sum() for picture in (wide, narrow)]
    assert black[0] > black[1]


def test_a_bar_for_each_set_and_chance():
    with pytest.raises(ValueError, match="zip"):
        accuracy_bars({"x": [known(0.5)]}, ["a", "b"], [0.25, 0.25])


def test_the_best_category_stands_on_top():
    rows = {"model": {"bad": known(0.1), "good": known(0.9), "fair": known(0.5)}}
    dots = coloured(category_dots(rows, 0.25), 0)
    dots = dots[dots[:, 0] > 30]
    right, left = dots[dots[:, 1].argmax()], dots[dots[:, 1].argmin()]
    assert right[0] < left[0]


def test_categories_that_only_others_know_are_shown_too():
    rows = {"model": {"ball": known(0.5)}, "probe": {"ball": known(0.6), "sand": known(0.7)}}
    alone = category_dots({"model": rows["model"]}, 0.25)
    assert category_dots(rows, 0.25).shape[0] > alone.shape[0]


def test_a_curve_runs_from_low_to_high_alignment():
    points = [(0.15, known(0.3)), (0.45, known(0.6)), (0.9, known(0.8))]
    forth, back = (alignment_curve({"natural": p}, 0.25) for p in (points, points[::-1]))
    assert (forth == back).all()
    assert len(coloured(forth, 0)) > 100
    assert not len(coloured(forth, 1))


def test_correlation():
    x = np.arange(8.0)
    assert correlation(x, 2 - x) == pytest.approx(-1)
    assert correlation(x[:2], x[:2]) is None
    assert correlation(x, np.ones(8)) is None


def test_words_that_are_mixed_up_correlate_by_chance():
    x = np.arange(8.0)
    assert permutation_p(x, -x) < 0.002
    assert permutation_p(x, np.array([1.0, -1, -1, 1, 1, -1, -1, 1])) > 0.5
    assert permutation_p(x, x) >= 1 / 10000


def test_a_scatter_of_two_words_says_nothing_of_correlation():
    two = scatter(["a", "b"], np.array([0.0, 1.0]), np.array([0.0, 1.0]), "x", "y")
    assert two.dtype == np.uint8
    assert len(coloured(two, 0)) > 10


def test_no_figure_is_left_open():
    from matplotlib import pyplot

    scatter(["a"], np.zeros(1), np.zeros(1), "x", "y")
    assert not pyplot.get_fignums()


def test_letters_that_no_font_has_are_no_warning(monkeypatch):
    """Warnings are errors here. A font that has them is taken where one is installed."""
    fig = figure(2.0, 1.0)
    text = fig.text(0.1, 0.5, "球 мяч")
    rendered(fig)
    had = any(ord("球") in _glyphs(font.fname) for font in fontManager.ttflist)
    assert (len(text.get_fontfamily()) > 1) == had
    usual = findfont(FontProperties())
    monkeypatch.setattr(
        "firsthand.grounding.report.style._glyphs",
        lambda path: frozenset() if path == usual else frozenset(map(ord, "球 мяч")),
    )
    assert _add_fallback_fonts([text])
    assert len(text.get_fontfamily()) == 2
