"""Tables of numbers as colours."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firsthand.grounding.report.matrices import concept_matrices, confusion, layer_pairs, seriate


def red(picture: np.ndarray) -> np.ndarray:
    far = abs(picture.astype(int) - (255, 0, 0))  # lines between pixels are mixed with others
    return np.argwhere((far < 90).all(axis=2))


@given(st.permutations(range(9)))
def test_like_stands_by_like(order):
    """Three kinds of three things each, in whatever order, come out kind by kind."""
    kinds = np.array(order) // 3
    apart = abs(kinds[:, None] - kinds)
    alike = np.where(apart == 0, 0.9, 0.1 - 0.01 * apart)
    found = kinds[seriate(alike)]
    assert sorted(seriate(alike)) == list(range(9))
    assert np.count_nonzero(np.diff(found)) == 2


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_things_have_an_order_too(count):
    assert sorted(seriate(np.eye(count))) == list(range(count))


def test_both_sides_are_drawn_in_the_same_order():
    random = np.random.default_rng(0)
    values = random.normal(size=(5, 8))
    alike = np.corrcoef(values)
    words = list("abcde")
    picture = concept_matrices(words, alike, alike, 1.0, 0.01)
    order = np.array([3, 0, 4, 1, 2])
    mixed = alike[np.ix_(order, order)]
    again = concept_matrices([words[n] for n in order], mixed, mixed, 1.0, 0.01)
    flipped = concept_matrices(words, alike, -alike, 1.0, 0.01)
    assert (picture != flipped).any()
    # the order is the same, or the same from the other end
    assert picture.shape == again.shape


def test_the_best_pair_of_layers_is_framed():
    scores = np.array([[0.1, -0.2], [0.3, 0.9]])
    picture = layer_pairs(["1", "2"], ["a", "b"], {"CKA": scores})
    best = red(picture).mean(axis=0)
    first = red(layer_pairs(["1", "2"], ["a", "b"], {"CKA": -scores}))
    assert len(first)
    assert best[0] > first[:, 0].mean()
    assert best[1] == pytest.approx(first[:, 1].mean(), abs=15)  # -0.2 stands in the same column


def test_each_measure_has_a_panel():
    scores = np.eye(2)
    one, two = (
        layer_pairs(["1", "2"], ["a", "b"], dict.fromkeys(names, scores))
        for names in (["CKA"], ["CKA", "SVCCA"])
    )
    assert two.shape[1] > 1.4 * one.shape[1]
    assert len(red(two)) > 1.5 * len(red(one))


def test_verbs_that_could_not_be_chosen_are_blank():
    shares = np.array([[0.7, 0.3], [np.nan, 1.0]])
    picture = confusion(["lift", "drop"], ["lift", "drop"], shares, 0.5)
    whole = confusion(["lift", "drop"], ["lift", "drop"], np.nan_to_num(shares), 0.5)
    white = [(p == 255).all(axis=2).sum() for p in (picture, whole)]
    assert white[0] > white[1] + 1000
    assert len(red(picture))


def test_a_measure_without_any_value_has_an_empty_panel():
    picture = layer_pairs(["1"], ["a"], {"CKA": np.array([[np.nan]]), "SVCCA": np.eye(1)})
    middle = picture.shape[1] // 2
    assert red(picture)[:, 1].min() > middle
