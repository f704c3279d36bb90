"""A linear probe: a linear classifier trained on frozen features."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True)
class ProbeConfig:
    """CVCL's probe: Adam, no weight decay, no augmentation.

    Features come from an encoder in evaluation mode. Upstream's adapts its batch normalisation to
    the labelled frames, and evaluates with the statistics of the four frames of each trial.
    """

    share: float = 1.0
    """Share of every class's labels to train on, within (0, 1]."""
    epochs: int = 100
    """Passes over the labels."""
    steps: int = 500
    """Optimiser steps at least, as many as CVCL's probe took with its fewest labels: a dozen
    labels, one batch an epoch, would hardly change the weights."""
    batch_size: int = 64
    """Labelled images a step."""
    rate: float = 5e-4
    """Learning rate of Adam."""
    seed: int = 0
    """Of the choice of labels, the initial weights and the order of batches."""
    compared: Literal["probability", "logit"] = "probability"
    """What images are compared by: the `probability` of a class, or as upstream its `logit`, which
    a classifier determines only up to a constant for each image."""


@dataclass(frozen=True)
class Probe:
    """A trained probe. labels: how many it was trained on."""

    classes: tuple[str, ...]
    layer: nn.Linear
    labels: int
    compared: Literal["probability", "logit"]

    @torch.no_grad()
    def classify(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n classes"]:
        """The logarithm of each class's probability, or its logit (`compared`)."""
        numbers = self.layer(features)
        return numbers.log_softmax(dim=1) if self.compared == "probability" else numbers

    def word(self, name: str) -> Float[Tensor, " classes"]:
        """The unit vector that picks the column of one class in the output of `classify`."""
        return F.one_hot(torch.tensor(self.classes.index(name)), len(self.classes)).float()


def train_probe(
    features: Float[Tensor, "n d"], labels: Sequence[str], config: ProbeConfig
) -> Probe:
    """Train a linear classifier of frames on a share of their labels."""
    rows = labelled(labels, config.share, config.seed)
    classes = tuple(sorted(set(labels)))
    inputs = features[rows]
    targets = torch.tensor([classes.index(labels[row]) for row in rows], device=features.device)
    random = torch.Generator().manual_seed(config.seed)
    layer = nn.Linear(features.shape[1], len(classes)).to(features)
    bound = features.shape[1] ** -0.5
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -bound, bound, generator=random)
    optimizer = torch.optim.Adam(layer.parameters(), lr=config.rate)
    batches = math.ceil(len(rows) / config.batch_size)
    for _ in range(max(config.epochs, math.ceil(config.steps / batches))):
        for batch in torch.randperm(len(rows), generator=random).split(config.batch_size):
            optimizer.zero_grad()
            F.cross_entropy(layer(inputs[batch]), targets[batch]).backward()
            optimizer.step()
    return Probe(classes, layer.requires_grad_(False), len(rows), config.compared)


def labelled(labels: Sequence[str], share: float, seed: int) -> list[int]:
    """Rows to train on: a random share of every class, rounded up.

    Raises:
        ValueError: the share does not lie in (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"a share lies in (0, 1], not at {share}")
    random = np.random.default_rng(seed)
    rows: list[int] = []
    for name in sorted(set(labels)):
        of_class = [row for row, label in enumerate(labels) if label == name]
        # 10 % of 70 is 7, though 0.1 * 70 is a little more
        count = math.ceil(round(len(of_class) * share, 9))
        rows += sorted(int(row) for row in random.choice(of_class, count, replace=False))
    return rows


def utterance_counts(utterances: Iterable[str], words: Mapping[str, str]) -> dict[str, int]:
    """How many tokenised utterances name each category.

    words: the word of each category ("cat" is "kitty" for CVCL).
    """
    counts = Counter(word for utterance in utterances for word in set(utterance.split()))
    return {category: counts[word] for category, word in words.items()}
