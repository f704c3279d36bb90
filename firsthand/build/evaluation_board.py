"""An evaluation in TensorBoard: one number, a table, a picture with intervals, and some films.

Tags begin with `trials`, which comes after the curves and pictures of training.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from firsthand.build.rollouts import read_film
from firsthand.common.intervals import Interval
from firsthand.envs.evaluation.summary import ChainResults, TaskResults
from firsthand.training.logger import TensorBoardLogger
from firsthand.training.visualize.image_grid import WIDTH, Picture

_FILMS = 2  # of successes and of failures each
_DPI = 100


def show(board: Mapping[str, TaskResults | ChainResults], run: Path) -> None:
    """What came of each kind of trial; what an earlier start has shown is replaced."""
    folder = run / "tensorboard"
    shutil.rmtree(folder, ignore_errors=True)
    logger = TensorBoardLogger(folder, done=-1)
    for kind, results in board.items():
        if isinstance(results, ChainResults):
            rows = {f"{n} in a row": i for n, i in enumerate(results.success_at, 1)}
            logger.scalars({"trials/average_length": results.average_length.value}, 0)
        else:
            rows = {"all tasks": results.success}
            logger.scalars({"trials/success": results.success.value}, 0)
        rows |= results.by_task
        logger.image(f"trials/{kind}", intervals(kind, rows), 0)
        logger.text(f"trials/{kind}", results.markdown(), 0)
        for success, word in ((True, "success"), (False, "failure")):
            named = [r["video"] for r in results.records if r["success"] == success]
            filmed = [run / video for video in named if video and (run / video).is_file()]
            for number, path in enumerate(filmed[:_FILMS], 1):
                film = read_film(path)
                logger.film(f"trials/{kind}_{word}/{number}", film, 0)
    logger.close()


def intervals(title: str, rows: Mapping[str, Interval]) -> Picture:
    """A line for each share, on it a dot and its interval."""
    figure = Figure(figsize=(WIDTH / _DPI, 0.9 + 0.19 * len(rows)), dpi=_DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    for row, (value, low, high) in enumerate(rows.values()):
        axes.plot([100 * low, 100 * high], [row, row], color="tab:blue", lw=1.5)
        axes.plot(100 * value, row, "o", color="tab:blue", ms=4.5)
    axes.set_yticks(range(len(rows)), rows, fontsize=9)
    axes.set(xlim=(-3, 103), ylim=(len(rows) - 0.4, -0.6))
    axes.set_title(f"{title}: success in %, 95 % interval", fontsize=10, x=0.2)
    axes.tick_params(axis="x", labelsize=9)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])
