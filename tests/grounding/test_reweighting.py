"""Which utterances are about what was seen, found by models that have not learned from them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from firsthand.common.errors import UserError
from firsthand.grounding.pairs import UNCHANGED, Pairs
from firsthand.grounding.reweighting import WEIGHTS, ground_weighted, halves, posterior
from firsthand.grounding.train import ground
from tests.grounding.test_train import CONFIG, make_corpus, same

QUICK = replace(CONFIG, training=replace(CONFIG.training, steps=48, validate_every=0, threads=1))
STRAY = np.arange(40) % 5 < 2  # utterances that say something else


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """Eight recordings of five utterances; the stray ones begin with another word."""
    root = make_corpus(tmp_path_factory.mktemp("corpus"))
    content = json.loads((root / "train.json").read_text())
    words = ["red", "green", "blue", "yellow"]
    for i, row in enumerate(content["data"]):
        row["video_filename"] = f"{i // 5}.mp4"
        if STRAY[i]:
            row["utterance"] = words[(i + 1 + i % 3) % 4]
    (root / "train.json").write_text(json.dumps(content))
    return root


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory) -> Path:
    """A run that nothing interrupts."""
    folder = tmp_path_factory.mktemp("run")
    ground_weighted(QUICK, corpus, folder)
    return folder


def drawn(count: int, share: float) -> tuple[np.ndarray, np.ndarray, torch.Tensor]:
    """Truth, ranks and tokens: of word 4 are all that are about what is seen and a few others."""
    random = np.random.default_rng(0)
    about = random.random(count) < share
    ranks = np.where(about, random.beta(6, 1, count), random.random(count)).clip(1e-3, 1 - 1e-3)
    word = np.where(about | (random.random(count) < 0.1), 4, 5)
    return about, ranks, torch.from_numpy(np.stack([word, np.zeros_like(word)], axis=1))


@pytest.mark.parametrize("share", [0.15, 0.5])
def test_beliefs_are_probabilities(share):
    about, ranks, tokens = drawn(4000, share)
    found = posterior(ranks, tokens, 6)
    assert found.mean() == pytest.approx(share, abs=0.05)
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        here = (found >= low) & (found < low + 0.2)
        if here.sum() > 100:
            assert about[here].mean() == pytest.approx(found[here].mean(), abs=0.1)


def test_words_tell_where_ranks_do_not():
    _, ranks, tokens = drawn(4000, 0.3)
    ranks[:2], tokens[:2, 0] = 0.7, torch.tensor([4, 5])
    some, other = posterior(ranks, tokens, 6)[:2]
    assert some > 0.5 > 0.1 > other
    blind = posterior(ranks, torch.full_like(tokens, 4), 6)
    assert blind[0] == blind[1]


def test_ranks_that_tell_nothing_leave_all_alike():
    random = np.random.default_rng(0)
    found = posterior(random.random(2000), torch.full((2000, 1), 4), 6)
    assert found.std() < 0.1


def test_halves_share_no_recording(corpus):
    pairs = Pairs(corpus, replace(UNCHANGED, size=32))
    one = halves(pairs, 0)
    assert one.sum() == 20
    assert (one.reshape(8, 5) == one.reshape(8, 5)[:, :1]).all()
    assert any((halves(pairs, seed) != one).any() for seed in range(1, 4))


def test_what_is_about_the_sight_is_drawn_more(corpus, whole):
    weights = np.array(json.loads((whole / WEIGHTS).read_text()))
    assert weights[~STRAY].mean() > 2 * weights[STRAY].mean()
    judges = [whole / f"half_{number}/checkpoints/last/policy" for number in range(2)]
    assert not same(*judges)


def test_a_run_that_stops_goes_on_as_if_it_had_not(corpus, whole, tmp_path, monkeypatch):
    class StopError(Exception):
        pass

    for last in (30, 60):  # steps of the two judges, 24 each, and of the model
        taken = 0

        def stop(*_: object, last: int = last) -> None:
            nonlocal taken
            taken += 1
            if taken == last:
                raise StopError

        with monkeypatch.context() as patch:
            patch.setattr("firsthand.training.logger.Reporter.advance", stop)
            with pytest.raises(StopError):
                ground_weighted(QUICK, corpus, tmp_path, resume=True)
    ground_weighted(QUICK, corpus, tmp_path, resume=True)
    assert (tmp_path / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()
    assert same(tmp_path / "checkpoints/last/policy", whole / "checkpoints/last/policy")


def test_weights_of_others_are_refused(corpus, whole, tmp_path):
    with pytest.raises(UserError, match="40 utterances, but 3 weights"):
        ground(QUICK, corpus, tmp_path, weights=np.ones(3))
    with pytest.raises(UserError, match="cannot resume .*: weights was"):
        ground(QUICK, corpus, whole, weights=np.ones(40), resume=True)
    with pytest.raises(UserError, match="2 recordings or more"):
        ground_weighted(QUICK, make_corpus(tmp_path / "single"), tmp_path)
