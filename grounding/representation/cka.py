"""Agreement of two representations of the same things, by kernel matrices.

Centred kernel alignment (Kornblith et al. 2019), its unbiased variant, and CKNNA, which uses
near neighbours only (Huh et al. 2024). No n × n matrix of numbers is ever held, at most a block of
its rows; CKNNA holds one of truth values.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from firsthand.grounding.representation.knn import Features, blocks, near, pair

# Added to the denominator of a measure, as upstream does: equal rows score 0.
EPSILON = 1e-6
FEW = 32  # if less than one entry in so many is needed, entries are computed one by one
MANY = 1 << 14  # inner products that are in memory at a time

Kept = Bool[Tensor, "n n"] | None


@dataclass(frozen=True, eq=False)
class Kernel:
    """Inner products, or with a `sigma` radial basis functions."""

    features: Features
    sigma: float | None = None

    def rows(self, block: slice) -> Float[Tensor, "rows n"]:
        if self.sigma is None:
            return self.features[block] @ self.features.t()
        distance = torch.cdist(self.features[block], self.features)
        return torch.exp(-(distance**2) / (2 * self.sigma**2))

    def pairs(
        self, block: slice, i: Int[Tensor, " p"], j: Int[Tensor, " p"]
    ) -> Float64[Tensor, " p"]:
        """Some entries of a block's rows; if they are many the whole rows are computed."""
        rows = self.features[block]
        if self.sigma is not None or len(i) * FEW > len(rows) * len(self.features):
            return self.rows(block)[i, j].double()
        several = zip(i.split(MANY), j.split(MANY), strict=True)
        found = [(rows[n] * self.features[m]).sum(dim=1) for n, m in several]
        return torch.cat(found).double()


def cka(a: Features, b: Features, *, sigma: float | None = None, unbiased: bool = False) -> float:
    """Centred kernel alignment, linear or with radial basis functions of width `sigma`."""
    left, right = (Kernel(x, sigma) for x in pair(a, b))
    estimate = hsic_unbiased if unbiased else hsic_biased
    return _aligned(estimate(left, right), estimate(left, left), estimate(right, right))


def unbiased_cka(a: Features, b: Features) -> float:
    """CKA with the unbiased estimator: about 0 for independent representations of any width."""
    return cka(a, b, unbiased=True)


def cknna(
    a: Features,
    b: Features,
    k: int | None = None,
    *,
    unbiased: bool = True,
    distance_agnostic: bool = False,
) -> float:
    """CKA over pairs that are among the k nearest on both sides; None: k is n - 1.

    With k = n - 1 it is the unbiased CKA. distance_agnostic: neighbours are counted and not
    weighted, which is the mutual k-NN. Not quite symmetric: neighbourhood is not.

    Raises:
        ValueError: k is less than 2 or more than there are neighbours.
    """
    a, b = pair(a, b)
    k = len(a) - 1 if k is None else k
    if k < 2:
        raise ValueError(f"CKNNA needs 2 neighbours or more, not {k}")
    if k == len(a) - unbiased and not distance_agnostic:  # nothing is left out
        return cka(a, b, unbiased=unbiased)
    if _alike(a) or _alike(b):  # whose neighbours are the first ones, which say nothing
        return 0.0
    of_a, of_b = (near(x, k, itself=not unbiased) for x in (a, b))
    if distance_agnostic:
        return _aligned(float((of_a & of_b).sum()), float(of_a.sum()), float(of_b.sum()))
    estimate = hsic_unbiased if unbiased else hsic_biased
    left, right = Kernel(a), Kernel(b)
    return _aligned(
        estimate(left, right, of_a & of_b), estimate(left, left, of_a), estimate(right, right, of_b)
    )


def _alike(features: Features) -> bool:
    """Whether all rows are equal, up to rounding."""
    return bool((features - features[0]).abs().max() <= EPSILON * features.abs().max())


def hsic_biased(left: Kernel, right: Kernel, kept: Kept = None) -> float:
    """tr(KHLH) of what is `kept` of both matrices, H being the centring matrix: the Hilbert-Schmidt
    independence criterion times (n - 1)²."""
    s, n = _sums(left, right, kept, diagonal=True), len(left.features)
    once = s.rows_k @ s.columns_l + s.columns_k @ s.rows_l
    return (s.both - once / n + s.rows_k.sum() * s.rows_l.sum() / n**2).item()


