"""Agreement of the image encoder's layers with words, in several measures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor

from firsthand.grounding.representation.cka import cka, cknna, unbiased_cka
from firsthand.grounding.representation.knn import (
    Features,
    cycle_knn,
    edit_distance_knn,
    lcs_knn,
    mutual_knn,
)
from firsthand.grounding.representation.layers import Calibrated, calibrated, clamped
from firsthand.grounding.representation.rsa import cosines
from firsthand.grounding.representation.svcca import svcca

NEIGHBOURS = 5  # of a few dozen concepts; among 10 nearly half of them would be
DIMENSIONS = 10
_FEWEST = 3  # concepts: two have one similarity, which correlates with anything
Layers = Mapping[str, Float[Tensor, "n _"]]


@dataclass(frozen=True)
class LayerScores:
    """One measure of agreement."""

    scores: Float[Tensor, "image_layers text_layers"]
    """Between every layer of the image encoder and of words."""
    best: Calibrated
    """The best pair, compared with the best pairs of permuted concepts."""


def layer_scores(
    image_layers: Layers, text_layers: Layers, *, permutations: int, seed: int
) -> dict[str, LayerScores]:
    """Scores in every measure that n concepts allow; rows are the same concepts on both sides.

    As in the protocol of Huh et al. 2024, values are clamped at the 95 % quantile of their size and
    rows given length 1.
    """
    if len(next(iter(image_layers.values()))) < _FEWEST:
        return {}
    left = [F.normalize(clamped(layer.double()), dim=1) for layer in image_layers.values()]
    right = [F.normalize(clamped(layer.double()), dim=1) for layer in text_layers.values()]
    found = {}
    for name, measure in measures(len(left[0])).items():
        try:
            scores = torch.tensor([[measure(a, b) for b in right] for a in left])
            best = calibrated(left, right, measure, permutations=permutations, seed=seed)
        except ValueError:  # too few concepts, or dimensions in which they differ
            continue
        found[name] = LayerScores(scores, best)
    return found


def measures(concepts: int) -> dict[str, Callable[[Features, Features], float]]:
    """By name, with neighbours and dimensions for so many concepts."""
    k = min(NEIGHBOURS, concepts - 2)
    dimensions = min(DIMENSIONS, (concepts - 1) // 2)
    return {
        "correlated cosines": _correlation,
        f"mutual {k}-NN": partial(mutual_knn, k=k),
        f"cycle {k}-NN": partial(cycle_knn, k=k),
        f"LCS {k}-NN": partial(lcs_knn, k=k),
        f"edit distance {k}-NN": partial(edit_distance_knn, k=k),
        "CKA": cka,
        "unbiased CKA": unbiased_cka,
        f"CKNNA, k = {k}": lambda a, b: cknna(a, b, k),
        f"SVCCA, {dimensions} dimensions": partial(svcca, dimensions=dimensions),
    }


def _correlation(a: Features, b: Features) -> float:
    """Of the cosines between all pairs, as `concept_agreement` has it."""
    above = torch.triu_indices(len(a), len(a), offset=1)
    pairs = torch.stack([cosines(x)[above[0], above[1]] for x in (a, b)])
    return float(torch.corrcoef(pairs)[0, 1].nan_to_num())
