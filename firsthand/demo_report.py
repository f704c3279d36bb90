"""What the demo has to show: a table, a page with pictures, a place in TensorBoard."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from envs.intervals import Interval
from envs.summary import TaskResults
from firsthand.console import table
from firsthand.demo import DemoResult
from firsthand.rollouts import read_film
from firsthand.run import write_text
from training.logger import TensorBoardLogger

ACTORS = {
    "pretrained": "pretrained, then fine-tuned",
    "scratch": "from scratch",
    "expert": "expert",
}
FILM_FRAMES = 8


def show(result: DemoResult) -> None:
    """Print who solved how much, and how well futures were predicted."""
    rows = [(ACTORS[name], *_cells(tasks.success)) for name, tasks in result.evaluations.items()]
    table("single tasks, unseen sentences and layouts", ("policy", "success", "95 %"), rows)
    table(
        "held-out video, predicted against copying the last frame",
        ("run", "skill", "PSNR", "PSNR of the copy"),
        [(name, *_video(figures)) for name, figures in result.figures.items()],
    )


def write(result: DemoResult, out: Path) -> Path:
    """Write report.md and its pictures into `out`, and films into its TensorBoard events."""
    (out / "report").mkdir(exist_ok=True)
    parts = [
        "# Firsthand demo\n",
        _success(result.evaluations),
        _by_task(result.evaluations),
        _prediction(result.figures),
        _films(result.evaluations, out),
        _pictures(out),
        _time(result.seconds),
        "\n`tensorboard --logdir` this folder `--samples_per_plugin images=200` shows the rest.\n",
    ]
    write_text(out / "report.md", "\n".join(parts))
    return out / "report.md"


def _success(evaluations: Mapping[str, TaskResults]) -> str:
    rows = [
        (ACTORS[name], str(len(tasks.records)), *_cells(tasks.success))
        for name, tasks in evaluations.items()
    ]
    return _markdown(
        "Who does what was said", ("policy", "trials", "success", "95 % (Wilson)"), rows
    )


def _by_task(evaluations: Mapping[str, TaskResults]) -> str:
    names = list(next(iter(evaluations.values())).by_task)
    rows = [
        (task, *(" ".join(_cells(tasks.by_task[task])) for tasks in evaluations.values()))
        for task in names
    ]
    return _markdown("By task", ("task", *evaluations), rows)


def _prediction(figures: Mapping[str, Mapping[str, float]]) -> str:
    text = _markdown(
        "What happens next",
        ("run", "skill", "PSNR", "PSNR of the copy"),
        [(name, *_video(values)) for name, values in figures.items()],
    )
    return text + (
        "\nOn held-out recordings. Skill is 1 - MSE(predicted) / MSE(last frame copied): "
        "above zero, the policy knows more about the future than that nothing will change.\n"
    )


def _films(evaluations: Mapping[str, TaskResults], out: Path) -> str:
    """A success and a failure of each policy as a row of frames, as mp4 and in TensorBoard."""
    parts = ["\n## A success and a failure\n"]
    board = TensorBoardLogger(out / "tensorboard", done=-1)
    for name, tasks in evaluations.items():
        for success in (True, False):
            filmed = [r for r in tasks.records if r["video"] and r["success"] == success]
            if not filmed:
                continue
            record = filmed[0]
            outcome = "success" if success else "failure"
            video = Path("evaluation") / name / record["video"]
            film = read_film(out / video)
            picture = Path("report") / f"{name}-{outcome}.png"
            Image.fromarray(_row(film.frames)).save(out / picture)
            board.film(f"rollout/{name}/{outcome}", film, 0)
            sentence = record["instructions"][0]
            parts.append(
                f'{ACTORS[name]}, {outcome}: "{sentence}" ([mp4]({video}))\n\n![]({picture})\n'
            )
    board.close()
    return "\n".join(parts)


def _row(frames: UInt8[np.ndarray, "t h w 3"]) -> UInt8[np.ndarray, "h w2 3"]:
    """A few frames, equally far apart, side by side."""
    chosen = np.linspace(0, len(frames) - 1, min(FILM_FRAMES, len(frames))).round().astype(int)
    return np.concatenate(list(frames[chosen]), axis=1)


def _pictures(out: Path) -> str:
    """The last strips, action curves and attention maps that training drew, taken from its logs."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    parts = ["\n## What it saw, expected and did\n"]
    for run in ("pretrain", "pretrained"):
        events = EventAccumulator(str(out / run / "tensorboard"), {"images": 1})
        events.Reload()
        for tag in events.Tags()["images"]:
            name = Path("report") / f"{run}-{tag.removeprefix('pictures/').replace('/', '-')}.png"
            (out / name).write_bytes(events.Images(tag)[-1].encoded_image_string)
            parts.append(f"{run}, {tag}:\n\n![]({name})\n")
    return "\n".join(parts)


def _time(seconds: Mapping[str, float]) -> str:
    rows = [(name, f"{value:.0f}") for name, value in seconds.items()]
    rows.append(("all", f"{sum(seconds.values()):.0f}"))
    return _markdown("Time", ("stage", "seconds"), rows)


def _cells(interval: Interval) -> tuple[str, str]:
    return f"{interval.value:.0%}", f"({interval.low:.0%} to {interval.high:.0%})"


def _video(figures: Mapping[str, float]) -> tuple[str, str, str]:
    return (
        f"{figures['held_out/skill']:.3f}",
        f"{figures['held_out/psnr']:.2f} dB",
        f"{figures['held_out/psnr_copy']:.2f} dB",
    )


def _markdown(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return f"\n## {title}\n\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"