def hsic_unbiased(left: Kernel, right: Kernel, kept: Kept = None) -> float:
    """The estimator of Song et al. 2012, equation 5, of what is `kept` of both matrices.

    Raises:
        ValueError: there are fewer than 4 things.
    """
    n = len(left.features)
    if n < 4:
        raise ValueError(f"the unbiased estimate needs 4 things or more, not {n}")
    s = _sums(left, right, kept, diagonal=False)
    apart = s.rows_k.sum() * s.rows_l.sum() / ((n - 1) * (n - 2))
    once = 2 / (n - 2) * (s.columns_k @ s.rows_l)
    return ((s.both + apart - once) / (n * (n - 3))).item()


@dataclass(frozen=True)
class _Sums:
    """Σ KᵢⱼLⱼᵢ, and both matrices summed along their rows and their columns."""

    both: Float[Tensor, ""]
    rows_k: Float[Tensor, " n"]
    rows_l: Float[Tensor, " n"]
    columns_k: Float[Tensor, " n"]
    columns_l: Float[Tensor, " n"]


def _sums(left: Kernel, right: Kernel, kept: Kept, diagonal: bool) -> _Sums:
    """In double precision. The kernels are symmetric, what is kept of them need not be."""
    if kept is not None:
        return _kept_sums(left, right, kept, diagonal)
    if left.sigma is None and right.sigma is None:
        return _linear_sums(left.features.double(), right.features.double(), diagonal)
    n, device = len(left.features), left.features.device
    both = torch.zeros((), dtype=torch.float64, device=device)
    rows_k, rows_l = torch.zeros(2, n, dtype=torch.float64, device=device)
    for block in blocks(n):
        row_k = left.rows(block)
        row_l = row_k.clone() if right is left else right.rows(block)
        if not diagonal:
            for row in (row_k, row_l):
                row[torch.arange(len(row)), torch.arange(n)[block]] = 0
        both += (row_k * row_l).sum(dtype=torch.float64)
        rows_k[block] = row_k.sum(dim=1, dtype=torch.float64)
        rows_l[block] = row_l.sum(dim=1, dtype=torch.float64)
    return _Sums(both, rows_k, rows_l, rows_k, rows_l)


def _kept_sums(left: Kernel, right: Kernel, kept: Bool[Tensor, "n n"], diagonal: bool) -> _Sums:
    """Entry by entry, because near neighbours are few."""
    n, device = len(kept), kept.device
    both = torch.zeros((), dtype=torch.float64, device=device)
    rows_k, rows_l, columns_k, columns_l = torch.zeros(4, n, dtype=torch.float64, device=device)
    for block in blocks(n):
        row, j = kept[block].nonzero(as_tuple=True)
        i = row + block.start
        if not diagonal:
            row, i, j = row[i != j], i[i != j], j[i != j]
        k = left.pairs(block, row, j)
        l = k if right is left else right.pairs(block, row, j)  # noqa: E741
        both += (k * l)[kept[j, i]].sum()
        rows_k.index_add_(0, i, k)
        rows_l.index_add_(0, i, l)
        columns_k.index_add_(0, j, k)
        columns_l.index_add_(0, j, l)
    return _Sums(both, rows_k, rows_l, columns_k, columns_l)


def _linear_sums(a: Features, b: Features, diagonal: bool) -> _Sums:
    """The same from a matrix of width × width instead of n × n: Σ KᵢⱼLⱼᵢ = |AᵀB|²."""
    both = (a.t() @ b).square().sum()
    rows_a, rows_b = a @ a.sum(dim=0), b @ b.sum(dim=0)
    if not diagonal:
        of_a, of_b = a.square().sum(dim=1), b.square().sum(dim=1)
        both, rows_a, rows_b = both - of_a @ of_b, rows_a - of_a, rows_b - of_b
    return _Sums(both, rows_a, rows_b, rows_a, rows_b)


def _aligned(across: float, one: float, other: float) -> float:
    """The normalised estimate; 0 if that of one side is not positive."""
    if one <= 0 or other <= 0:
        return 0.0
    return across / ((one * other) ** 0.5 + EPSILON)
