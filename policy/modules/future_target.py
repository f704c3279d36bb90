"""What the future queries predict: pixels as they are, or normalised patch by patch.

GR-1 (after MAE, He et al. 2022) predicts the pixels of 16×16 patches, each patch normalised by its
own mean and standard deviation. Such a prediction cannot be displayed as it is: the future patch's
mean and deviation are unknown. `PixelTarget` predicts pixels and measures the error in units of the
true patch's standard deviation: patches weigh the same, and an image comes out.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from firsthand.policy.config import VideoConfig
from firsthand.policy.modules.image_encoder import (
    imagenet_denormalised,
    imagenet_normalised,
    to_unit,
)


@runtime_checkable
class FutureTarget(Protocol):
    """How a future image is written, how a predicted one is judged, and how it is displayed.

    Images hold pixels from 0 to 255; `current` is the camera's image now.
    """

    def target(self, future: Shaped[Tensor, "*n 3 h h"]) -> Float[Tensor, "*n p c"]:
        """What the prediction should have been."""
        ...

    def loss(
        self,
        predicted: Float[Tensor, "b t p c"],
        target: Float[Tensor, "b t p c"],
        valid: Bool[Tensor, "b t"],
    ) -> Float[Tensor, ""]:
        """How wrong a prediction is, over valid frames alone."""
        ...

    def to_image(
        self, predicted: Float[Tensor, "*n p c"], current: Shaped[Tensor, "*n 3 h h"]
    ) -> Float[Tensor, "*n 3 h h"]:
        """The predicted image, in 0..1."""
        ...


@dataclass(frozen=True)
class PixelTarget:
    """Pixels in 0..1; each patch's squared error is divided by the true patch's variance."""

    patch: int
    eps: float

    def target(self, future: Shaped[Tensor, "*n 3 h h"]) -> Float[Tensor, "*n p c"]:
        return to_unit(patchify(future, self.patch))

    def loss(
        self,
        predicted: Float[Tensor, "b t p c"],
        target: Float[Tensor, "b t p c"],
        valid: Bool[Tensor, "b t"],
    ) -> Float[Tensor, ""]:
        """GR-1 normalises both by the true patch's mean as well; here a wrong mean costs too."""
        std = target.std(dim=-1, correction=0) + self.eps
        error = (predicted - target).square().mean(dim=-1) / std.square()
        return mean_over(error.mean(dim=-1), valid)

    def to_image(
        self, predicted: Float[Tensor, "*n p c"], current: Shaped[Tensor, "*n 3 h h"]
    ) -> Float[Tensor, "*n 3 h h"]:
        return unpatchify(predicted, self.patch).clamp(0, 1)


@dataclass(frozen=True)
class NormalisedTarget:
    """ImageNet-normalised pixels, each patch less its mean and divided by its std (GR-1).

    Displayed with the current image's means and standard deviations, the best guess there is.
    """

    patch: int
    eps: float

    def target(self, future: Shaped[Tensor, "*n 3 h h"]) -> Float[Tensor, "*n p c"]:
        return self.normalised(imagenet_normalised(to_unit(future)))

    def normalised(self, images: Float[Tensor, "*n 3 h h"]) -> Float[Tensor, "*n p c"]:
        """The targets of images that are ImageNet-normalised already."""
        patches = patchify(images, self.patch)
        return (patches - patches.mean(dim=-1, keepdim=True)) / self._std(patches)

    def loss(
        self,
        predicted: Float[Tensor, "b t p c"],
        target: Float[Tensor, "b t p c"],
        valid: Bool[Tensor, "b t"],
    ) -> Float[Tensor, ""]:
        return mean_over((predicted - target).square().mean(dim=(-2, -1)), valid)

    def to_image(
        self, predicted: Float[Tensor, "*n p c"], current: Shaped[Tensor, "*n 3 h h"]
    ) -> Float[Tensor, "*n 3 h h"]:
        now = patchify(imagenet_normalised(to_unit(current)), self.patch)
        patches = predicted * self._std(now) + now.mean(dim=-1, keepdim=True)
        return imagenet_denormalised(unpatchify(patches, self.patch)).clamp(0, 1)

    def _std(self, patches: Float[Tensor, "*n p c"]) -> Float[Tensor, "*n p 1"]:
        return patches.std(dim=-1, keepdim=True) + self.eps


def future_target(config: VideoConfig) -> FutureTarget:
    kind = PixelTarget if config.target == "pixels" else NormalisedTarget
    return kind(config.patch, config.eps)


def mean_over(errors: Float[Tensor, "b t"], valid: Bool[Tensor, "b t"]) -> Float[Tensor, ""]:
    """The mean over valid frames; 0 if there are none."""
    return torch.where(valid, errors, 0.0).sum() / valid.sum().clamp(min=1)


def patchify(images: Shaped[Tensor, "*n 3 h h"], patch: int) -> Shaped[Tensor, "*n p c"]:
    """Row by row of patches; within one, pixels row by row, their colours last (MAE's order)."""
    return rearrange(images, "... c (r i) (s j) -> ... (r s) (i j c)", i=patch, j=patch)


def unpatchify(patches: Float[Tensor, "*n p c"], patch: int) -> Float[Tensor, "*n 3 h h"]:
    rows = round(patches.shape[-2] ** 0.5)
    return rearrange(patches, "... (r s) (i j c) -> ... c (r i) (s j)", r=rows, i=patch, j=patch)
