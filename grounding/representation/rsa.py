"""Representational similarity analysis: correlated similarity matrices."""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float, Int
from torch import Tensor

from firsthand.grounding.representation.knn import Features, pair


class Agreement(NamedTuple):
    """Pearson's `r`, and how often permuted concepts agree as well or better (`p`)."""

    r: float
    p: float


def concept_agreement(
    a: Features, b: Features, *, permutations: int = 9999, seed: int = 0
) -> Agreement:
    """Representational similarity analysis of n concepts, row by row the same on both sides.

    The correlation of the cosines between all pairs of concepts (CVCL's figure 4, there with a
    t-test, which takes pairs for independent). `p` is that of Mantel's test: the concepts of one
    side are permuted, never pairs alone. The smallest possible is 1 / (permutations + 1).

    Raises:
        ValueError: there are fewer than 3 concepts, all on a side are equally alike, or some hold
            NaN.
    """
    a, b = pair(a, b)
    things = len(a)
    if things < 3:
        raise ValueError(f"{things} concepts have no similarities to be correlated")
    left, right = (cosines(x.double()) for x in (a, b))
    above = torch.triu_indices(things, things, offset=1, device=a.device)
    r = _correlation(left, right, above)
    random = torch.Generator().manual_seed(seed)
    mixed = 0
    for _ in range(permutations):
        order = torch.randperm(things, generator=random).to(a.device)
        mixed += _correlation(left, right[order][:, order], above) >= r - 1e-12
    return Agreement(r, (mixed + 1) / (permutations + 1))


def cosines(features: Features) -> Float[Tensor, "n n"]:
    unit = F.normalize(features, dim=1)
    return unit @ unit.t()


def _correlation(
    left: Float[Tensor, "n n"], right: Float[Tensor, "n n"], above: Int[Tensor, "2 pairs"]
) -> float:
    pairs = torch.stack([left[above[0], above[1]], right[above[0], above[1]]])
    centred = pairs - pairs.mean(dim=1, keepdim=True)
    spread = centred.norm(dim=1)
    if (spread <= 1e-12 * len(above[0]) ** 0.5).any():
        raise ValueError("on one side all concepts are equally alike")
    return (centred[0] @ centred[1] / spread.prod()).item()
