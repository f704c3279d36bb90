"""The map of words."""

import numpy as np
import pytest

from firsthand.grounding.evaluation.tsne import tsne_map


def unit(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values, axis=1, keepdims=True)


@pytest.fixture
def concepts():
    """Six directions, words and what is seen of them nearly alike."""
    random = np.random.default_rng(0)
    seen = np.eye(6, 8) + 0.02 * random.normal(size=(6, 8))
    return seen, unit(np.eye(6, 8) + 0.02 * random.normal(size=(6, 8))), random


def test_a_word_lies_by_what_is_seen_of_it(concepts):
    seen, said, random = concepts
    frames = unit(np.repeat(seen, 5, axis=0) + 0.02 * random.normal(size=(30, 8)))
    found = tsne_map(seen, said, frames)
    far = np.linalg.norm(found.images[:, None] - found.words[None], axis=2)
    assert (far.argmin(axis=1) == np.arange(6)).all()
    assert np.allclose(found.distances, far.diagonal())
    near = np.linalg.norm(found.frames[:, None] - found.words[None], axis=2).argmin(axis=1)
    assert (near == np.repeat(np.arange(6), 5)).mean() > 0.9


def test_it_is_the_same_every_time_and_lengths_do_not_matter(concepts):
    seen, said, _ = concepts
    one, two = tsne_map(seen, said), tsne_map(2 * seen, said)
    assert np.allclose(one.images, two.images, atol=1e-3)
    assert one.frames.shape == (0, 2)


def test_two_words_are_enough_and_one_is_not(concepts):
    seen, said, _ = concepts
    assert np.isfinite(tsne_map(seen[:2], said[:2]).images).all()
    with pytest.raises(ValueError, match="1 words make no map"):
        tsne_map(seen[:1], said[:1])


def test_a_model_that_sees_nothing_has_a_map():
    found = tsne_map(np.ones((5, 3)), np.ones((5, 3)), np.zeros((2, 3)))
    assert np.isfinite(found.distances).all()
    assert np.isfinite(found.frames).all()
