"""Blurs of a picture: what is known of a future that nobody can tell."""

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

SIGMAS = (1.0, 2.0, 4.0, 8.0)  # pixels, at the size at which a camera's future is predicted
BLURS = len(SIGMAS) + 2  # with the picture itself, first, and its mean colour, last


def blurs_of(images: Float[Tensor, "*n 3 s s"]) -> Float[Tensor, "*n k 3 s s"]:
    """Images, Gaussian blurs of them, and their mean colours everywhere."""
    matrices = blur_matrices(images.shape[-1]).to(images)[:, None]
    images = images[..., None, :, :, :]
    return torch.cat([images, matrices @ images @ matrices.mT], dim=-4)


@lru_cache
def blur_matrices(size: int) -> Float[Tensor, "5 {size} {size}"]:
    """Gaussian blurs as matrices, of a picture's rows and transposed of its columns; the last
    makes a picture its mean colour. At the edges the bell is cut and sums to 1 again."""
    positions = torch.arange(size, dtype=torch.float32)
    apart = (positions[:, None] - positions).square()
    widths: Sequence[float] = (*SIGMAS, math.inf)
    bells = torch.stack([torch.exp(-apart / (2 * sigma**2)) for sigma in widths])
    return bells / bells.sum(-1, keepdim=True)
