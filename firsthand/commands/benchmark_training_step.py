"""Samples a second of a training step whose frames are encoded once, against the plain layout."""

import json
from dataclasses import asdict, dataclass, field

from firsthand.benchmarks import training_step
from firsthand.benchmarks.machine import machine
from firsthand.cli.console import say, spinner, table
from firsthand.cli.run_dir import Run
from firsthand.cli.settings import Schema
from firsthand.common.atomic import write_text
from firsthand.policy.config import PolicyConfig
from firsthand.training.config import Precision


@dataclass(frozen=True)
class BenchmarkTrainingStepConfig:
    """windows: of a batch; tries: steps measured of each layout."""

    policy: PolicyConfig = field(default_factory=PolicyConfig)
    windows: int = 8
    tries: int = 3
    precision: Precision = "auto"
    seed: int = 0


SCHEMA = Schema(BenchmarkTrainingStepConfig)


def execute(config: BenchmarkTrainingStepConfig, run: Run) -> None:
    """Measure, print a table, write results.json."""
    with spinner("training by turns on windows and on a sequence"):
        rates = list(
            training_step.step_rates(
                config.policy, config.windows, config.tries, config.precision, config.seed
            )
        )
    plain, once = rates
    rows = [
        (
            rate.layout,
            f"{rate.frames}",
            f"{rate.seconds:.2f}",
            f"{rate.rate:.3g}",
            f"{rate.gflop:.0f}",
            f"{rate.utilisation:.0%}",
        )
        for rate in rates
    ]
    columns = ("batch of", "frames encoded", "s a step", "samples/s", "GFLOP a sample", "of peak")
    table(
        f"a training step on {config.windows} windows of {config.policy.n_obs_steps}", columns, rows
    )
    ratio = once.rate / plain.rate
    say(f"encoding each frame once: {ratio:.1f} times the samples a second")
    results = {"rates": [asdict(rate) for rate in rates], "ratio": ratio, "machine": machine()}
    write_text(run.path / "results.json", json.dumps(results, indent=1) + "\n")
    say(f"written to {run.path}: results.json")
