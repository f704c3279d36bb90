"""The measurements of the loader: all formats show the same windows, and the numbers agree."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from firsthand.benchmarks import loader
from firsthand.cli import main as cli

NARROW = (
    "policy.n_obs_steps=3",
    "policy.trunk.width=24",
    "policy.trunk.heads=2",
    "policy.images.width=8",
    "policy.video.width=16",
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> loader.Library:
    return loader.Library(tmp_path_factory.mktemp("library"), episodes=3, length=40)


def test_writing_makes_no_real_time_thread(library: loader.Library) -> None:
    assert any((library.shard.parents[1] / "av1-2").iterdir())
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_every_format_shows_the_same_windows(library: loader.Library) -> None:
    for pool in (None, loader.POOL):
        opened = library.open(pool)
        ours = opened.pop(loader.OURS)
        for name, theirs in opened.items():
            for index in (0, 47, 119):  # the last frame of a recording stands for what is missing
                expected, window = ours[index], theirs[index]
                for field in ("valid", "future_valid", "actions_valid", "state", "actions"):
                    assert np.array_equal(getattr(window, field), getattr(expected, field))
                for camera, frames in expected.frames.items():
                    assert window.frames[camera].shape == frames.shape
                    difference = window.frames[camera].astype(float) - frames
                    assert np.sqrt(np.square(difference).mean()) < (12 if name[-1].isdigit() else 4)


def test_exact_formats_agree_to_the_bit(library: loader.Library) -> None:
    opened = library.open(None)
    for index in (5, 60):
        npz, raw = opened["npz"][index].frames, opened["raw"][index].frames
        assert all(np.array_equal(npz[camera], raw[camera]) for camera in loader.CAMERAS)


def test_memory_is_measured(library: loader.Library) -> None:
    assert 0 <= loader.growth(library, 64, seed=0) < 50


def test_the_command_writes_what_it_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    few = ("episodes=3", "length=40", "windows=16", "flat=16", "steps=12", "batch_size=2")
    words = ["benchmark", "loader", *NARROW, *few, "workers=1", "clips=1000", "run=out"]
    assert cli.main(words) == 0
    results = json.loads(Path("out/results.json").read_text())
    rates = {(row["way"], row["format"]): row for row in results["rates"]}
    formats = {"ours", "npz", "raw", "h264-15", "h264-2", "av1-2"}
    assert set(rates) == {(way, name) for way in loader.WAYS for name in formats}
    for row in rates.values():
        assert math.isclose(row["windows_per_second"] * row["milliseconds"], 1000)
    ours = rates["pooled", "ours"]["milliseconds"]
    assert math.isclose(results["times_npz"], rates["blocked", "npz"]["milliseconds"] / ours)
    assert math.isclose(results["time_of_raw"], ours / rates["blocked", "raw"]["milliseconds"])
    assert 0 <= results["waiting_share"] < 1
    assert results["index"]["clips"] == 1000
    assert [path.name for path in Path("out").iterdir() if path.is_dir()] == []
