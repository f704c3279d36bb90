"""Whether the same concepts are alike on two sides."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from firsthand.grounding.representation.cka import cka, cknna
from firsthand.grounding.representation.knn import mutual_knn
from firsthand.grounding.representation.rsa import concept_agreement, cosines
from firsthand.grounding.representation.svcca import svcca


def pair(seed: int, things: int, shared: float) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, things, 6, generator=random)
    return a, shared * a + (1 - shared) * b


@given(seed=st.integers(0, 10**6), things=st.integers(4, 12))
def test_the_correlation_is_numpys(seed, things):
    a, b = pair(seed, things, 0.5)
    left, right = (np.corrcoef(x.numpy()) * 0 for x in (a, b))
    for side, x in ((left, a.numpy()), (right, b.numpy())):
        for i, j in np.ndindex(*side.shape):
            side[i, j] = x[i] @ x[j] / np.linalg.norm(x[i]) / np.linalg.norm(x[j])
    above = np.triu_indices(things, 1)
    wanted = np.corrcoef(left[above], right[above])[0, 1]
    assert concept_agreement(a, b, permutations=1).r == pytest.approx(wanted, abs=1e-5)
    assert np.allclose(cosines(a), left, atol=1e-5)


def test_what_agrees_is_told_from_what_does_not():
    assert concept_agreement(*pair(0, 22, 0.8), permutations=999).p == 1 / 1000
    chances = [concept_agreement(*pair(i, 22, 0.0), permutations=99).p for i in range(60)]
    assert 0.35 < np.mean(chances) < 0.65  # uniform, as a p is of what does not agree
    assert min(chances) < 0.1


def test_concepts_are_mixed_up_and_not_pairs():
    """Three groups of equal things: an exchange within a group changes nothing, and that counts."""
    groups = torch.eye(3).repeat_interleave(2, dim=0)
    found = concept_agreement(groups, groups, permutations=2000)
    assert found.r == pytest.approx(1)
    assert found.p == pytest.approx(48 / 720, abs=0.02)  # 2³ within groups, 3! of whole groups


def test_neither_turning_nor_size_nor_order_matters():
    a, b = (x.double() for x in pair(3, 10, 0.5))
    found = concept_agreement(a, b, permutations=9)
    turn, _ = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64))
    order = torch.randperm(10)
    for left, right in ((a @ turn, 3 * b), (b, a), (a[order], b[order])):
        again = concept_agreement(left, right, permutations=9)
        assert again.r == pytest.approx(found.r, abs=1e-9)
    assert concept_agreement(a, b, permutations=9) == found


def test_what_has_no_agreement_is_refused():
    a, b = pair(0, 5, 0.5)
    with pytest.raises(ValueError, match="2 concepts have no similarities"):
        concept_agreement(a[:2], b[:2])
    with pytest.raises(ValueError, match="all concepts are equally alike"):
        concept_agreement(a, torch.ones(5, 6))
    with pytest.raises(ValueError, match="all concepts are equally alike"):
        concept_agreement(torch.eye(5), b)
    a[1, 2] = torch.nan
    with pytest.raises(ValueError, match="1 of 5 rows of the first table hold NaN or infinity"):
        concept_agreement(a, b)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.int64, torch.float64])
def test_numbers_of_any_kind_are_compared(kind):
    a, b = (x.mul(8).round() for x in pair(0, 12, 0.5))
    expected = [cka(a, b), cknna(a, b, 3), mutual_knn(a, b, 3), svcca(a, b, 3)]
    a, b = a.to(kind), b.to(kind)
    found = [cka(a, b), cknna(a, b, 3), mutual_knn(a, b, 3), svcca(a, b, 3)]
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "measure",
    [cka, partial(cknna, k=3), partial(mutual_knn, k=3), partial(svcca, dimensions=3)],
)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_what_is_no_number_is_refused(measure, bad):
    a, b = pair(0, 12, 0.5)
    b[3] = bad
    with pytest.raises(ValueError, match="1 of 12 rows of the second table hold NaN"):
        measure(a, b)


def test_constants_agree_with_nothing():
    a, _ = pair(0, 60, 0.5)
    for constant in (torch.ones(60, 6), torch.full((60, 6), 0.1) + 1e-9 * a, torch.zeros(60, 6)):
        assert cknna(a, constant, 20) == cknna(constant, a, 20) == 0
        assert abs(cka(a, constant)) < 1e-3
