"""Measurements of speed: each compares within one run, prints tables, writes results.json.

What is measured and how is in `firsthand.benchmarks`, which is imported when it runs.
"""

import json
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from firsthand.cli.console import say, spinner, table
from firsthand.cli.run_dir import Run
from firsthand.cli.settings import Schema
from firsthand.common.atomic import write_text
from firsthand.common.errors import UserError
from firsthand.envs import config as worlds
from firsthand.policy.config import PolicyConfig
from firsthand.training.config import Precision, TrainConfig

SIZES = ((200, 84), (96, 64))  # pixels: CALVIN's cameras, and those of the small policy


@dataclass
class Benchmark:
    """What a module is to other commands: its settings, and what it does with them."""

    SCHEMA: Schema
    """The dataclasses that its settings fill."""
    execute: Callable[[Any, Run], None]
    """Measures, given settings and a run."""


def _execute(
    measure: Callable[[Any, Run], dict[str, Any]], written: str, config: Any, run: Run
) -> None:
    """Measure, print tables, write results.json."""
    results = measure(config, run)
    write_text(run.path / "results.json", json.dumps(results, indent=1) + "\n")
    say(f"written to {run.path}: {written}")


def _show(title: str, columns: Mapping[str, str], rows: Iterable[tuple]) -> None:
    """A table; a column is its head and how it formats what a row holds."""
    table(title, tuple(columns), [[cell.format(*row) for cell in columns.values()] for row in rows])


@dataclass(frozen=True)
class BenchmarkWorldConfig:
    """What a step of a world costs, and where the time goes."""

    env: worlds.World = field(default_factory=worlds.PlayTableWorld)
    """The scene; with `env=calvin env.root=PATH` the original simulator is measured too."""
    steps: int = 200
    """Measured for each world and camera size."""
    states: int = 10
    """In which the renderers' segmentation is compared."""
    seconds: float = 5.0
    """Of stepping for every number of workers."""
    workers: tuple[int, ...] = (1, 2, 4)
    """Processes that step at once."""
    seed: int = 0
    """Of initial states and actions."""


def _world(config: BenchmarkWorldConfig, run: Run) -> dict[str, Any]:
    """Writes renderers.png besides."""
    from PIL import Image

    from firsthand.benchmarks import crowd, world

    times, memory, rates = {}, {}, {}
    for static, gripper in SIZES:
        size, cameras = f"{static}/{gripper}", {"rgb_static": static, "rgb_gripper": gripper}
        with spinner(f"stepping at {size} pixels"):
            times[size] = list(world.step_times(config.env, cameras, config.steps, config.seed))
        with spinner(f"many worlds at {size} pixels"):
            memory[size] = crowd.memory(config.env.scene, cameras)
            rates[size] = {
                count: crowd.steps_per_second(config.env.scene, cameras, config.seconds, count)
                for count in config.workers
            }
    with spinner("comparing segmentation"):
        agreement = world.segmentation_agreement(config.states, SIZES[0][0], config.seed)
        Image.fromarray(world.side_by_side(400, config.seed)).save(run.path / "renderers.png")
    rows = [row for some in times.values() for row in some]
    # how many times the time of a raster step, which comes first, another world's takes
    faster = {
        size: {other.world: other.total / ours.total for other in others}
        for size, (ours, *others) in times.items()
    }

    parts = ("total", "physics", "kinematics", "rendering", "queries", "rest")
    heads = ("step", "physics", "IK", "rendering", "queries", "rest")
    columns = {"cameras, world": "{0.static}²/{0.gripper}² {0.world}"}
    columns |= {head: f"{{0.{part}:.2f}}" for head, part in zip(heads, parts, strict=True)}
    columns["steps/s"] = "{0.rate:.0f}"
    _show("CPU milliseconds a step, both cameras (median)", columns, ((row,) for row in rows))
    for size, ratios in faster.items():
        for other, ratio in ratios.items():
            say(f"{size}: raster steps {ratio:.1f} times faster than {other}")
    _show(
        "worker processes (wall clock)",
        {"cameras, workers": "{0} {1}", "steps/s": "{2:.0f}", "times the first": "{3:.2f}"},
        (
            (size, count, rate, rate / next(iter(counts.values())))
            for size, counts in rates.items()
            for count, rate in counts.items()
        ),
    )
    for size, used in memory.items():
        if used:
            say(f"{size}: {used.process:.0f} MiB a process, {used.world:.1f} MiB a further world")
    for camera, shares in agreement.items():
        say(f"{camera}: segmentation equal on {min(shares):.2%} of pixels at least")
    return {
        "milliseconds": [{**asdict(row), "rest": row.rest} for row in rows],
        "times_faster": faster,
        "memory_mib": {size: used and asdict(used) for size, used in memory.items()},
        "steps_per_second": rates,
        "segmentation_agreement": agreement,
        "env": config.env.describe(),
    }


