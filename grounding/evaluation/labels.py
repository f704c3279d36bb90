"""What labels are worth: linear probes of a model's features, asked the trials that it is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from firsthand.grounding.evaluation.config import GroundEvalConfig
from firsthand.grounding.evaluation.embeddings import EncoderCache, Tell
from firsthand.grounding.evaluation.forced_choice import Choices
from firsthand.grounding.evaluation.linear_probe import ProbeConfig, train_probe
from firsthand.grounding.evaluation.scoring import Scorer
from firsthand.grounding.evaluation.test_sets import TestSet


@dataclass(frozen=True)
class Probed:
    """Probes that learned from a share of the labels: how many these are, what was chosen."""

    labels: int
    choices: Mapping[str, Choices] = field(default_factory=dict)


def probe_words(
    eyes: EncoderCache,
    labelled: Mapping[str, Sequence[Path]],
    sets: Mapping[str, TestSet],
    config: GroundEvalConfig,
    seed: int,
    tell: Tell | None = None,
) -> dict[float, Probed]:
    """By the share of the pictures in `labelled` that a probe learned from.

    A probe chooses in the trials whose words it knows. For pictures on white, which nothing was
    labelled of, each half of every category is asked by a probe that learned from the other
    half, as for CVCL; these stand with the share of all labels.
    """
    found: dict[float, Probed] = {}
    names = [name for name, paths in labelled.items() for _ in paths]
    paths = [path for paths in labelled.values() for path in paths]
    if len(set(names)) > 1:
        features = eyes.look(paths, tell=tell).features
        for share in config.shares:
            probe = train_probe(
                features, names, ProbeConfig(share, seed=seed, compared=config.compared)
            )
            choices = {}
            for name, test_set in sets.items():
                known = None if test_set.shrunk else test_set.asking(probe.classes)
                if known is not None:
                    looked = list(known.places.values())
                    rows = probe.classify(eyes.look(looked).features)
                    chosen = Scorer.of(probe.classes, looked, rows).choose(known)
                    choices |= {} if chosen is None else {name: chosen}
            found[share] = Probed(probe.labels, choices)
    if 1.0 in config.shares:
        halves = {
            name: chosen
            for name, test_set in sets.items()
            if test_set.shrunk and (chosen := _by_halves(eyes, test_set, config, seed)) is not None
        }
        whole = found.get(1.0, Probed(0))
        found[1.0] = Probed(whole.labels, {**whole.choices, **halves})
    return {share: probed for share, probed in found.items() if probed.choices}


def _by_halves(
    eyes: EncoderCache, test_set: TestSet, config: GroundEvalConfig, seed: int
) -> Choices | None:
    """What probes choose that learned from the half of every category which is no target."""
    images: dict[str, list[str]] = {}
    for image, category in sorted(test_set.shown.items()):
        images.setdefault(category, []).append(image)
    if len(images) < 2 or min(map(len, images.values())) < 2:
        return None
    halves = [
        {image for names in images.values() for image in part(names)}
        for part in (lambda names: names[: len(names) // 2], lambda names: names[len(names) // 2 :])
    ]
    paths = list(test_set.places.values())
    rows = eyes.look(paths, shrunk=test_set.shrunk).features
    features = dict(zip(test_set.places, rows, strict=True))
    parts = []
    for held_out, learned in (halves, halves[::-1]):
        names = sorted(learned)
        known = torch.stack([features[name] for name in names])
        shown = [test_set.shown[name] for name in names]
        probe = train_probe(known, shown, ProbeConfig(seed=seed, compared=config.compared))
        judge = Scorer.of(probe.classes, paths, probe.classify(rows))
        trials = tuple(trial for trial in test_set.trials if trial.images[0] in held_out)
        asked = TestSet(test_set.name, trials, test_set.places, test_set.shrunk)
        if trials and (chosen := judge.choose(asked)) is not None:
            parts.append(chosen)
    if not parts:
        return None
    words = tuple(word for part in parts for word in part.words)
    return Choices(words, tuple(c for part in parts for c in part.credit), parts[0].chance)


@dataclass(frozen=True)
class LabelNoise:
    """How many utterances that name a category one label is worth.

    by_word: how many name each; said: all of these. labels: what a probe needs to be as accurate
    as the model; None if the model lies outside the probes that were trained, which `bound` tells.
    worth: `said` over `labels`, or its bound.
    """

    by_word: Mapping[str, int]
    said: int
    accuracy: float
    probes: tuple[tuple[int, float], ...]
    labels: float | None
    bound: str
    worth: float


def exchange_rate(
    by_word: Mapping[str, int], accuracy: float, probes: Sequence[tuple[int, float]]
) -> LabelNoise:
    """From the accuracy of a model that heard each category named so often, and those of probes by
    their number of labels, the fewest first.

    Between two probes accuracy is taken to grow with the logarithm of the number of labels. A model
    below the first probe is worth fewer labels than that had: a label is worth "at least" so many
    utterances. One above the last probe is worth more: "at most".
    """
    points, said = tuple(probes), sum(by_word.values())
    if accuracy < points[0][1]:
        return LabelNoise(by_word, said, accuracy, points, None, "at least", said / points[0][0])
    for (few, low), (many, high) in zip(points, points[1:], strict=False):
        if low <= accuracy < high:
            part = (accuracy - low) / (high - low)
            labels = float(np.exp((1 - part) * np.log(few) + part * np.log(many)))
            return LabelNoise(by_word, said, accuracy, points, labels, "", said / labels)
    return LabelNoise(by_word, said, accuracy, points, None, "at most", said / points[-1][0])
