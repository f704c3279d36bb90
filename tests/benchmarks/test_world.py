"""The measurement measures every world on the same work and says where the time went."""

import json
import math
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firsthand.benchmarks.stopwatch import timed
from firsthand.cli import main as cli

QUICK = ("steps=2", "states=1", "seconds=0.1", "workers=[1, 2]", "run=out")


class Worker:
    """Burns a little processor time."""

    def outer(self) -> None:
        self.inner()

    def inner(self) -> None:
        end = time.process_time() + 0.02
        while time.process_time() < end:
            pass


def test_the_stopwatch_times_calls_and_then_lets_go() -> None:
    original = Worker.inner
    worker = Worker()
    with timed({"out": [(Worker, "outer")], "in": [(Worker, "inner")]}) as stopwatch:
        worker.inner()
        worker.inner()
        seconds = stopwatch.read()
        assert 0.04 <= seconds["in"] < 0.1
        assert seconds["out"] == 0.0
        worker.outer()
        seconds = stopwatch.read()
        assert 0.02 <= seconds["out"] < 0.05
        assert seconds["in"] == 0.0
    assert Worker.inner is original


def test_it_writes_times_agreement_and_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["benchmark", "world", *QUICK]) == 0
    results = json.loads(Path("out/results.json").read_text())
    rows = results["milliseconds"]
    assert [(r["world"], r["static"]) for r in rows] == [
        ("raster", 200), ("tiny", 200), ("raster", 96), ("tiny", 96),
    ]  # fmt: skip
    for row in rows:
        parts = [row[k] for k in ("physics", "kinematics", "rendering", "queries", "rest")]
        assert all(part > 0 for part in parts)
        assert math.isclose(sum(parts), row["total"], rel_tol=1e-6)
    assert set(results["times_faster"]["96/64"]) == {"tiny"}
    for size in ("200/84", "96/64"):
        assert set(results["steps_per_second"][size]) == {"1", "2"}
        assert min(results["steps_per_second"][size].values()) > 1
        assert results["memory_mib"][size]["process"] > 20
        assert results["memory_mib"][size]["world"] < 100
    for shares in results["segmentation_agreement"].values():
        assert min(shares) > 0.99
    picture = np.asarray(Image.open("out/renderers.png"))
    assert picture.shape == (800, 800, 3)
    assert picture.std() > 10


def test_the_original_takes_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (root := os.environ.get("FIRSTHAND_CALVIN_ROOT")):
        pytest.skip("needs FIRSTHAND_CALVIN_ROOT, a checkout of calvin_env")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["benchmark", "world", *QUICK, "env=calvin", f"env.root={root}"]) == 0
    results = json.loads(Path("out/results.json").read_text())
    original = [row for row in results["milliseconds"] if row["world"] == "original"]
    assert [(row["static"], row["gripper"]) for row in original] == [(200, 84)] * 2
    assert all(row["rendering"] > 1 for row in original)
    assert set(results["times_faster"]["96/64"]) == {"tiny", "original"}
    assert len(results["env"]["revision"]) == 40
