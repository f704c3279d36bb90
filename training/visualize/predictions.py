"""What a policy predicts, drawn for people to look at."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from firsthand.policy.batch import Batch, Prediction
from firsthand.training.logger import Logger
from firsthand.training.measures.best_blur import BestBlur
from firsthand.training.metrics import as_predicted, skill, squared_error, valid_futures
from firsthand.training.validation import Validator
from firsthand.training.visualize.action_curves import draw_curves, follow
from firsthand.training.visualize.gif import Film
from firsthand.training.visualize.image_grid import (
    ColorBar,
    GridRow,
    Picture,
    bright,
    heat,
    overlaid,
    sheet,
)

_PAST = 2  # frames up to now in a strip
_FULL = 0.5  # of full brightness: the difference that is drawn white
_MAPS, _ACROSS = 8, 4  # attention maps of a window, and beside each other
_LEAST = 8.0  # times an even look: a map that nowhere reaches it is drawn faint


def log_predictions(policy: Any, held_out: Validator, logs: Logger, step: int) -> None:
    """Logs strips, action curves and attention maps, whatever recordings and policy have."""
    chosen = held_out.examples()
    batch, captions = held_out.batch(chosen)
    courses = [held_out.windows.course(index) for index in chosen]
    prediction: Prediction = policy.predict(batch)
    last = last_known(batch)
    predicted = prediction.frames.keys() & (batch.future or {}).keys() & held_out.blurs.keys()
    for camera in sorted(predicted):
        blur, ahead = held_out.blurs[camera], courses[0].spec.future
        picture = strip(batch, prediction, camera, blur, last, captions, ahead)
        logs.image(f"pictures/strip/{camera}", picture, step)
    for number, course in enumerate(dict.fromkeys(courses), 1):
        curves = follow(policy, held_out, course) if prediction.actions is not None else None
        if curves is not None:
            logs.image(f"pictures/actions/{number}", draw_curves(curves), step)
    for camera in sorted(prediction.attention.keys() & batch.images.keys()):
        maps = attention_maps(batch, prediction, camera, last, captions)
        for name, picture in maps.items():
            logs.image(f"pictures/{name}/{camera}", picture, step)


def log_rollout(outcome: Mapping[str, float | Film], logs: Logger, step: int) -> None:
    """Logs the numbers of a rollout as scalars, and its films."""
    scalars = {}
    for name, value in outcome.items():
        if isinstance(value, Film):
            logs.film(f"rollout/{name}", value, step)
        else:
            scalars[f"rollout/{name}"] = value
    if scalars:
        logs.scalars(scalars, step)


def last_known(batch: Batch) -> list[int]:
    """For each window the last frame that is real and, if possible, has a valid future."""
    frames = torch.arange(batch.valid.shape[1], device=batch.valid.device)
    futures, real = valid_futures(batch), batch.valid
    usable = torch.where(futures.any(1, keepdim=True), futures, real)
    return torch.where(usable, frames, 0).amax(1).tolist()


def strip(
    batch: Batch,
    prediction: Prediction,
    camera: str,
    blur: BestBlur,
    last: Sequence[int],
    captions: Sequence[str],
    ahead: float | None,
) -> Picture:
    """One row a window: what was seen, its best blur, the predicted future, the true one, and how
    the two differ.

    Over it the sentence, and how much better the prediction is than a copy of what is seen now and
    than the best blur of that. ahead: seconds to the future.
    """
    assert batch.future is not None
    count = min(max(last) + 1, _PAST)
    rows = []
    for window, (frame, caption) in enumerate(zip(last, captions, strict=True)):
        predicted = prediction.frames[camera][window, frame].float().cpu()
        begin = max(0, frame - count + 1)
        size = predicted.shape[-1]
        seen = as_predicted(batch.images[camera][window, begin : frame + 1].cpu(), size)
        target = as_predicted(batch.future[camera][window, frame][None].cpu(), size)
        missing = [np.full((1, 1, 3), 255, np.uint8)] * (count - len(seen))
        difference = (predicted - target[0]).abs().mean(0).numpy() / _FULL
        guess = blur(seen[-1:])
        shown = [*seen, guess[0], predicted, target[0]]
        rows.append(GridRow([caption, _worth(predicted[None], seen[-1:], guess, target)],
                        [*missing, *map(_pixels, shown), heat(difference)]))  # fmt: skip
    names = ["before"] * (count - 1) + ["now", "its blur", "predicted", "true", "difference"]
    future = "the future" if ahead is None else f"{ahead:g} s ahead"
    bar = ColorBar(heat, "difference: none", f"{_FULL:.0%} of brightness")
    return sheet(f"{camera}: {future}", names, rows, bar)


def _worth(
    predicted: Float[Tensor, "1 3 s s"], seen: Float[Tensor, "1 3 s s"],
    blurred: Float[Tensor, "1 3 s s"], target: Float[Tensor, "1 3 s s"],
) -> str:  # fmt: skip
    error, copy, blur = (float(squared_error(x, target)) for x in (predicted, seen, blurred))
    return f"skill {skill(error, copy):.2f} against copy, {skill(error, blur):.2f} against blur"


def attention_maps(
    batch: Batch,
    prediction: Prediction,
    camera: str,
    last: Sequence[int],
    captions: Sequence[str],
) -> dict[str, Picture]:
    """Where a policy looks: `attention`, each frame and over it the mean of all of its maps, and
    `attention_each`, the maps of the first two frames.

    All have one scale, the logarithm of how many times more than evenly a place is looked at: what
    is looked at evenly, or less, is left as it is.
    """
    maps = prediction.attention[camera].float().cpu()[range(len(last)), list(last)]
    grid_size = maps.shape[-2] * maps.shape[-1]
    together = maps.mean(1)
    frames = [
        batch.images[camera][window, frame].cpu().permute(1, 2, 0).numpy()
        for window, frame in enumerate(last)
    ]

    def drawn(picture: Picture, look: Float[Tensor, "h w"], most: float) -> Picture:
        level = (look * grid_size).clamp(min=1).log() / np.log(most)
        large = torch.nn.functional.interpolate(level[None, None], picture.shape[:2],
                                                mode="bilinear")[0, 0]  # fmt: skip
        return overlaid(picture, large.numpy())

    most = max(float(together.max()) * grid_size, _LEAST)
    rows = [
        GridRow([caption], [frame, drawn(frame, look, most)])
        for caption, frame, look in zip(captions, frames, together, strict=True)
    ]
    title = f"{camera}: where the policy looks"
    images = {"attention": sheet(title, ["seen", "looked at"], rows, _times(most))}
    most = max(float(maps[:2].max()) * grid_size, _LEAST)
    rows = []
    for caption, frame, looks in zip(captions[:2], frames, maps, strict=False):
        cells = [drawn(frame, look, most) for look in looks[:_MAPS]]
        for first in range(0, len(cells), _ACROSS):
            some = cells[first : first + _ACROSS]
            numbers = f"looks {first + 1} to {first + len(some)} of {len(looks)}"
            rows.append(GridRow([caption, numbers] if first == 0 else [numbers], some))
    title = f"{camera}: the {maps.shape[1]} places it looks at"
    return images | {"attention_each": sheet(title, [], rows, _times(most))}


def _times(most: float) -> ColorBar:
    return ColorBar(bright, "looked at evenly", f"{most:.0f} times as much")


def _pixels(picture: Float[Tensor, "3 h w"]) -> Picture:
    levels = (picture.clamp(0, 1) * 255).round().to(torch.uint8)
    return levels.permute(1, 2, 0).contiguous().numpy()
