"""Numbers about predictions: PSNR, SSIM, skill, running means."""

import math
from collections.abc import Mapping
from functools import lru_cache

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from firsthand.policy.batch import Batch
from firsthand.policy.modules.image_encoder import resize
from firsthand.training.distributed import Distributed

_WINDOW = 11  # pixels, and sigma: the values of Wang et al. 2004
_SIGMA = 1.5


def psnr(mse: float) -> float:
    """Peak signal-to-noise ratio in decibels of images in 0..1: -10 log10(MSE)."""
    return math.inf if mse == 0 else -10 * math.log10(mse)


def squared_error(a: Float[Tensor, "n 3 h w"], b: Float[Tensor, "n 3 h w"]) -> Float[Tensor, " n"]:
    """Mean squared error of each picture."""
    return (a - b).square().mean((1, 2, 3))


def ssim(a: Float[Tensor, "n 3 h w"], b: Float[Tensor, "n 3 h w"]) -> Float[Tensor, " n"]:
    """Structural similarity of each pair of images in 0..1 (Wang et al. 2004, equation 13).

    Gaussian windows of 11 x 11 pixels around every pixel (images continued by reflection),
    averaged over positions and colours.
    """
    rows, columns = (_windows(size).to(a) for size in a.shape[-2:])

    def blur(x: Tensor) -> Tensor:
        return rows @ x @ columns.T

    mean_a, mean_b, aa, bb, ab = blur(torch.cat([a, b, a * a, b * b, a * b])).chunk(5)
    variances = (aa - mean_a**2).clamp(min=0) + (bb - mean_b**2).clamp(min=0)
    covariance = ab - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    similarity = ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (variances + c2)
    )
    return similarity.mean((1, 2, 3))


@lru_cache
def _windows(size: int) -> Float[Tensor, "{size} {size}"]:
    """The window around each pixel of a line that is continued by reflection, as a matrix: a
    product of matrices is several times faster than a convolution of single channels."""
    offsets = torch.arange(_WINDOW) - _WINDOW // 2
    bell = torch.exp(-offsets.square() / (2 * _SIGMA**2))
    last = size - 1
    places = last - (last - (torch.arange(size)[:, None] + offsets).abs()).abs()
    return torch.zeros(size, size).scatter_add_(1, places, (bell / bell.sum()).expand(size, -1))


class Means:
    """Running means of scalar tensors, kept on the device: adding never waits for it.

    Values that are not finite do not count.

    sums: by name, the sum of the values and how many they are.
    """

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}

    @torch.no_grad()
    def add(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            value = value.detach().double()
            finite = value.isfinite()
            pair = torch.stack([torch.where(finite, value, 0.0), finite.double()])
            self.sums[name] = self.sums[name] + pair if name in self.sums else pair

    def read(self, team: Distributed) -> dict[str, float]:
        """The means since the last reading, over all processes; NaN where nothing was finite."""
        if not self.sums:
            return {}
        sums = team.mean(torch.cat(list(self.sums.values()))).view(-1, 2)
        values = dict(zip(self.sums, (sums[:, 0] / sums[:, 1]).tolist(), strict=True))
        self.sums = {}
        return values


def valid_futures(batch: Batch) -> Bool[Tensor, "b t"]:
    """Which frames are real and have a future that is."""
    return batch.valid if batch.future_valid is None else batch.valid & batch.future_valid


def as_predicted(images: UInt8[Tensor, "n 3 _ _"], size: int) -> Float[Tensor, "n 3 {size} {size}"]:
    """Stored images in 0..1 at the size in which a policy predicts them."""
    return resize(images, size).float() / 255


def skill(error: float, reference: float) -> float:
    """1 - error / reference; 0 where the reference makes no error."""
    return 1 - error / reference if reference > 0 else 0.0
