"""Numbers about predictions: PSNR, SSIM, skill against copying and blurring, running means."""

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from firsthand.policy.batch import Batch, Prediction
from firsthand.policy.modules.image_encoder import resize
from firsthand.training.distributed import Distributed

_WINDOW = 11  # pixels, and sigma: the values of Wang et al. 2004
_SIGMA = 1.5
_BLURS = (1.0, 2.0, 4.0, 8.0, math.inf)  # pixels; the last makes an image its mean colour


@runtime_checkable
class Predictor(Protocol):
    """What is needed of a policy here."""

    def predict(self, batch: Batch) -> Prediction: ...


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
    offsets = torch.arange(_WINDOW, dtype=a.dtype, device=a.device) - (_WINDOW - 1) / 2
    bell = torch.exp(-offsets.square() / (2 * _SIGMA**2))
    bell = bell / bell.sum()

    def blur(x: Tensor) -> Tensor:
        flat = F.pad(x, (_WINDOW // 2,) * 4, mode="reflect")
        flat = flat.reshape(-1, 1, *flat.shape[-2:])
        flat = F.conv2d(F.conv2d(flat, bell.view(1, 1, -1, 1)), bell.view(1, 1, 1, -1))
        return flat.view(x.shape)

    mean_a, mean_b, aa, bb, ab = blur(torch.cat([a, b, a * a, b * b, a * b])).chunk(5)
    variances = (aa - mean_a**2).clamp(min=0) + (bb - mean_b**2).clamp(min=0)
    covariance = ab - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    similarity = ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (variances + c2)
    )
    return similarity.mean((1, 2, 3))


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


@torch.no_grad()
def evaluate_video(policy: Predictor, batches: Iterable[Batch]) -> dict[str, float]:
    """How well futures are predicted, against a copy of the current frame, and against a blur.

    For every real frame whose future is valid, the predicted image, the frame itself and the
    frame blurred are compared with the true future. skill = 1 - MSE(predicted) / MSE(copied): 1 is
    perfect, 0 is no better than copying the last frame. skill_blur is the same against the blur of
    the frame that is best over all of them: where much moves a blur beats a copy, without any
    prediction. Sums are taken in double precision.

    Returns:
        skill, skill_blur, psnr, psnr_copy, psnr_blur, ssim, ssim_copy, each also as
        <name>/<camera>; {} without futures. The best blur is chosen for each camera.
    """
    sums: dict[str, Float[Tensor, " sums"]] = {}
    for batch in batches:
        if batch.future is None:
            continue
        frames = policy.predict(batch).frames
        valid = valid_futures(batch)
        for camera in frames.keys() & batch.future.keys():
            predicted = frames[camera][valid].float()
            size = predicted.shape[-1]
            seen = as_predicted(batch.images[camera][valid], size)
            target = as_predicted(batch.future[camera][valid], size)
            terms = _compare(predicted, seen, target)
            sums[camera] = sums[camera] + terms if camera in sums else terms
    means = {camera: _with_best_blur(total) for camera, total in sorted(sums.items())}
    results = {}
    for camera, total in means.items():
        results |= {f"{name}/{camera}": value for name, value in _summary(total).items()}
    if means:
        results |= _summary(torch.stack(list(means.values())).sum(0))
    return results


def as_predicted(images: UInt8[Tensor, "n 3 _ _"], size: int) -> Float[Tensor, "n 3 {size} {size}"]:
    """Stored images in 0..1 at the size in which a policy predicts them."""
    return resize(images, size).float() / 255


def blur_errors(
    seen: Float[Tensor, "n 3 s s"], target: Float[Tensor, "n 3 s s"]
) -> Float[Tensor, "k n"]:
    """Mean squared error of each picture as it is, and under each of `_BLURS`."""
    blurs = _blurs(seen.shape[-1]).to(seen.device)
    blurred = [seen, *(blur @ seen @ blur.T for blur in blurs)]
    return torch.stack([squared_error(picture, target) for picture in blurred])


@lru_cache
def _blurs(size: int) -> Float[Tensor, "k {size} {size}"]:
    """Gaussian blurs as matrices: of a picture's rows, and transposed of its columns."""
    positions = torch.arange(size, dtype=torch.float32)
    apart = (positions[:, None] - positions).square()
    bells = torch.stack([torch.exp(-apart / (2 * sigma**2)) for sigma in _BLURS])
    return bells / bells.sum(-1, keepdim=True)


def _compare(
    predicted: Float[Tensor, "n 3 h w"],
    seen: Float[Tensor, "n 3 h w"],
    target: Float[Tensor, "n 3 h w"],
) -> Float[Tensor, " sums"]:
    with torch.autocast(target.device.type, enabled=False):
        pairs = [squared_error(predicted, target), ssim(predicted, target), ssim(seen, target)]
        pairs += [torch.ones(len(target)), *blur_errors(seen, target)]
    return torch.stack([values.double().sum().cpu() for values in pairs])


def _with_best_blur(total: Float[Tensor, " sums"]) -> Float[Tensor, " 6"]:
    """The sums of `_compare`, of all blurs the picture itself and the best."""
    return torch.cat([total[:5], total[4:].min()[None]])


def _summary(total: Float[Tensor, " 6"]) -> dict[str, float]:
    predicted, similarity, similarity_copy, count, copy, blur = total.tolist()
    if count == 0:
        return {}
    return {
        "skill": skill(predicted, copy),
        "skill_blur": skill(predicted, blur),
        "psnr": psnr(predicted / count),
        "psnr_copy": psnr(copy / count),
        "psnr_blur": psnr(blur / count),
        "ssim": similarity / count,
        "ssim_copy": similarity_copy / count,
    }


def skill(error: float, reference: float) -> float:
    """1 - error / reference; 0 where the reference makes no error."""
    return 1 - error / reference if reference > 0 else 0.0
