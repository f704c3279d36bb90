"""How well a policy predicts what will be seen, and whether its transformer has a part in it."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from firsthand.policy.batch import Batch
from firsthand.training.measures.best_blur import BestBlur
from firsthand.training.metrics import as_predicted, psnr, skill, ssim, valid_futures

CHANGED = 0.1  # of full brightness: what one of a pixel's colours must differ by to have changed
_GUESSES = ("predicted", "permuted", "copy", "blur")


@runtime_checkable
class FuturePredictor(Protocol):
    """What is needed of a policy here (see `policy.policy.Policy`)."""

    def future_outputs(self, batch: Batch) -> tuple[Mapping[str, Tensor], Mapping[str, Any]]: ...

    def future_images(self, outputs: Tensor, view: Any) -> Tensor: ...


@torch.no_grad()
def evaluate_video(
    policy: FuturePredictor, batches: Iterable[Batch], blurs: Mapping[str, BestBlur]
) -> dict[str, float]:
    """How well futures are predicted, against a copy of the current picture and its best blur.

    Counted are real frames whose future is valid. skill = 1 - MSE(predicted) / MSE(guess): 1 is
    perfect, 0 is no better than the guess. `changed` pixels are those of which the current picture
    and the future differ by more than `CHANGED` in one of the colours.

    The role of the transformer is the share of the skill that is lost when its outputs go to
    another window of the batch: what the prediction owes to the current picture, which the decoder
    may see as it is, stays; 0 is a transformer that says nothing, 1 one on which all skill depends.

    Sums are taken in double precision.

    Returns:
        skill, skill_blur, skill_changed, skill_blur_changed; changed, the share of pixels; psnr,
        psnr_copy, psnr_blur, ssim, ssim_copy; skill_permuted (against a copy) and, where there is
        skill to lose, trunk_role and trunk_role_blur. Each also as <name>/<camera>. {} without
        futures.
    """
    sums: dict[str, dict[str, float]] = {}
    for batch in batches:
        valid, other = valid_futures(batch), derangement(valid_futures(batch))
        outputs, views = policy.future_outputs(batch)
        for camera in sorted(outputs.keys() & (batch.future or {}).keys() & blurs.keys()):
            steps = torch.arange(valid.shape[1], device=valid.device)
            permuted = outputs[camera][other, steps]
            images = [policy.future_images(x, views[camera]) for x in (outputs[camera], permuted)]
            predicted, permuted = (image[valid].float() for image in images)
            now, future = (
                as_predicted(x[camera][valid], predicted.shape[-1])
                for x in (batch.images, batch.future or {})
            )
            alone = (other == torch.arange(len(other), device=other.device)[:, None])[valid]
            terms = _compare(predicted, permuted, now, future, blurs[camera], ~alone)
            total = sums.setdefault(camera, dict.fromkeys(terms, 0.0))
            sums[camera] = {name: total[name] + value for name, value in terms.items()}
    results = {}
    for camera, total in sorted(sums.items()):
        results |= {f"{name}/{camera}": value for name, value in _summary(total).items()}
    if sums:
        names = next(iter(sums.values()))
        results |= _summary({n: sum(total[n] for total in sums.values()) for n in names})
    return results


def derangement(valid: Bool[Tensor, "b t"]) -> Int[Tensor, "b t"]:
    """For every window the next one that is valid at the same step, the first after the last; where
    there is no other, itself."""
    result = torch.arange(len(valid), device=valid.device)[:, None].repeat(1, valid.shape[1])
    for step in range(valid.shape[1]):
        windows = valid[:, step].nonzero()[:, 0]
        result[windows, step] = windows.roll(-1)
    return result


def _compare(
    predicted: Float[Tensor, "n 3 s s"],
    permuted: Float[Tensor, "n 3 s s"],
    now: Float[Tensor, "n 3 s s"],
    future: Float[Tensor, "n 3 s s"],
    blur: BestBlur,
    exchanged: Bool[Tensor, " n"],
) -> dict[str, float]:
    """Sums over pictures: of mean squared errors, over all pixels, `changed` ones (the others count
    as 0) and pictures whose outputs were `exchanged`; of SSIM; and of how many there are."""
    with torch.autocast(future.device.type, enabled=False):
        changed = ((future - now).abs().amax(1) > CHANGED).float()
        terms = {"count": torch.ones(len(future)), "changed": changed.mean((1, 2))}
        guesses = (predicted, permuted, now, blur(now))
        for name, guess in zip(_GUESSES, guesses, strict=True):
            error = (guess - future).square().mean(1)
            terms[name] = error.mean((1, 2))
            terms[f"{name} changed"] = (error * changed).mean((1, 2))
            terms[f"{name} exchanged"] = terms[name] * exchanged
        terms |= {"ssim": ssim(predicted, future), "ssim_copy": ssim(now, future)}
    return {name: float(values.double().sum()) for name, values in terms.items()}


def _summary(total: Mapping[str, float]) -> dict[str, float]:
    if not (count := total["count"]):
        return {}
    results = {name: total[name] / count for name in ("changed", "ssim", "ssim_copy")}
    results["psnr"] = psnr(total["predicted"] / count)
    for guess, suffix in (("copy", ""), ("blur", "_blur")):

        def against(what: str, kind: str = "", guess: str = guess) -> float:
            return skill(total[f"{what}{kind}"], total[f"{guess}{kind}"])

        results[f"psnr_{guess}"] = psnr(total[guess] / count)
        results[f"skill{suffix}"] = against("predicted")
        results[f"skill{suffix}_changed"] = against("predicted", " changed")
        own, others = (against(what, " exchanged") for what in ("predicted", "permuted"))
        if own > 0:
            results[f"trunk_role{suffix}"] = (own - others) / own
    results["skill_permuted"] = skill(total["permuted exchanged"], total["copy exchanged"])
    return results
