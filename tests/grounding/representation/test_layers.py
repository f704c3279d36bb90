"""The best pair of layers, against chance, and what is clamped before."""

import pytest
import torch

from firsthand.grounding.representation.cka import cknna, unbiased_cka
from firsthand.grounding.representation.knn import cycle_knn, mutual_knn
from firsthand.grounding.representation.layers import (
    best_layers,
    calibrated,
    clamped,
    outlier_threshold,
)
from tests.grounding.representation.test_measures import features, golden


@pytest.mark.parametrize("name", ["mutual_knn_topk10", "cknna_topk10", "unbiased_cka"])
def test_the_best_layers_are_found(name):
    """Indices are those of the first and of the second, in this order: upstream's command turns
    them round."""
    c, a, b, d = (
        features(p, s, "raw")
        for p, s in (("independent", "A"), ("related", "A"), ("related", "B"), ("independent", "B"))
    )
    measure = {"mutual_knn_topk10": mutual_knn, "unbiased_cka": unbiased_cka}.get(
        name, lambda a, b: cknna(a, b, 10)
    )
    score, pair = golden()["compute_score_protocol"][name]
    found = best_layers([c, a], [b, d], measure)
    assert found.score == pytest.approx(score, abs=1e-6)
    assert [found.a, found.b] == pair
    assert best_layers(torch.stack([c, a, c], 1), torch.stack([d, b], 1), measure)[1:] == (1, 1)


def test_directions_are_not_turned_round():
    a, b = features("related", "A"), features("related", "B")
    assert cycle_knn(a, b, 10) != cycle_knn(b, a, 10)
    assert best_layers([a], [b], cycle_knn).score == cycle_knn(a, b, 10)


def test_a_measure_below_zero_still_has_a_best_pair():
    """Upstream begins at zero and returns no pair."""
    layers = [torch.randn(8, 3, dtype=torch.float64) for _ in range(3)]
    found = best_layers(layers, layers[:2], lambda a, b: -1 - abs(float((a - b).sum())))
    assert found == (-1.0, 0, 0)


def test_scores_are_measured_against_chance():
    related = calibrated([features("related", "A")], [features("related", "B")], mutual_knn)
    assert related.p == 1 / 201
    assert related.by_chance == pytest.approx(10 / 63, abs=0.01)
    assert 0.3 < related.excess < related.best.score
    layers = [features("independent", side) for side in ("A", "B")]
    alone = calibrated(layers[:1], layers[1:], mutual_knn)
    assert alone.p > 0.05
    random = torch.Generator().manual_seed(0)
    many = [torch.randn(64, 16, generator=random, dtype=torch.float64) for _ in range(8)]
    several = calibrated(many, layers[1:], mutual_knn, permutations=50)
    assert several.by_chance > alone.by_chance  # the best of eight
    assert several.p > 0.05


def test_clamping_is_by_all_layers_together_or_by_rows():
    layers = torch.tensor([[[1.0, -2], [3, -4]], [[5, -6], [7, -80]]])
    assert clamped(layers, 1.0) is layers
    assert clamped(layers, 0.8).abs().max() == 7
    assert outlier_threshold(layers, 0.5, exact=False) == pytest.approx((2.5 + 6.5) / 2)
    with pytest.raises(ValueError, match="a quantile lies in"):
        clamped(layers, 1.5)


def test_thresholds_of_more_numbers_than_a_quantile_can_take():
    many = torch.ones(1, 1).expand(5000, 4000)
    assert outlier_threshold(many, 0.95, exact=False) == 1