@dataclass(frozen=True)
class BenchmarkLoaderConfig:
    """Windows a second out of our shards and of other formats; memory; waiting; an index."""

    policy: PolicyConfig = field(default_factory=PolicyConfig)
    """Of the training steps that may have to wait for data."""
    episodes: int = 40
    """Recordings that are made."""
    length: int = 64
    """Frames of each, 30 a second."""
    windows: int = 256
    """Read from every format in every way."""
    flat: int = 10_000
    """Windows over which memory must not grow."""
    batch_size: int = 48
    """Windows of a training step."""
    steps: int = 12
    """Training steps, the first ten of which are not measured."""
    workers: int = 2
    """Processes that read for them."""
    clips: int = 1_000_000
    """Of the made-up index that is opened."""
    seed: int = 0
    """Of the orders."""

    def __post_init__(self) -> None:
        from firsthand.benchmarks.loader import TURN
        from firsthand.benchmarks.training_step import UNMEASURED

        if self.steps <= UNMEASURED:
            raise UserError(f"steps must be more than {UNMEASURED}, which are not measured")
        if self.length < 2 or self.windows < TURN:
            raise UserError(f"length must be 2 or more and windows {TURN} or more")


def _loader(config: BenchmarkLoaderConfig, run: Run) -> dict[str, Any]:
    """The recordings are removed afterwards."""
    from firsthand.benchmarks import index, loader
    from firsthand.benchmarks.machine import machine
    from firsthand.benchmarks.training_step import waiting

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
            waited = waiting(library.corpus, config.policy, loader.POOL, training)
        with spinner("opening an index"):
            index.write_clips(Path(folder) / "index", config.clips)
            opened = index.measure(Path(folder) / "index")
    of = {(rate.way, rate.format): rate.milliseconds for rate in rates}
    # How we train on a corpus larger than memory, and the others in that order, window by window.
    ours, npz, raw = of["pooled", loader.OURS], of["blocked", "npz"], of["blocked", "raw"]

    columns = {
        "format": "{0.format}",
        "windows/s": "{0.windows:.0f}",
        "CPU ms": "{0.milliseconds:.2f}",
        "wall ms": "{0.wall:.2f}",
        "times ours": "{1:.2f}",
        "MB on disk": "{0.megabytes:.1f}",
    }
    for way, title in loader.WAYS.items():
        alike = [(r, r.milliseconds / of[way, loader.OURS]) for r in rates if r.way == way]
        _show(title, columns, alike)
    say(
        "our loader (pools) against the same windows in the same order, read one by one: "
        f"{npz / ours:.1f} times as fast as npz, {ours / raw:.2f} of the time of raw HDF5"
    )
    say(f"memory grew by {grown:.1f} MB over {config.flat} windows")
    say(
        f"a training step of {waited.step:.2f} s waits {1000 * waited.waiting:.1f} ms for its "
        f"batch ({waited.share:.1%}) with {config.workers} workers"
    )
    if opened:
        say(f"{opened.clips} clips open in {opened.seconds:.2f} s and {opened.mebibytes:.0f} MiB")
    return {
        "rates": [{**asdict(rate), "windows_per_second": rate.windows} for rate in rates],
        "times_npz": npz / ours,
        "time_of_raw": ours / raw,
        "growth_mb": grown,
        "waiting_share": waited.share,
        "training_step": asdict(waited),
        "index": opened and asdict(opened),
        "machine": machine(),
    }


@dataclass(frozen=True)
class BenchmarkControlStepConfig:
    """Milliseconds to choose an action: the whole window anew, and each faster way."""

    policy: PolicyConfig = field(default_factory=PolicyConfig)
    """Acts with random weights."""
    checkpoint: str | None = None
    """Whose weights to act with, in place of `policy`."""
    steps: int = 10
    """Measured of each way, after the window is full."""
    num_envs: int = 8
    """Worlds acted in side by side."""
    seed: int = 0
    """Of observations and weights."""


