"""How well two networks agree: the protocol of the Platonic representation hypothesis.

Features of every layer are clamped and normalised, every layer of one network is compared with
every layer of the other, and the best pair counts. A maximum over many pairs is large by chance:
`calibrated` says how large.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor

from firsthand.grounding.representation.knn import (
    Features,
    pair,
)

Layers = Float[Tensor, "n _ _"] | Sequence[Features]
Measure = Callable[[Features, Features], float]


class LayerPair(NamedTuple):
    """The best `score`, and between which layers, counted from 0."""

    score: float
    a: int
    b: int


class Calibrated(NamedTuple):
    """A best score, compared with those of permuted rows.

    `excess` is the score less `by_chance`, over one less `by_chance` (as in Cohen's kappa).
    """

    best: LayerPair
    by_chance: float
    """Mean of the best scores of permuted rows."""
    p: float
    """How often they are as good."""

    @property
    def excess(self) -> float:
        return (self.best.score - self.by_chance) / (1 - self.by_chance)


def best_layers(a: Layers, b: Layers, measure: Measure) -> LayerPair:
    """The pair of layers that agree best. Rows are the same things; widths may differ.

    Features come clamped, see `clamped`; they are given length 1 here.
    """
    return _best(_normalised(a), _normalised(b), measure)


def calibrated(
    a: Layers, b: Layers, measure: Measure, *, permutations: int = 200, seed: int = 0
) -> Calibrated:
    """`best_layers`, and the same with the rows of one side permuted: of each permutation the best
    pair of layers, so that the number of pairs is accounted for."""
    left, right = _normalised(a), _normalised(b)
    best = _best(left, right, measure)
    random = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(len(left[0]), generator=random) for _ in range(permutations)]
    mixed = [_best(left, [layer[order] for layer in right], measure).score for order in orders]
    as_good = sum(score >= best.score for score in mixed)
    return Calibrated(best, sum(mixed) / permutations, (as_good + 1) / (permutations + 1))


def clamped(
    features: Float[Tensor, "n *rest"], quantile: float = 0.95, *, exact: bool = True
) -> Float[Tensor, "n *rest"]:
    """Features clamped to plus and minus the `quantile` of all absolute values.

    Of all layers together if they are one tensor. exact: otherwise the threshold is the mean of the
    rows' quantiles.

    Raises:
        ValueError: the quantile does not lie in (0, 1].
    """
    if not 0 < quantile <= 1:
        raise ValueError(f"a quantile lies in (0, 1], not at {quantile}")
    if quantile == 1:
        return features
    threshold = outlier_threshold(features, quantile, exact=exact)
    return features.clamp(-threshold, threshold)


def outlier_threshold(
    features: Float[Tensor, "n *rest"], quantile: float, *, exact: bool = True
) -> float:
    sizes = features.abs().flatten(start_dim=1)
    if exact:
        return sizes.flatten().kthvalue(int(quantile * sizes.numel()) + 1).values.item()
    rows = [row.quantile(quantile) for row in sizes]  # one by one: `quantile` takes 2²⁴ numbers
    return torch.stack(rows).mean().item()


def _normalised(layers: Layers) -> list[Features]:
    several = layers.unbind(dim=1) if isinstance(layers, Tensor) else layers
    return [F.normalize(pair(layer, layer)[0], dim=1) for layer in several]


def _best(a: Sequence[Features], b: Sequence[Features], measure: Measure) -> LayerPair:
    """Of equals the first. A score may be negative."""
    pairs = [
        LayerPair(measure(left, right), i, j)
        for i, left in enumerate(a)
        for j, right in enumerate(b)
    ]
    return max(pairs, key=lambda pair: pair.score)
