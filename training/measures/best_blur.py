"""The best blur: how much of a future picture needs no prediction at all.

Where much moves, the mean squared error of a blurred picture is lower than that of the picture
itself: "better than a copy" then says little. The reference here is the best linear mixture of the
current picture, four Gaussian blurs of it, its mean colour and a constant: seven numbers a camera,
found by least squares on windows that are learned from. It knows nothing of what a picture shows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from firsthand.policy.batch import Batch
from firsthand.policy.modules.blur import BLURS, blur_matrices
from firsthand.training.metrics import as_predicted, valid_futures

_TERMS = BLURS + 1
_ALIKE = 1e-11  # of the largest sum of squares: less is rounding, for blurs are taken in fp32
_AT_ONCE = 1 << 24  # numbers of the least squares that are held at a time


@dataclass(frozen=True)
class BestBlur:
    """Seven numbers: what the picture, its blurs, its mean colour and 1 count in the mixture."""

    weights: Float64[Tensor, "7"]

    def __call__(self, now: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3 s s"]:
        """Pictures in 0..1, mixed. Not clamped: where it leaves 0..1 it is wrong."""
        with torch.autocast(now.device.type, enabled=False):
            weights = self.weights.to(now)
            mixed = weights[-1] + weights[0] * now
            for weight, blur in zip(
                weights[1:-1], blur_matrices(now.shape[-1]).to(now), strict=True
            ):
                mixed += weight * (blur @ now @ blur.T)
        return mixed


def fit_best_blurs(batches: Iterable[Batch], sizes: Mapping[str, int]) -> dict[str, BestBlur]:
    """The best blur of each camera of which the batches hold futures.

    Sums of products are all that is kept: memory does not grow with the number of windows.

    Args:
        sizes: edge of the predicted pictures in pixels, by camera.
    """
    sums: dict[str, Float64[Tensor, "7 8"]] = {}
    for batch in batches:
        valid = valid_futures(batch)
        for camera in sizes.keys() & (batch.future or {}).keys() & batch.images.keys():
            size = sizes[camera]
            pairs = batch.images[camera][valid], (batch.future or {})[camera][valid]
            step = max(1, _AT_ONCE // (_TERMS * 3 * size**2))
            for now, future in zip(*(x.split(step) for x in pairs), strict=True):
                products = _products(as_predicted(now, size), as_predicted(future, size))
                sums[camera] = sums[camera] + products if camera in sums else products
    return {camera: BestBlur(_solved(total)) for camera, total in sorted(sums.items())}


def _products(
    now: Float[Tensor, "n 3 s s"], future: Float[Tensor, "n 3 s s"]
) -> Float64[Tensor, "7 8"]:
    """Of the terms with each other and with the future, summed over all pixels and colours."""
    with torch.autocast(now.device.type, enabled=False):
        blurs = blur_matrices(now.shape[-1]).to(now)
        columns = [now, *(blur @ now @ blur.T for blur in blurs), torch.ones_like(now), future]
        rows = torch.stack([column.flatten() for column in columns]).double()
        return (rows[:-1] @ rows.T).cpu()


def _solved(products: Float64[Tensor, "7 8"]) -> Float64[Tensor, "7"]:
    """Least squares; the shortest solution where terms cannot be told apart."""
    terms, future = products[:, :-1], products[:, -1]
    return torch.linalg.pinv(terms, rtol=_ALIKE, hermitian=True) @ future
