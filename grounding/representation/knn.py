"""Agreement of two representations of the same things, by nearest neighbours.

The measures of the Platonic representation hypothesis (Huh et al. 2024). Rows of two tables of
features stand for the same n things. Nearness is the inner product, the thing itself left out: give
rows of length 1 for cosines. Of things equally near the one that comes first counts as nearer.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int, Real
from torch import Tensor

Features = Real[Tensor, "n _"]
Neighbours = Int[Tensor, "n k"]  # row numbers, the nearest first

BLOCK = 1024  # rows of a similarity matrix that are in memory at a time


def nearest(features: Features, k: int, *, itself: bool = False) -> Neighbours:
    """The k rows that are nearest to each; itself: whether a row is a neighbour of itself.

    Raises:
        ValueError: there are not as many.
    """
    return torch.cat([_first(rows, k) for rows in _similarities(features, k, itself)])


def near(features: Features, k: int, *, itself: bool = False) -> Bool[Tensor, "n n"]:
    """As `nearest`, as a boolean matrix; faster for large k.

    Raises:
        ValueError: as for `nearest`.
    """
    tables = [_chosen(rows, k) for rows in _similarities(features, k, itself)]
    return torch.cat(tables)


def mutual_knn(a: Features, b: Features, k: int = 10) -> float:
    """The share of k neighbours in `a` that are neighbours in `b` too; by chance k / (n - 1)."""
    return shared_neighbours(a, b, k).double().mean().item() / k


def shared_neighbours(a: Features, b: Features, k: int) -> Int[Tensor, " n"]:
    """How many of its k neighbours each thing has in both."""
    of_a, of_b = _pair(a, b, k)
    shared = [
        among(of_a[block], len(a)).gather(1, of_b[block]).sum(dim=1) for block in blocks(len(a))
    ]
    return torch.cat(shared)


def cycle_knn(a: Features, b: Features, k: int = 10) -> float:
    """The share of things that are a neighbour in `a` of one of their neighbours in `b`.

    Not symmetric, and near one by chance once k² comes near to n.
    """
    of_a, of_b = _pair(a, b, k)
    things = torch.arange(len(a), device=a.device)
    back = [
        (of_a[of_b[block]] == things[block, None, None]).flatten(1).any(dim=1)
        for block in blocks(len(a), BLOCK // k + 1)
    ]
    return torch.cat(back).double().mean().item()


def lcs_knn(a: Features, b: Features, k: int = 10) -> float:
    """The mean length of the longest common subsequence of both lists of k neighbours."""
    of_a, of_b = _pair(a, b, k)
    longest = torch.zeros(len(a), k + 1, dtype=torch.int64, device=a.device)
    for i in range(k):
        before, longest = longest, torch.zeros_like(longest)
        for j in range(k):
            skipped = torch.maximum(before[:, j + 1], longest[:, j])
            same = of_a[:, i] == of_b[:, j]
            longest[:, j + 1] = torch.where(same, before[:, j] + 1, skipped)
    return longest[:, k].double().mean().item()


def edit_distance_knn(a: Features, b: Features, k: int = 10) -> float:
    """One minus the mean edit distance (Levenshtein) between both lists of k neighbours, over k."""
    of_a, of_b = _pair(a, b, k)
    distance = torch.arange(k + 1, device=a.device).repeat(len(a), 1)
    for i in range(k):
        before, distance = distance, torch.full_like(distance, i + 1)
        for j in range(k):
            changed = before[:, j] + (of_a[:, i] != of_b[:, j])
            other = torch.minimum(before[:, j + 1], distance[:, j]) + 1
            distance[:, j + 1] = torch.minimum(changed, other)
    return 1 - distance[:, k].double().mean().item() / k


def among(neighbours: Int[Tensor, "rows k"], things: int) -> Bool[Tensor, "rows {things}"]:
    """Neighbours as a boolean matrix."""
    table = torch.zeros(len(neighbours), things, dtype=torch.bool, device=neighbours.device)
    return table.scatter_(1, neighbours, True)


def blocks(things: int, size: int = BLOCK) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, things, size))


def pair(a: Features, b: Features) -> tuple[Float[Tensor, "n _"], Float[Tensor, "n _"]]:
    """Both tables in single precision or more.

    Raises:
        ValueError: their numbers of rows differ, or they hold NaN or infinity.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} things on one side, {len(b)} on the other")
    for side, table in (("first", a), ("second", b)):
        if not (rows := table.isfinite().all(dim=1)).all():
            bad = int((~rows).sum())
            raise ValueError(f"{bad} of {len(table)} rows of the {side} table hold NaN or infinity")
    left, right = (x if x.dtype == torch.float64 else x.float() for x in (a, b))
    return left, right


def _pair(a: Features, b: Features, k: int) -> tuple[Neighbours, Neighbours]:
    left, right = pair(a, b)
    return nearest(left, k), nearest(right, k)


def _similarities(features: Features, k: int, itself: bool) -> Iterator[Float[Tensor, "rows n"]]:
    """Similarities block by block, of a row with itself minus infinity unless `itself`."""
    things = len(features)
    if not 1 <= k <= things - (not itself):
        raise ValueError(f"{things} things have no {k} neighbours")
    for block in blocks(things):
        rows = features[block] @ features.t()
        if not itself:
            rows[torch.arange(len(rows)), torch.arange(things)[block]] = -torch.inf
        yield rows


def _chosen(rows: Float[Tensor, "rows n"], k: int) -> Bool[Tensor, "rows n"]:
    """Where the k largest values are; of equals the first."""
    least = rows.topk(k, dim=1, sorted=False).values.amin(dim=1, keepdim=True)
    chosen = rows >= least
    tied = chosen.sum(dim=1) > k
    if tied.any():
        above, equal = rows[tied] > least[tied], rows[tied] == least[tied]
        room = k - above.sum(dim=1, keepdim=True)
        chosen[tied] = above | (equal & (equal.cumsum(dim=1) <= room))
    return chosen


def _first(rows: Float[Tensor, "rows n"], k: int) -> Int[Tensor, "rows k"]:
    """The columns of the k largest values; of equals the first, which `topk` does not promise."""
    values, found = rows.topk(k, dim=1)
    tied = (rows >= values[:, -1:]).sum(dim=1) > k
    if tied.any():
        found[tied] = rows[tied].argsort(dim=1, descending=True, stable=True)[:, :k]
    found = found.sort(dim=1).values
    order = rows.gather(1, found).argsort(dim=1, descending=True, stable=True)
    return found.gather(1, order)
