"""Frames side by side."""

import numpy as np
import pytest

from firsthand.grounding.report.montage import (
    frames_by_word_montage,
    saliency_montage,
    words_by_frame_montage,
)
from firsthand.training.visualize.image_grid import overlaid

RED, GREEN = (214, 32, 32), (0, 128, 60)


def flat(level: int, side: int = 8) -> np.ndarray:
    return np.full((side, side, 3), level, np.uint8)


def count(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((picture == colour).all(axis=2).sum())


@pytest.mark.parametrize("wrong", [0, 1, 3])
def test_wrong_frames_are_framed_red(wrong):
    right = [True] * (3 - wrong) + [False] * wrong
    picture = frames_by_word_montage({"ball": [flat(90)] * 3}, {"ball": right})
    edge = 96**2 - 88**2
    assert count(picture, RED) == wrong * edge
    assert count(picture, (90, 90, 90)) == pytest.approx(3 * 96**2 - wrong * edge, abs=50)


def test_frames_stay_in_order_and_in_their_row():
    found = {"a": [flat(10), flat(20)], "b": [flat(30), flat(40)]}
    picture = frames_by_word_montage(found, {"a": [True] * 2, "b": [True] * 2})
    middles = [[int(picture[52 + 100 * r, 146 + 100 * c, 0]) for c in (0, 1)] for r in (0, 1)]
    assert middles == [[10, 20], [30, 40]]


def test_words_need_not_have_equally_many_frames():
    picture = frames_by_word_montage(
        {"a": [flat(10)], "b": [flat(30)] * 4}, {"a": [True], "b": [True] * 4}
    )
    assert count(picture, (30, 30, 30)) >= 4 * 96**2


def test_many_words_stand_in_several_columns():
    words = [f"word {n}" for n in range(20)]
    picture = frames_by_word_montage({w: [flat(60)] for w in words}, {w: [True] for w in words})
    assert picture.shape[0] == 10 * 100 + 4
    assert count(picture, (60, 60, 60)) >= 20 * 96**2


def test_a_frame_s_own_word_is_green_among_the_nearest_and_red_above_if_it_is_not():
    words = list("abcdefg")
    near = np.arange(7.0)[None] / 10
    found = words_by_frame_montage([flat(90)], ["g"], words, near)
    missed = words_by_frame_montage([flat(90)], ["a"], words, near)
    assert count(found, GREEN) > count(found, RED) == 0
    assert count(missed, RED) > count(missed, GREEN) == 0


def test_frames_wrap_into_rows():
    near = np.zeros((10, 2))
    picture = words_by_frame_montage([flat(90)] * 10, ["a"] * 10, ["a", "b"], near)
    assert count(picture, (90, 90, 90)) >= 10 * 96**2
    assert picture.shape[1] < 10 * 96


def test_nothing_is_laid_over_a_picture_where_nobody_looks():
    picture = flat(77)
    look = np.zeros((8, 8))
    assert (overlaid(picture, look) == picture).all()
    look[:4] = 1
    found = overlaid(picture, look)
    assert (found[4:] == picture[4:]).all()
    assert (found[:4] == (253, 231, 37)).all()  # the bright end of viridis


def test_looks_stand_beside_their_frames():
    frames = np.stack([flat(10), flat(20)])[None]
    maps = np.stack([np.zeros((8, 8)), np.ones((8, 8))])[None]
    picture = saliency_montage(["ball"], frames, maps)
    middles = [tuple(picture[52, 146 + 100 * c]) for c in range(4)]
    assert middles == [(10,) * 3, (10,) * 3, (20,) * 3, (253, 231, 37)]
