"""What labels are worth: a linear classifier on frozen features, and how often words are said."""

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
    """CVCL's probe: Adam, no weight decay, no augmentation; `share` of every class's labels.

    It learns for so many `epochs`, or, where these are fewer, `steps`: as many as CVCL's probe took
    with its fewest labels. A dozen labels, a batch, would hardly move the weights.

    Pictures are compared by the `probability` that they show a class. Upstream compares `logit`s,
    of which a classifier decides only by how much they differ within a picture.

    Features come from an encoder in evaluation. Upstream's adapts its batch normalisation to the
    labelled frames, and measures with the statistics of the four frames of each trial.
    """

    share: float = 1.0
    epochs: int = 100
    steps: int = 500
    batch_size: int = 64
    rate: float = 5e-4
    seed: int = 0
    compared: Literal["probability", "logit"] = "probability"


@dataclass(frozen=True)
class Probe:
    """`classify` gives a number for each of the `classes`, the largest for the likeliest: the
    logarithm of its probability, or its logit."""

    classes: tuple[str, ...]
    layer: nn.Linear
    labels: int
    compared: Literal["probability", "logit"]

    @torch.no_grad()
    def classify(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n classes"]:
        numbers = self.layer(features)
        return numbers.log_softmax(dim=1) if self.compared == "probability" else numbers

    def word(self, name: str) -> Float[Tensor, " classes"]:
        """What `classify` times this is: the number of one class, as forced choice takes it."""
        return F.one_hot(torch.tensor(self.classes.index(name)), len(self.classes)).float()


def train_probe(
    features: Float[Tensor, "n d"], labels: Sequence[str], config: ProbeConfig
) -> Probe:
    """A linear classifier of frames, learned from a share of their labels."""
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
    """Rows whose labels are known: of every class the share, rounded up.

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


def times_said(utterances: Iterable[str], words: Mapping[str, str]) -> dict[str, int]:
    """How many tokenised utterances name each category, by what a child hears it called.

    `words` says the name of each category ("cat" is a "kitty" to CVCL). Beside the number of
    labels of a probe that does as well this is how many natural examples a label is worth.
    """
    said = Counter(word for utterance in utterances for word in set(utterance.split()))
    return {category: said[word] for category, word in words.items()}
