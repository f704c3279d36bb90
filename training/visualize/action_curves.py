"""A recording from beginning to end: what was done in it, and what a policy would do."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from firsthand.episodes.episode import ACTION_SPEED, Course
from firsthand.episodes.sampling.windows import to_frames
from firsthand.policy.batch import Prediction
from firsthand.training.validation import Validator
from firsthand.training.visualize.image_grid import WIDTH, Picture

_LONGEST = 30.0  # seconds that are drawn
_TOGETHER = 16  # windows predicted at a time
_DPI = 100
_ROWS = (
    ("x", "cm/s"), ("y", "cm/s"), ("z", "cm/s"),
    ("roll", "°/s"), ("pitch", "°/s"), ("yaw", "°/s"), ("open", "prob."),
)  # fmt: skip


@dataclass(frozen=True)
class Curves:
    """Commands of every frame, in the units of `_ROWS`; NaN where nothing was predicted.

    apart: seconds after which the policy looks and predicts anew.
    """

    sentence: str
    fps: float
    apart: float
    demonstrated: Float[np.ndarray, "t 7"]
    predicted: Float[np.ndarray, "t 7"]


def follow(policy: Any, held_out: Validator, course: Course) -> Curves | None:
    """The chunks that a policy predicts along a recording; None without actions.

    A chunk is predicted from what was really seen where it begins, with the longest history that
    windows beginning there offer.
    """
    spec = course.spec
    length = min(course.frames, to_frames(_LONGEST, course.fps))
    starts = range(0, min(length, len(course.windows)), max(1, spec.chunk))
    stride = to_frames(spec.stride, course.fps)
    demonstrated, predicted = np.full((2, length, 7), np.nan)
    sentence = ""
    parts = []
    for first in range(0, len(starts), _TOGETHER):
        some = starts[first : first + _TOGETHER]
        batch, sentences = held_out.batch([course.windows[start] for start in some])
        prediction: Prediction = policy.predict(batch)
        if batch.actions is None or prediction.actions is None:
            return None
        sentence = sentence or sentences[0]
        done, guess = (x.float().cpu().numpy().copy() for x in (batch.actions, prediction.actions))
        done[..., 6] = done[..., 6] > 0
        guess[..., 6] = guess[..., 6] > 0
        if prediction.opening is not None:
            guess[..., 6] = prediction.opening.float().cpu().numpy()
        parts.append((some, done, guess))
    for slot in range(spec.length):  # frames with more history come later, and stay
        for some, done, guess in parts:
            for start, target, chunk in zip(some, done[:, slot], guess[:, slot], strict=True):
                at = slice(start + slot * stride, start + slot * stride + len(chunk))
                room = max(0, length - at.start)
                demonstrated[at], predicted[at] = target[:room], chunk[:room]
    units = np.array([*(100 * ACTION_SPEED[:3]), *np.degrees(ACTION_SPEED[3:]), 1.0])
    apart = starts.step / course.fps
    return Curves(sentence, course.fps, apart, demonstrated * units, predicted * units)


def draw_curves(curves: Curves) -> Picture:
    """A panel for each number of an action, over time. Those of one unit have one scale."""
    figure = Figure(figsize=(WIDTH / _DPI, 5.6), dpi=_DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    panels = figure.subplots(len(_ROWS), 1, sharex=True)
    seconds = np.arange(len(curves.demonstrated)) / curves.fps
    both = np.abs([curves.demonstrated, curves.predicted])
    for number, (axes, (name, unit)) in enumerate(zip(panels, _ROWS, strict=True)):
        axes.step(seconds, curves.demonstrated[:, number], "black", where="post", lw=1.6,
                  label="demonstrated")  # fmt: skip
        axes.step(seconds, curves.predicted[:, number], "tab:red", where="post", lw=1.2,
                  label="predicted")  # fmt: skip
        axes.set_ylabel(f"{name}\n{unit}", rotation=0, ha="right", va="center", fontsize=9)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
        if unit == "prob.":
            axes.set(ylim=(-0.1, 1.1), yticks=(0, 1))
        else:
            same = [row for row, (_, other) in enumerate(_ROWS) if other == unit]
            most = max(float(np.nanmax(both[..., same], initial=0)), 1e-3)
            axes.set(ylim=(-1.1 * most, 1.1 * most))
            axes.locator_params(axis="y", nbins=3)
    panels[-1].set_xlabel(f"seconds; predicted anew every {curves.apart:g} s", fontsize=9)
    panels[0].set_title(_fitting(curves.sentence), fontsize=10, x=0.4, parse_math=False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=9, frameon=False)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _fitting(text: str, most: int = 48) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