def _control_step(config: BenchmarkControlStepConfig, run: Run) -> dict[str, Any]:
    import torch

    from firsthand.benchmarks import control_step, trunk_step
    from firsthand.benchmarks.machine import machine

    policy = _policy(config).to("cuda" if torch.cuda.is_available() else "cpu").eval()
    try:
        with spinner("choosing actions by turns in every way"):
            times = list(control_step.step_times(policy, config.steps, config.seed))
    except ValueError as error:
        raise UserError(f"this policy cannot act at every step: {error}") from error
    columns = {"way": "{0.way}", "median ms": "{0.median:.1f}", "p95 ms": "{0.p95:.1f}"}
    columns |= {"times faster": "{0.ratio:.1f}", "error": "{0.error:.1e}"}
    columns |= {"drift": "{0.drift:.1e}", "flips": "{0.flips}", "MB": "{0.memory:.0f}"}
    _show(f"a control step, {config.steps} measured", columns, ((t,) for t in times))

    with spinner(f"choosing actions in {config.num_envs} worlds at once"):
        crowd = control_step.crowd_times(policy, config.num_envs, config.steps, config.seed)
    for t in crowd:
        say(f"{t.way}, {t.num_envs} at once: {t.median:.1f} ms a step, {t.rate:.1f} actions/s")

    with spinner("reading frames with the trunk alone"):
        trunk = trunk_step.trunk_times(policy.config, 3 * config.steps, config.seed)
    columns = {"way": "{0.way}", "median ms": "{0.median:.1f}", "times faster": "{0.ratio:.1f}"}
    rows = [(t, "" if t.error is None else f"{t.error:.1e}") for t in trunk]
    _show("its trunk with rotary positions", columns | {"error": "{1}"}, rows)
    return {
        "steps": [asdict(t) for t in times],
        "worlds": [asdict(t) for t in crowd],
        "trunk": [asdict(t) for t in trunk],
        "machine": machine(),
    }


def _policy(config: BenchmarkControlStepConfig) -> Any:
    import torch

    from firsthand.build import checkpoints
    from firsthand.policy.policy import Policy
    from firsthand.policy.statistics import Statistics

    if config.checkpoint is not None:
        return checkpoints.load_policy(config.checkpoint)
    torch.manual_seed(config.seed)
    return Policy(config.policy, Statistics(frames=1))


@dataclass(frozen=True)
class BenchmarkTrainingStepConfig:
    """Samples a second of a training step that encodes each frame once, or once a window."""

    policy: PolicyConfig = field(default_factory=PolicyConfig)
    """Learns, with random weights at first."""
    windows: int = 8
    """Of a batch, in either layout."""
    tries: int = 3
    """Steps measured of each layout."""
    precision: Precision = "auto"
    """`bf16`, `fp32`, or `auto`: bf16 where the processor multiplies it natively."""
    seed: int = 0
    """Of the weights."""


def _training_step(config: BenchmarkTrainingStepConfig, run: Run) -> dict[str, Any]:
    from firsthand.benchmarks import training_step
    from firsthand.benchmarks.machine import machine

    with spinner("training by turns on windows and on a sequence"):
        rates = list(
            training_step.step_rates(
                config.policy, config.windows, config.tries, config.precision, config.seed
            )
        )
    columns = {"batch of": "{0.layout}", "frames encoded": "{0.frames}"}
    columns |= {"s a step": "{0.seconds:.2f}", "samples/s": "{0.rate:.3g}"}
    columns |= {"GFLOP a sample": "{0.gflop:.0f}", "of peak": "{0.utilisation:.0%}"}
    title = f"a training step on {config.windows} windows of {config.policy.n_obs_steps}"
    _show(title, columns, ((rate,) for rate in rates))
    plain, once = rates
    ratio = once.rate / plain.rate
    say(f"encoding each frame once: {ratio:.1f} times the samples a second")
    return {"rates": [asdict(rate) for rate in rates], "ratio": ratio, "machine": machine()}


world = Benchmark(
    Schema(BenchmarkWorldConfig, {"env": worlds.CHOICES}),
    partial(_execute, _world, "results.json, renderers.png"),
)
loader = Benchmark(Schema(BenchmarkLoaderConfig), partial(_execute, _loader, "results.json"))
control_step = Benchmark(
    Schema(BenchmarkControlStepConfig), partial(_execute, _control_step, "results.json")
)
training_step = Benchmark(
    Schema(BenchmarkTrainingStepConfig), partial(_execute, _training_step, "results.json")
)
