"""Where a run's numbers and images go: TensorBoard, and one JSON line a step.

Tags: train/*, val/*, optim/*, speed/*, rollout/*, pictures/*, text/*.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore
from torch.utils.tensorboard.writer import SummaryWriter

from firsthand.common.atomic import write_text
from firsthand.common.progress import ProgressBar, progress
from firsthand.policy.checkpoints.aliases import today_tags
from firsthand.training.visualize.gif import Film, gif_summary


@runtime_checkable
class Logger(Protocol):
    """Takes what a run has to show at a step."""

    def scalars(self, values: Mapping[str, float], step: int) -> None: ...

    def image(self, tag: str, picture: UInt8[np.ndarray, "h w 3"], step: int) -> None: ...

    def film(self, tag: str, film: Film, step: int) -> None: ...

    def text(self, tag: str, words: str, step: int) -> None: ...

    def flush(self) -> None:
        """Returns when everything taken so far is with the operating system."""
        ...

    def close(self) -> None: ...


class TensorBoardLogger:
    """Event files that TensorBoard shows. Steps after `done` from an earlier life are hidden."""

    def __init__(self, folder: Path, done: int) -> None:
        _wait_for_a_new_second(folder)
        self._writer = SummaryWriter(str(folder), purge_step=done + 1, flush_secs=10)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, step)

    def image(self, tag: str, picture: UInt8[np.ndarray, "h w 3"], step: int) -> None:
        self._writer.add_image(tag, picture, step, dataformats="HWC")

    def film(self, tag: str, film: Film, step: int) -> None:
        self._add(Summary(value=[Summary.Value(tag=tag, image=gif_summary(film))]), step)

    def text(self, tag: str, words: str, step: int) -> None:
        self._writer.add_text(tag, words, step)

    def embedding(
        self,
        tag: str,
        vectors: Float[np.ndarray, "n d"],
        columns: Mapping[str, Sequence[str]],
        sprites: UInt8[np.ndarray, "n s s 3"] | None,
    ) -> None:
        """Vectors for the projector, the columns of each, and its small image."""
        rows = list(zip(*columns.values(), strict=True))
        images = None if sprites is None else torch.from_numpy(sprites).permute(0, 3, 1, 2) / 255
        if len(columns) == 1:  # of one column the projector takes the first line for a value
            self._writer.add_embedding(vectors, [row[0] for row in rows], images, tag=tag)
        else:
            head = list(columns)
            self._writer.add_embedding(
                vectors, [list(row) for row in rows], images, tag=tag, metadata_header=head
            )

    def _add(self, summary: Summary, step: int) -> None:
        assert self._writer.file_writer is not None
        self._writer.file_writer.add_summary(summary, step)

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class JsonLinesLogger:
    """Scalars as lines {"step": ..., tag: value, ...}; images are not for this file.

    Lines of steps after `done`, and a half line that a killed process left, are dropped; tags of
    before 0.2.0 in the others get today's names.
    """

    def __init__(self, path: Path, done: int) -> None:
        rows = [today_tags(json.loads(line)) for line in _whole_lines(path)]
        write_text(path, "".join(json.dumps(row) + "\n" for row in rows if row["step"] <= done))
        self._file = path.open("a", buffering=1)  # a line is seen as soon as it is written

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self._file.write(json.dumps({"step": step, **values}) + "\n")

    def image(self, tag: str, picture: UInt8[np.ndarray, "h w 3"], step: int) -> None:
        pass

    def film(self, tag: str, film: Film, step: int) -> None:
        pass

    def text(self, tag: str, words: str, step: int) -> None:
        pass

    def flush(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class Loggers:
    """Several loggers as one; none at all in processes that have nothing to say."""

    def __init__(self, members: Sequence[Logger]) -> None:
        self._members = members

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        for member in self._members:
            member.scalars(values, step)

    def image(self, tag: str, picture: UInt8[np.ndarray, "h w 3"], step: int) -> None:
        for member in self._members:
            member.image(tag, picture, step)

    def film(self, tag: str, film: Film, step: int) -> None:
        for member in self._members:
            member.film(tag, film, step)

    def text(self, tag: str, words: str, step: int) -> None:
        for member in self._members:
            member.text(tag, words, step)

    def flush(self) -> None:
        for member in self._members:
            member.flush()

    def close(self) -> None:
        for member in self._members:
            member.close()


@contextmanager
def open_logs(run_dir: Path, done: int, write: bool) -> Iterator[Logger]:
    """`run_dir`/tensorboard and `run_dir`/metrics.jsonl, continued after step `done`."""
    members: list[Logger] = []
    if write:
        run_dir.mkdir(parents=True, exist_ok=True)
        members.append(TensorBoardLogger(run_dir / "tensorboard", done))
        members.append(JsonLinesLogger(run_dir / "metrics.jsonl", done))
    logs = Loggers(members)
    try:
        yield logs
    finally:
        logs.close()


def _wait_for_a_new_second(folder: Path) -> None:
    """TensorBoard reads event files in the order of their names, which begin with the second."""
    for _ in range(25):
        now = f".{int(time.time())}."
        if not any(now in path.name for path in folder.glob("events.out.tfevents.*")):
            return
        time.sleep(0.05)


def _whole_lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    return [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


class Reporter:
    """Told of every step, and of the loss and speed whenever they are known: after the last one
    in any case."""

    def __init__(self, steps: int, done: int, bar: ProgressBar | None) -> None:
        self._steps, self._step, self._bar = steps, done, bar

    def advance(self) -> None:
        self._step += 1
        if self._bar is not None and self._step < self._steps:  # the last is told with its metrics
            self._bar.reach(self._step)

    def metrics(self, loss: float, windows_per_second: float) -> None:
        """loss: mean since the last call."""
        if self._bar is not None:
            words = f"loss {loss:.4f} · {_three_digits(windows_per_second)} windows/s"
            self._bar.reach(self._step, words)


@contextmanager
def report(title: str, steps: int, done: int, speak: bool) -> Iterator[Reporter]:
    """A reporter; one that says nothing where `speak` is off."""
    if not speak:
        yield Reporter(steps, done, None)
        return
    with progress() as begin:
        yield Reporter(steps, done, begin(title, steps, done))


def _three_digits(rate: float) -> str:
    """A rate that can be read on slow machines and fast ones."""
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
