"""The measurement measures both renderers on the same work and says where the time went."""

import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firsthand import cli
from firsthand.benchmarks.stopwatch import timed


def test_the_stopwatch_times_calls_and_then_lets_go() -> None:
    original = time.sleep
    with timed(time, "sleep") as stopwatch:
        time.sleep(0.02)
        time.sleep(0.02)
        assert stopwatch.read() >= 0.04
        assert stopwatch.read() == 0.0
    assert time.sleep is original


def test_it_writes_times_agreement_and_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["benchmark", "world", "steps=2", "states=1", "run=out"]) == 0
    results = json.loads(Path("out/results.json").read_text())
    rows = results["milliseconds"]
    assert [(r["renderer"], r["static"]) for r in rows] == [
        ("raster", 200), ("tiny", 200), ("raster", 96), ("tiny", 96),
    ]  # fmt: skip
    for row in rows:
        parts = row["physics"], row["rendering"], row["rest"]
        assert all(part > 0 for part in parts)
        assert math.isclose(sum(parts), row["total"], rel_tol=0.5)
    for shares in results["segmentation_agreement"].values():
        assert min(shares) > 0.99
    picture = np.asarray(Image.open("out/renderers.png"))
    assert picture.shape == (800, 800, 3)
    assert picture.std() > 10
