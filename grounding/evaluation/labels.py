"""What labels are worth: linear probes of a model's features, on the model's own trials."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from firsthand.grounding.evaluation.config import GroundEvalConfig
from firsthand.grounding.evaluation.embeddings import EncoderCache, Progress
from firsthand.grounding.evaluation.forced_choice import Choices
from firsthand.grounding.evaluation.linear_probe import ProbeConfig, train_probe
from firsthand.grounding.evaluation.scoring import Scorer
from firsthand.grounding.evaluation.test_sets import TestSet


@dataclass(frozen=True)
class ProbeResult:
    """Of a linear probe."""

    labels: int
    """How many it was trained on."""
    choices: Mapping[str, Choices] = field(default_factory=dict)
    """By test set."""


def probe_words(
    encoder: EncoderCache,
    labelled: Mapping[str, Sequence[Path]],
    sets: Mapping[str, TestSet],
    config: GroundEvalConfig,
    seed: int,
    progress: Progress | None = None,
) -> dict[float, ProbeResult]:
    """Probes by the share of the `labelled` images that they are trained on.

    A probe chooses in the trials of its classes. Images on white have no labelled ones: on each
    half of every category a probe is evaluated that was trained on the other half, as for CVCL;
    these are listed with the share 1.
    """
    found: dict[float, ProbeResult] = {}
    names = [name for name, paths in labelled.items() for _ in paths]
    paths = [path for paths in labelled.values() for path in paths]
    if len(set(names)) > 1:
        features = encoder.encode(paths, progress=progress).features
        for share in config.shares:
            probe = train_probe(
                features, names, ProbeConfig(share, seed=seed, compared=config.compared)
            )
            choices = {}
            for name, test_set in sets.items():
                known = None if test_set.shrunk else test_set.with_words(probe.classes)
                if known is not None:
                    test_paths = list(known.paths.values())
                    rows = probe.classify(encoder.encode(test_paths).features)
                    chosen = Scorer.of(probe.classes, test_paths, rows).choose(known)
                    choices |= {} if chosen is None else {name: chosen}
            found[share] = ProbeResult(probe.labels, choices)
    if 1.0 in config.shares:
        halves = {
            name: chosen
            for name, test_set in sets.items()
            if test_set.shrunk
            and (chosen := _by_halves(encoder, test_set, config, seed)) is not None
        }
        whole = found.get(1.0, ProbeResult(0))
        found[1.0] = ProbeResult(whole.labels, {**whole.choices, **halves})
    return {share: probed for share, probed in found.items() if probed.choices}


def _by_halves(
    encoder: EncoderCache, test_set: TestSet, config: GroundEvalConfig, seed: int
) -> Choices | None:
    """Choices of two probes, each trained on one half of every category, evaluated on the other."""
    images: dict[str, list[str]] = {}
    for image, category in sorted(test_set.labels.items()):
        images.setdefault(category, []).append(image)
    if len(images) < 2 or min(map(len, images.values())) < 2:
        return None
    halves = [
        {image for names in images.values() for image in part(names)}
        for part in (lambda names: names[: len(names) // 2], lambda names: names[len(names) // 2 :])
    ]
    paths = list(test_set.paths.values())
    rows = encoder.encode(paths, shrunk=test_set.shrunk).features
    features = dict(zip(test_set.paths, rows, strict=True))
    parts = []
    for held_out, train in (halves, halves[::-1]):
        names = sorted(train)
        known = torch.stack([features[name] for name in names])
        labels = [test_set.labels[name] for name in names]
        probe = train_probe(known, labels, ProbeConfig(seed=seed, compared=config.compared))
        scorer = Scorer.of(probe.classes, paths, probe.classify(rows))
        trials = tuple(trial for trial in test_set.trials if trial.images[0] in held_out)
        subset = TestSet(test_set.name, trials, test_set.paths, test_set.shrunk)
        if trials and (chosen := scorer.choose(subset)) is not None:
            parts.append(chosen)
    if not parts:
        return None
    words = tuple(word for part in parts for word in part.words)
    return Choices(words, tuple(c for part in parts for c in part.credit), parts[0].chance)


@dataclass(frozen=True)
class LabelNoise:
    """How many utterances that name a category one label is worth."""

    by_word: Mapping[str, int]
    """Utterances that name each category."""
    said: int
    """Their sum."""
    accuracy: float
    """Of the model, within [0, 1]."""
    probes: tuple[tuple[int, float], ...]
    """Labels and accuracy of each probe, the fewest labels first."""
    labels: float | None
    """Labels of a probe as accurate as the model; None if that is outside the trained probes."""
    bound: str
    """Then "at least" or "at most": how `worth` is to be read; else empty."""
    worth: float
    """Utterances for one label: `said` over `labels`, or its bound."""


def exchange_rate(
    by_word: Mapping[str, int], accuracy: float, probes: Sequence[tuple[int, float]]
) -> LabelNoise:
    """Interpolate the number of labels that make a probe as accurate as a model.

    by_word: utterances that name each category. probes: (labels, accuracy), the fewest labels
    first. Between two probes accuracy is taken to grow with the logarithm of the number of labels.
    A model below the first probe gives a lower bound ("at least"), one above the last an upper
    bound ("at most").
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
