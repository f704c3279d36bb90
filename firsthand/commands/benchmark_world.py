"""Milliseconds a step of the world and where they go; memory; steps a second of many workers."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from firsthand.benchmarks import crowd, world
from firsthand.cli.console import say, spinner, table
from firsthand.cli.run_dir import Run
from firsthand.cli.settings import Schema
from firsthand.common.atomic import write_text
from firsthand.envs import config as worlds

SIZES = ((200, 84), (96, 64))  # CALVIN's cameras, and those of the small policy


@dataclass(frozen=True)
class BenchmarkWorldConfig:
    """What to measure.

    env: the scene; with `env=calvin env.root=PATH` the original simulator is measured too.
    steps: measured for each world and size; states: compared in segmentation.
    seconds: of stepping for every number of workers.
    """

    env: worlds.World = field(default_factory=worlds.PlayTableWorld)
    steps: int = 200
    states: int = 10
    seconds: float = 5.0
    workers: tuple[int, ...] = (1, 2, 4)
    seed: int = 0


SCHEMA = Schema(BenchmarkWorldConfig, {"env": worlds.CHOICES})


def execute(config: BenchmarkWorldConfig, run: Run) -> None:
    """Measure, print tables, write results.json and renderers.png."""
    from PIL import Image

    times: dict[str, list[world.WorldStepTime]] = {}
    memory: dict[str, crowd.Memory | None] = {}
    rates: dict[str, dict[int, float]] = {}
    scene = config.env.scene
    for static, gripper in SIZES:
        size, cameras = f"{static}/{gripper}", {"rgb_static": static, "rgb_gripper": gripper}
        with spinner(f"stepping at {size} pixels"):
            times[size] = list(world.step_times(config.env, cameras, config.steps, config.seed))
        with spinner(f"many worlds at {size} pixels"):
            memory[size] = crowd.memory(scene, cameras)
            rates[size] = {
                count: crowd.steps_per_second(scene, cameras, config.seconds, count)
                for count in config.workers
            }
    with spinner("comparing segmentation"):
        agreement = world.segmentation_agreement(config.states, SIZES[0][0], config.seed)
        Image.fromarray(world.side_by_side(400, config.seed)).save(run.path / "renderers.png")
    results = {
        "milliseconds": [
            {**asdict(row), "rest": row.rest} for rows in times.values() for row in rows
        ],
        "times_faster": {size: _times_faster(rows) for size, rows in times.items()},
        "memory_mib": {size: used and asdict(used) for size, used in memory.items()},
        "steps_per_second": rates,
        "segmentation_agreement": agreement,
        "env": config.env.describe(),
    }
    write_text(run.path / "results.json", json.dumps(results, indent=1) + "\n")
    _show(times, memory, rates, agreement)
    say(f"written to {run.path}: results.json, renderers.png")


def _times_faster(rows: list[world.WorldStepTime]) -> dict[str, float]:
    """How many times the time of a raster step another world's takes."""
    ours, *others = rows
    return {other.world: other.total / ours.total for other in others}


def _show(
    times: Mapping[str, list[world.WorldStepTime]],
    memory: Mapping[str, crowd.Memory | None],
    rates: Mapping[str, Mapping[int, float]],
    agreement: Mapping[str, list[float]],
) -> None:
    rows = [
        (
            f"{t.static}²/{t.gripper}² {t.world}",
            *(f"{v:.2f}" for v in _parts(t)),
            f"{1000 / t.total:.0f}",
        )
        for size in times.values()
        for t in size
    ]
    columns = ("cameras, world", "step", "physics", "IK", "rendering", "queries", "rest", "steps/s")
    table("CPU milliseconds a step, both cameras (median)", columns, rows)
    for size, measured in times.items():
        for other, ratio in _times_faster(measured).items():
            say(f"{size}: raster steps {ratio:.1f} times faster than {other}")
    crowded = [
        (f"{size} {count}", f"{rate:.0f}", f"{rate / next(iter(counts.values())):.2f}")
        for size, counts in rates.items()
        for count, rate in counts.items()
    ]
    table(
        "worker processes (wall clock)", ("cameras, workers", "steps/s", "times the first"), crowded
    )
    for size, used in memory.items():
        if used:
            say(f"{size}: {used.process:.0f} MiB a process, {used.world:.1f} MiB a further world")
    for camera, shares in agreement.items():
        say(f"{camera}: segmentation equal on {min(shares):.2%} of pixels at least")


def _parts(time: world.WorldStepTime) -> tuple[float, ...]:
    return time.total, time.physics, time.kinematics, time.rendering, time.queries, time.rest
