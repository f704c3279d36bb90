"""Milliseconds a step of the world, split into physics, rendering and the rest."""

import json
from dataclasses import asdict, dataclass

from firsthand.benchmarks import world
from firsthand.console import say, table, working
from firsthand.run import Run, write_text
from firsthand.settings import Schema

SIZES = ((200, 84), (96, 64))  # CALVIN's cameras, and those of the small policy


@dataclass(frozen=True)
class BenchmarkWorldConfig:
    """steps: measured for each renderer and size; states: compared in segmentation."""

    steps: int = 200
    states: int = 10
    seed: int = 0


SCHEMA = Schema(BenchmarkWorldConfig)


def execute(config: BenchmarkWorldConfig, run: Run) -> None:
    """Measure, print a table, write results.json and renderers.png."""
    from PIL import Image

    times: list[world.StepTime] = []
    for static, gripper in SIZES:
        with working(f"stepping at {static}/{gripper} pixels"):
            cameras = {"rgb_static": static, "rgb_gripper": gripper}
            times += world.step_times(cameras, config.steps, config.seed)
    with working("comparing segmentation"):
        agreement = world.segmentation_agreement(config.states, SIZES[0][0], config.seed)
        Image.fromarray(world.side_by_side(400, config.seed)).save(run.path / "renderers.png")
    speedup = {
        f"{ours.static}/{ours.gripper}": theirs.rendering / ours.rendering
        for ours, theirs in zip(times[::2], times[1::2], strict=True)
    }
    results = {
        "milliseconds": [asdict(row) for row in times],
        "rendering_speedup": speedup,
        "segmentation_agreement": agreement,
    }
    write_text(run.path / "results.json", json.dumps(results, indent=1) + "\n")
    _show(times, speedup, agreement)
    say(f"written to {run.path}: results.json, renderers.png")


def _show(
    times: list[world.StepTime], speedup: dict[str, float], agreement: dict[str, list[float]]
) -> None:
    rows = [
        (f"{t.static}²/{t.gripper}² {t.renderer}", *(f"{v:.2f}" for v in _parts(t))) for t in times
    ]
    columns = ("cameras, renderer", "step", "physics", "rendering", "rest")
    table("milliseconds a step, both cameras (median)", columns, rows)
    for size, ratio in speedup.items():
        say(f"{size}: raster renders {ratio:.1f} times faster than tiny")
    for camera, shares in agreement.items():
        say(f"{camera}: segmentation equal on {min(shares):.2%} of pixels at least")


def _parts(time: world.StepTime) -> tuple[float, float, float, float]:
    return time.total, time.physics, time.rendering, time.rest
