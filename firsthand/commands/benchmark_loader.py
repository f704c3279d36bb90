"""Windows a second out of our shards against npz, raw HDF5 and mp4; memory; waiting; the index."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from firsthand.benchmarks import index, loader
from firsthand.benchmarks.machine import machine
from firsthand.benchmarks.starvation import UNMEASURED, Starvation, starvation
from firsthand.cli.console import say, spinner, table
from firsthand.cli.run_dir import Run
from firsthand.cli.settings import Schema
from firsthand.common.atomic import write_text
from firsthand.common.errors import UserError
from firsthand.policy.config import PolicyConfig
from firsthand.training.config import TrainConfig


@dataclass(frozen=True)
class BenchmarkLoaderConfig:
    """What to measure.

    episodes, length: recordings that are made, and frames of each.
    windows: read from every format in every way; flat: read to see whether memory grows.
    policy, batch_size, steps, workers: of the training steps that may have to wait.
    clips: of the made-up index that is opened.
    """

    policy: PolicyConfig = field(default_factory=PolicyConfig)
    episodes: int = 40
    length: int = 64
    windows: int = 256
    flat: int = 10_000
    batch_size: int = 48
    steps: int = 60
    workers: int = 2
    clips: int = 1_000_000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps <= UNMEASURED:
            raise UserError(f"steps must be more than {UNMEASURED}, which are not measured")
        if self.length < 2 or self.windows < loader.TURN:
            raise UserError(f"length must be 2 or more and windows {loader.TURN} or more")


SCHEMA = Schema(BenchmarkLoaderConfig)


def execute(config: BenchmarkLoaderConfig, run: Run) -> None:
    """Measure, print tables, write results.json. The recordings are removed afterwards."""
    with tempfile.TemporaryDirectory(dir=run.path) as folder:
        with spinner("writing the same recordings in every format"):
            library = loader.Library(Path(folder), config.episodes, config.length)
        with spinner("reading windows by turns"):
            rates = list(loader.rates(library, config.windows, config.seed))
        with spinner("reading on to see whether memory grows"):
            grown = loader.growth(library, config.flat, config.seed)
        with spinner("training on what two readers bring"):
            training = TrainConfig(
                steps=config.steps, batch_size=config.batch_size, warmup=0, workers=config.workers
            )
            hungry = starvation(library.corpus, config.policy, loader.POOL, training)
        with spinner("opening an index"):
            index.write_clips(Path(folder) / "index", config.clips)
            opened = index.measure(Path(folder) / "index")
    ours, npz, raw = (_rate(rates, *key).milliseconds for key in _COMPARED)
    results = {
        "rates": [{**asdict(rate), "windows_per_second": rate.windows} for rate in rates],
        "times_npz": npz / ours,
        "time_of_raw": ours / raw,
        "growth_mb": grown,
        "waiting_share": hungry.share,
        "training_step": asdict(hungry),
        "index": opened and asdict(opened),
        "machine": machine(),
    }
    write_text(run.path / "results.json", json.dumps(results, indent=1) + "\n")
    _show(rates, npz / ours, ours / raw)
    say(f"memory grew by {grown:.1f} MB over {config.flat} windows")
    _show_waiting(hungry, config.workers)
    if opened:
        say(f"{opened.clips} clips open in {opened.seconds:.2f} s and {opened.mebibytes:.0f} MiB")
    say(f"written to {run.path}: results.json")


# How we train on a corpus larger than memory, and the others in that order, window by window.
_COMPARED = (("pooled", loader.OURS), ("blocked", "npz"), ("blocked", "raw"))


def _rate(rates: Sequence[loader.Rate], way: str, format: str) -> loader.Rate:
    return next(rate for rate in rates if (rate.way, rate.format) == (way, format))


def _show(rates: Sequence[loader.Rate], times_npz: float, time_of_raw: float) -> None:
    for way, explained in (
        ("random", "in random order, each window read on its own"),
        ("blocked", "in the order of pools, each window read on its own"),
        ("pooled", "in the order of pools, decoded recordings kept"),
    ):
        ours = _rate(rates, way, loader.OURS)
        rows = [
            (
                rate.format,
                f"{rate.windows:.0f}",
                f"{rate.milliseconds:.2f}",
                f"{rate.wall:.2f}",
                f"{rate.milliseconds / ours.milliseconds:.2f}",
                f"{rate.megabytes:.1f}",
            )
            for rate in rates
            if rate.way == way
        ]
        columns = ("format", "windows/s", "CPU ms", "wall ms", "times ours", "MB on disk")
        table(explained, columns, rows)
    say(
        "our loader (pools) against the same windows in the same order, read one by one: "
        f"{times_npz:.1f} times as fast as npz, {time_of_raw:.2f} of the time of raw HDF5"
    )


def _show_waiting(hungry: Starvation, workers: int) -> None:
    say(
        f"a training step of {hungry.step:.2f} s waits {1000 * hungry.waiting:.1f} ms for its "
        f"batch ({hungry.share:.1%}) with {workers} workers"
    )
