"""The measurements of a policy: every way does the same work, and the numbers are written."""

import json
import math
from pathlib import Path

import pytest
import torch

from firsthand.benchmarks.control_step import EXACT, PLAIN
from firsthand.benchmarks.trunk_step import RELEASED, RIGHT
from firsthand.cli import main as cli

NARROW = (
    "policy.n_obs_steps=3",
    "policy.obs_stride_s=0.1",
    "policy.trunk.width=24",
    "policy.trunk.heads=2",
    "policy.images.width=8",
    "policy.video.width=16",
)


def test_acting_is_measured_in_every_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["benchmark", "control-step", *NARROW, "steps=3", "num_envs=2", "run=out"]
    assert cli.main(words) == 0
    results = json.loads(Path("out/results.json").read_text())
    steps = {row["way"]: row for row in results["steps"]}
    assert set(steps) == {PLAIN, EXACT, *(f"hastened, {p}" for p in ("fp32", "bf16", "int8"))}
    assert steps[PLAIN]["ratio"] == 1
    assert steps[PLAIN]["error"] == 0
    assert steps[EXACT]["error"] < 1e-4
    assert steps["hastened, fp32"]["error"] < 1e-4
    assert 1e-6 < steps["hastened, bf16"]["error"] < 0.2
    assert all(0 < row["median"] <= row["p95"] for row in steps.values())
    assert {row["way"] for row in results["worlds"]} == set(steps) - {PLAIN}
    for row in results["worlds"]:
        assert math.isclose(row["rate"], 1000 * 2 / row["median"])
    trunk = {row["way"]: row for row in results["trunk"]}
    assert trunk[RELEASED]["ratio"] == 1
    assert trunk[RIGHT]["error"] < 1e-5
    assert results["machine"]["torch"] == torch.__version__


def test_training_is_measured_in_both_layouts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["benchmark", "training-step", *NARROW, "windows=2", "tries=1", "run=out"]
    assert cli.main(words) == 0
    plain, once = json.loads(Path("out/results.json").read_text())["rates"]
    assert (plain["frames"], once["frames"]) == (6, 4)
    for row in (plain, once):
        assert math.isclose(row["rate"], 2 / row["seconds"])
        assert row["utilisation"] > 0
    assert once["gflop"] < plain["gflop"]
