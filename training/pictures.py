"""What a policy predicts, drawn for people to look at."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from policy.batch import Batch, Prediction
from training.films import Film
from training.logger import Logger
from training.metrics import as_shown, known_futures

Picture = UInt8[np.ndarray, "_ _ 3"]

ACTION_NAMES = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
_SIDE = 144  # pixels of a picture in a strip, about
_GAP = 4
_HEADER = 22
_PAST = 4  # frames of the past in a strip
_MAPS = 8  # attention maps of a window


def show_predictions(
    policy: Any, batch: Batch, captions: Sequence[str], logs: Logger, step: int
) -> None:
    """Logs strips, action curves and attention maps, whatever the batch and the policy have.

    captions: the instruction of each window.
    """
    prediction: Prediction = policy.predict(batch)
    last = last_known(batch)
    for camera in sorted(prediction.frames.keys() & (batch.future or {}).keys()):
        picture = strip(batch, prediction, camera, last, captions)
        logs.image(f"pictures/strip/{camera}", picture, step)
    if prediction.actions is not None and batch.actions is not None:
        logs.image("pictures/actions", action_curves(batch, prediction, last, captions), step)
    for camera in sorted(prediction.attention):
        picture = attention_maps(batch, prediction, camera, last, captions)
        logs.image(f"pictures/attention/{camera}", picture, step)


def show_rollout(outcome: Mapping[str, float | Film], logs: Logger, step: int) -> None:
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
    """For each window the last frame that is real and, if possible, has a known future."""
    places = torch.arange(batch.valid.shape[1], device=batch.valid.device)
    known, real = known_futures(batch), batch.valid
    usable = torch.where(known.any(1, keepdim=True), known, real)
    return torch.where(usable, places, 0).amax(1).tolist()


def strip(
    batch: Batch,
    prediction: Prediction,
    camera: str,
    last: Sequence[int],
    captions: Sequence[str],
) -> Picture:
    """One row a window: past frames, the true future, the predicted one, and how they differ."""
    assert batch.future is not None
    rows = []
    for window, frame in enumerate(last):
        predicted = prediction.frames[camera][window, frame].float().cpu()
        begin = max(0, frame - _PAST + 1)
        size = predicted.shape[-1]
        past = as_shown(batch.images[camera][window, begin : frame + 1].cpu(), size)
        truth = as_shown(batch.future[camera][window, frame][None].cpu(), size)[0]
        error = (predicted - truth).abs().mean(0)
        missing = [np.full((_SIDE, _SIDE, 3), 255, np.uint8)] * (_past_count(last) - len(past))
        cells = [*missing, *map(_enlarge, past), _enlarge(truth), _enlarge(predicted)]
        rows.append(np.stack([*cells, _resized(_heat(error, 0.5), Image.Resampling.NEAREST)]))
    count = _past_count(last)
    names = ["past"] * (count - 1) + ["now", "true future", "predicted future", "difference"]
    return _table(rows, names, captions)


def _past_count(last: Sequence[int]) -> int:
    return min(max(last) + 1, _PAST)


def attention_maps(
    batch: Batch,
    prediction: Prediction,
    camera: str,
    last: Sequence[int],
    captions: Sequence[str],
) -> Picture:
    """One row a window: the frame, then over it where each of its tokens looked."""
    rows = []
    tokens = min(prediction.attention[camera].shape[2], _MAPS)
    for window, frame in enumerate(last):
        seen = batch.images[camera][window, frame].cpu().float() / 255
        cells = [_enlarge(seen)]
        dim = 0.4 * cells[0].mean(-1, keepdims=True)
        for token in range(tokens):
            weight = prediction.attention[camera][window, frame, token].float().cpu()
            spots = _resized(_heat(weight, float(weight.max())), Image.Resampling.BICUBIC)
            cells.append((dim + 0.6 * spots).astype(np.uint8))
        rows.append(np.stack(cells))
    return _table(rows, ["frame", *(f"token {n}" for n in range(tokens))], captions)


def action_curves(
    batch: Batch, prediction: Prediction, last: Sequence[int], captions: Sequence[str]
) -> Picture:
    """One column a window, one row an action dimension: the chunk demonstrated and predicted.

    Where chunks are single actions, the window's frames run along the axis instead.
    """
    assert batch.actions is not None
    assert prediction.actions is not None
    figure = Figure(figsize=(3.2 * len(last), 10), dpi=80, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    grid = figure.subplots(len(ACTION_NAMES), len(last), sharex=True, sharey=True, squeeze=False)
    for window, frame in enumerate(last):
        known = _demonstrated(batch)
        at = (window, frame) if batch.actions.shape[2] > 1 else (window, slice(None), 0)
        shown = known[at].cpu().numpy()
        truth = np.where(shown[:, None], batch.actions[at].float().cpu().numpy(), np.nan)
        guess = np.where(shown[:, None], prediction.actions[at].float().cpu().numpy(), np.nan)
        for row, name in enumerate(ACTION_NAMES):
            axes = grid[row, window]
            axes.plot(truth[:, row], color="black", marker=".", linewidth=1, label="demonstrated")
            axes.plot(guess[:, row], color="tab:red", marker=".", linewidth=1, label="predicted")
            axes.grid(alpha=0.3)
            if window == 0:
                axes.set_ylabel(name)
        grid[0, window].set_title(captions[window], fontsize="small", wrap=True)
    grid[0, 0].set_ylim(-1.1, 1.1)
    grid[0, 0].legend(fontsize="small")
    figure.supxlabel("actions from now" if batch.actions.shape[2] > 1 else "frames")
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _demonstrated(batch: Batch) -> Bool[Tensor, "b t k"]:
    assert batch.actions is not None
    chunks = batch.actions_valid
    if chunks is None:
        chunks = torch.ones_like(batch.actions[..., 0], dtype=torch.bool)
    return chunks & batch.valid[..., None]


def _enlarge(picture: Float[Tensor, "3 h w"]) -> Picture:
    levels = (picture.clamp(0, 1) * 255).round().to(torch.uint8)
    return _resized(levels.permute(1, 2, 0).contiguous().numpy(), Image.Resampling.BICUBIC)


def _resized(picture: UInt8[np.ndarray, "_ _ 3"], how: Image.Resampling) -> Picture:
    return np.asarray(Image.fromarray(picture).resize((_SIDE, _SIDE), how))


def _heat(values: Float[Tensor, "h w"], highest: float) -> Picture:
    """Black over red and yellow to white as values rise from 0 to `highest`."""
    level = (values / max(highest, 1e-9)).clamp(0, 1)
    colours = torch.stack([3 * level, 3 * level - 1, 3 * level - 2], dim=-1).clamp(0, 1)
    return (colours * 255).round().to(torch.uint8).numpy()


def _table(
    rows: Sequence[UInt8[np.ndarray, "n s s 3"]], names: Sequence[str], captions: Sequence[str]
) -> Picture:
    """Pictures in rows and columns on white, a name over each column, a sentence over each row."""
    width, height = _SIDE + _GAP, _SIDE + _HEADER
    sheet = Image.new("RGB", (width * len(names) + _GAP, height * len(rows) + _HEADER), "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(14)
    for column, name in enumerate(names):
        middle = (_GAP + column * width + _SIDE / 2, _HEADER / 2)
        pen.text(middle, name, fill="black", font=font, anchor="mm")
    for row, (cells, caption) in enumerate(zip(rows, captions, strict=True)):
        top = _HEADER + row * height
        pen.text((_GAP, top + _HEADER / 2), caption, fill="dimgray", font=font, anchor="lm")
        for column, cell in enumerate(cells):
            sheet.paste(Image.fromarray(cell), (_GAP + column * width, top + _HEADER))
    return np.asarray(sheet)
