"""The demo's results: tables, a page with images, films in TensorBoard."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from firsthand.build.rollouts import read_film
from firsthand.cli.console import say, table
from firsthand.common.atomic import write_text
from firsthand.common.intervals import Interval
from firsthand.demo.demo import STARTS, DemoResult
from firsthand.envs.evaluation.paired_test import Paired
from firsthand.envs.evaluation.summary import TaskResults
from firsthand.training.logger import TensorBoardLogger

ACTORS = {
    "pretrained": "pretrained, then fine-tuned",
    "scratch": "from scratch",
    "expert": "expert",
}
FILM_ROWS, FILM_COLUMNS = 2, 3
PREDICTION = (
    "run",
    "against a copy",
    "against the best blur",
    "the same, changed pixels",
    "transformer's role",
    "PSNR",
)
CAPTIONS = {
    "pictures/strip": "a held-out recording: what is seen, what was seen next, what was predicted",
    "pictures/attention": "a held-out recording: where the policy looks",
    "pictures/actions": "held-out recordings: actions demonstrated and predicted",
    "rollout": "the policy acting when it had learned",
}


def show(result: DemoResult) -> None:
    """Print who solved how much, and how well futures were predicted."""
    rows = [(ACTORS[name], *_cells(tasks.success)) for name, tasks in result.evaluations.items()]
    table("single tasks, unseen sentences and layouts", ("policy", "success", "95 %"), rows)
    say(f"{compared(result.evaluations)}.")
    rows = [(name, *_video(metrics)) for name, metrics in result.metrics.items()]
    table("held-out video: skill of the predicted futures", PREDICTION, rows)


def write(result: DemoResult, out: Path) -> Path:
    """Write report.md and its pictures into `out`, and films into its TensorBoard events."""
    (out / "report").mkdir(exist_ok=True)
    parts = [
        "# Firsthand demo\n",
        _success(result.evaluations),
        _by_task(result.evaluations),
        _prediction(result.metrics),
        _films(result.evaluations, out),
        _pictures(out),
        _time(result.seconds),
        "\n`tensorboard --logdir` this folder `--samples_per_plugin images=200` shows the rest.\n",
    ]
    write_text(out / "report.md", "\n".join(parts))
    return out / "report.md"


def compared(evaluations: Mapping[str, TaskResults]) -> str:
    """Whether the trials tell the two policies apart, in words; a rank only if they do."""
    pair = Paired.of(*(evaluations[start] for start in STARTS))
    words = pair.in_words(*(f"'{ACTORS[start]}'" for start in STARTS))
    if pair.told_apart:
        words += "; that holds for these two policies, what made it takes several seeds to tell"
    return words[0].upper() + words[1:]


def _success(evaluations: Mapping[str, TaskResults]) -> str:
    rows = [
        (ACTORS[name], str(len(tasks.records)), *_cells(tasks.success))
        for name, tasks in evaluations.items()
    ]
    columns = ("policy", "trials", "success", "95 % (Wilson)")
    return _markdown("Who does what was said", columns, rows) + f"\n{compared(evaluations)}.\n"


def _by_task(evaluations: Mapping[str, TaskResults]) -> str:
    names = list(next(iter(evaluations.values())).by_task)
    rows = [
        (task, *(" ".join(_cells(tasks.by_task[task])) for tasks in evaluations.values()))
        for task in names
    ]
    return _markdown("By task", ("task", *evaluations), rows)


def _prediction(metrics: Mapping[str, Mapping[str, float]]) -> str:
    text = _markdown(
        "What happens next",
        PREDICTION,
        [(name, *_video(values)) for name, values in metrics.items()],
    )
    return text + (
        "\nSkill on held-out recordings: 1 - MSE(predicted) / MSE(guess). Above zero, the policy "
        "knows more about the future than the guess: a copy of the last frame, or the best blur of "
        "it (a mixture of the frame, four blurs and its mean, fitted to the recordings that are "
        "learned from); where much moves, a copy is easily beaten. Changed pixels differ by more "
        "than a tenth of full brightness. The transformer's role is the share of the skill against "
        "a copy that is lost when its outputs go to another window.\n"
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
            Image.fromarray(_sheet(film.frames)).save(out / picture)
            board.film(f"rollout/{name}/{outcome}", film, 0)
            sentence = record["instructions"][0]
            caption = f'{ACTORS[name]}, {outcome}: "{sentence}"'
            parts.append(_figure(picture, caption, f" ([mp4]({video}))"))
    board.close()
    return "\n".join(parts)


def _sheet(frames: UInt8[np.ndarray, "t h w 3"]) -> UInt8[np.ndarray, "h2 w2 3"]:
    """A few frames, equally far apart, in rows to be read like lines."""
    count = min(FILM_ROWS * FILM_COLUMNS, len(frames))
    chosen = list(frames[np.linspace(0, len(frames) - 1, count).round().astype(int)])
    chosen += [np.full_like(chosen[0], 255)] * (-count % FILM_COLUMNS)
    rows = (chosen[i : i + FILM_COLUMNS] for i in range(0, len(chosen), FILM_COLUMNS))
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def _pictures(out: Path) -> str:
    """The last strips, curves, attention maps and films that training drew, from its logs."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    parts = ["\n## What it saw, expected and did\n"]
    for run in ("pretrain", "pretrained"):
        events = EventAccumulator(str(out / run / "tensorboard"), {"images": 1})
        events.Reload()
        for tag in events.Tags()["images"]:
            drawn = events.Images(tag)[-1].encoded_image_string
            name = f"{run}-{tag.removeprefix('pictures/').replace('/', '-')}.{_ending(drawn)}"
            (out / "report" / name).write_bytes(drawn)
            words = (words for kind, words in CAPTIONS.items() if tag.startswith(kind))
            caption = f"{run}, {tag.rpartition('/')[2]}: {next(words, tag)}"
            parts.append(_figure(Path("report") / name, caption))
    return "\n".join(parts)


def _ending(picture: bytes) -> str:
    """What the name of a file of these bytes ends in."""
    with Image.open(io.BytesIO(picture)) as image:
        return str(image.format).lower()


def _figure(picture: Path, caption: str, more: str = "") -> str:
    """A picture with its caption below, which also stands for it where it cannot be seen."""
    return f"![{caption}]({picture})\n\n*{caption}*{more}\n"


def _time(seconds: Mapping[str, float]) -> str:
    rows = [(name, f"{value:.0f}") for name, value in seconds.items()]
    rows.append(("all", f"{sum(seconds.values()):.0f}"))
    return _markdown("Time", ("stage", "seconds"), rows)


def _cells(interval: Interval) -> tuple[str, str]:
    return f"{interval.value:.0%}", f"({interval.low:.0%} to {interval.high:.0%})"


def _video(metrics: Mapping[str, float]) -> list[str]:
    """Empty where a run of an earlier version has not measured it, or there is no skill to lose."""
    tags = ("skill", "skill_blur", "skill_blur_changed", "trunk_role")
    found = [f"{metrics[f'val/{tag}']:.3f}" if f"val/{tag}" in metrics else "" for tag in tags]
    return [*found, f"{metrics['val/psnr']:.2f} dB"]


def _markdown(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return f"\n## {title}\n\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"
