import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from firsthand.grounding.evaluation.forced_choice import forced_choice
from firsthand.grounding.evaluation.linear_probe import (
    ProbeConfig,
    labelled,
    train_probe,
    utterance_counts,
)
from tests.helpers.trials import make_trials

NAMES = ("a", "b", "c", "d", "e")


def clusters(each: int, noise: float, seed: int) -> tuple[torch.Tensor, list[str]]:
    random = torch.Generator().manual_seed(seed)
    centres = torch.randn(5, 12, generator=torch.Generator().manual_seed(99))
    spread = noise * torch.randn(5, each, 12, generator=random)
    return (centres[:, None] + spread).flatten(0, 1), [name for name in NAMES for _ in range(each)]


@pytest.mark.parametrize("share", [1.0, 0.1])
def test_what_can_be_told_apart_is_learned(share):
    features, labels = clusters(30, 0.3, 0)
    config = ProbeConfig(share, epochs=60, rate=0.05)
    probe = train_probe(features, labels, config)
    assert probe.labels == 150 * share
    new, shown = clusters(20, 0.3, 1)
    found = probe.classify(new).argmax(dim=1)
    right = [probe.classes[int(i)] == name for i, name in zip(found, shown, strict=True)]
    assert sum(right) > 95
    again = train_probe(features, labels, config)
    assert torch.equal(again.layer.weight, probe.layer.weight)
    other = train_probe(features, labels, ProbeConfig(share, epochs=60, rate=0.05, seed=1))
    assert not torch.equal(other.layer.weight, probe.layer.weight)


def test_a_probe_is_asked_as_a_model_is():
    """Of the pictures of a trial the one with the largest number for the target's class."""
    features, labels = clusters(30, 1.0, 0)
    probe = train_probe(features, labels, ProbeConfig(epochs=5, rate=0.05))
    pictures = {name: [f"{name}{i}" for i in range(30)] for name in NAMES}
    numbers = dict(
        zip(
            [n for names in pictures.values() for n in names], probe.classify(features), strict=True
        )
    )
    trials = make_trials(pictures, each=10)
    found = forced_choice(trials, numbers, {name: probe.word(name) for name in NAMES})
    for trial, credit in zip(trials, found.credit, strict=True):
        of_class = [float(numbers[image][NAMES.index(trial.word)]) for image in trial.images]
        assert credit == float(max(of_class) == of_class[0])
    assert found.accuracy > 0.8


@given(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=60),
    st.sampled_from([0.01, 0.1, 0.5, 1.0]),
    st.integers(0, 100),
)
def test_every_class_keeps_its_share_rounded_up(labels, share, seed):
    rows = labelled(labels, share, seed)
    assert len(set(rows)) == len(rows)
    for name in set(labels):
        kept = sum(labels[row] == name for row in rows)
        assert kept == math.ceil(labels.count(name) * share - 1e-9)
    assert labelled(labels, share, seed) == rows


def test_a_tenth_of_seventy_is_seven():
    assert len(labelled(["a"] * 70, 0.1, 0)) == 7
    with pytest.raises(ValueError, match=r"a share lies in \(0, 1\], not at 0\.0"):
        labelled(["a"], 0.0, 0)


def test_utterances_are_counted_and_not_words():
    said = ["the kitty", "kitty kitty", "a ball", "balls"]
    assert utterance_counts(said, {"cat": "kitty", "ball": "ball", "car": "car"}) == {
        "cat": 2,
        "ball": 1,
        "car": 0,
    }


@pytest.mark.parametrize("compared", ["probability", "logit"])
def test_pictures_are_compared_by_probability_or_logit(compared):
    features, labels = clusters(10, 1.0, 0)
    probe = train_probe(features, labels, ProbeConfig(epochs=5, compared=compared))
    numbers = probe.layer(features)
    if compared == "probability":
        numbers = numbers.softmax(dim=1).log()
    assert torch.allclose(probe.classify(features), numbers, atol=1e-5)


def test_few_labels_are_learned_from_for_as_long_as_upstreams_fewest():
    features, labels = clusters(1, 0.0, 0)
    found = [
        train_probe(features, labels, ProbeConfig(epochs=epochs, steps=steps)).layer.weight
        for epochs, steps in ((1, 100), (100, 1), (1, 1))
    ]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
