"""Agreement of two representations of the same things, by canonical correlations."""

import torch
from jaxtyping import Float
from torch import Tensor

from firsthand.grounding.representation.knn import Features, pair


def svcca(a: Features, b: Features, dimensions: int = 10) -> float:
    """Singular vector canonical correlation analysis (Raghu et al. 2017).

    The mean correlation of the leading `dimensions` of both tables, columns standardised. Exact:
    upstream draws random projections and adds noise, and differs by some hundredths between runs.

    Raises:
        ValueError: a table has fewer dimensions, or fewer things than that.
    """
    left, right = (_leading(x, dimensions) for x in pair(a, b))
    return torch.linalg.svdvals(left.t() @ right).clamp(max=1).mean().item()


def _leading(features: Features, dimensions: int) -> Float[Tensor, "n {dimensions}"]:
    """Orthonormal, in the order of how much they explain."""
    most = min(len(features) - 1, features.shape[1])
    if not 1 <= dimensions <= most:
        raise ValueError(f"{tuple(features.shape)} features have no {dimensions} dimensions")
    centred = features - features.mean(dim=0)
    standard = centred / (centred.std(dim=0) + 1e-8)
    directions, sizes, _ = torch.linalg.svd(standard, full_matrices=False)
    if sizes[dimensions - 1] <= sizes[0] * len(features) * torch.finfo(sizes.dtype).eps:
        raise ValueError(f"the features vary in fewer than {dimensions} dimensions")
    return directions[:, :dimensions]
