"""Milliseconds to choose an action: the whole window anew, and each faster way."""

import json
from dataclasses import asdict, dataclass, field

import torch

from firsthand.benchmarks import control_step, trunk_step
from firsthand.benchmarks.machine import machine
from firsthand.build import checkpoints
from firsthand.cli.console import say, spinner, table
from firsthand.cli.run_dir import Run
from firsthand.cli.settings import Schema
from firsthand.common.atomic import write_text
from firsthand.common.errors import UserError
from firsthand.policy.config import PolicyConfig
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics


@dataclass(frozen=True)
class BenchmarkControlStepConfig:
    """checkpoint: whose weights to act with, in place of random ones of `policy`; steps: measured
    of each way; seats: worlds acted in side by side."""

    policy: PolicyConfig = field(default_factory=PolicyConfig)
    checkpoint: str | None = None
    steps: int = 10
    seats: int = 8
    seed: int = 0


SCHEMA = Schema(BenchmarkControlStepConfig)


def execute(config: BenchmarkControlStepConfig, run: Run) -> None:
    """Measure, print two tables, write results.json."""
    policy = _policy(config).to("cuda" if torch.cuda.is_available() else "cpu").eval()
    try:
        with spinner("choosing actions by turns in every way"):
            times = list(control_step.step_times(policy, config.steps, config.seed))
    except ValueError as error:
        raise UserError(f"this policy cannot act at every step: {error}") from error
    rows = [
        (
            t.way,
            f"{t.median:.1f}",
            f"{t.p95:.1f}",
            f"{t.ratio:.1f}",
            f"{t.error:.1e}",
            f"{t.drift:.1e}",
            f"{t.flips}",
            f"{t.memory:.0f}",
        )
        for t in times
    ]
    columns = ("way", "median ms", "p95 ms", "times faster", "error", "drift", "flips", "MB")
    table(f"a control step, {config.steps} measured", columns, rows)

    with spinner(f"choosing actions in {config.seats} worlds at once"):
        crowd = control_step.crowd_times(policy, config.seats, config.steps, config.seed)
    for t in crowd:
        say(f"{t.way}, {t.seats} at once: {t.median:.1f} ms a step, {t.rate:.1f} actions/s")

    with spinner("reading frames with the trunk alone"):
        trunk = trunk_step.trunk_times(policy.config, 3 * config.steps, config.seed)
    rows = [
        (t.way, f"{t.median:.1f}", f"{t.ratio:.1f}", "" if t.error is None else f"{t.error:.1e}")
        for t in trunk
    ]
    table("its trunk with rotary positions", ("way", "median ms", "times faster", "error"), rows)
    results = {
        "steps": [asdict(t) for t in times],
        "worlds": [asdict(t) for t in crowd],
        "trunk": [asdict(t) for t in trunk],
        "machine": machine(),
    }
    write_text(run.path / "results.json", json.dumps(results, indent=1) + "\n")
    say(f"written to {run.path}: results.json")


def _policy(config: BenchmarkControlStepConfig) -> Policy:
    if config.checkpoint is not None:
        return checkpoints.load_policy(config.checkpoint)
    torch.manual_seed(config.seed)
    return Policy(config.policy, Statistics(frames=1))
