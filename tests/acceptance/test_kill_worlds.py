"""Recordings and evaluations killed at random moments lose nothing and do nothing twice."""

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from firsthand.episodes.storage.merge import EpisodeFile
from firsthand.policy.config import PolicyConfig
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics

KILLS = 5


def kill_often(
    firsthand, words: tuple[str, ...], finished: Callable[[Path], set[str]], seed: int
) -> tuple[Path, Path]:
    """A run that is killed again and again and then left to end, beside one that never was.

    The first kill comes while it gets ready, each other one within a second of something having
    been finished. `finished` names what a run has finished so far: it must never become less.
    """
    firsthand(*words, "run=whole")
    draw, run, kept = random.Random(seed), firsthand.folder / "broken", set()
    for kill in range(KILLS):
        process = firsthand.start_or_resume(*words, run=str(run))
        while kill and process.poll() is None and finished(run) == kept:
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 1) if kill else draw.uniform(0, 4))
        assert process.poll() is None, "too little to do"
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert kept <= finished(run)
        kept = finished(run)
        print(f"killed with {len(kept)} finished")
    firsthand(*words, f"run={run}", "resume=true")
    assert kept
    assert kept <= finished(run)
    return firsthand.folder / "whole", run


def recorded(run: Path) -> set[str]:
    """Rows that lie beside the file to be; once it is there, all of them up to the last in it."""
    if (file := run / "episodes.hdf5").exists():
        with EpisodeFile(file) as episodes:
            last = max(header.source["index"] for header in episodes.headers)
        return {f"{row:06d}" for row in range(last + 1)}
    return {path.stem for path in (run / "episodes.hdf5.parts").glob("[0-9]*.hdf5")}


def evaluated(run: Path) -> set[str]:
    found = set()
    for path in run.glob("*.jsonl"):
        lines = path.read_bytes().split(b"\n")[:-1]
        indices = [json.loads(line)["index"] for line in lines]
        assert len(set(indices)) == len(indices)
        found |= {f"{path.stem} {index}" for index in indices}
    return found


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["play=false", "play=true"])
def test_a_killed_recording_has_the_same_bytes(firsthand, kind):
    few = ("tasks=[turn_on_led,open_drawer,move_slider_left]", "scenes=[A,D]", "seconds=3.0")
    words = ("record", *few, kind, "episodes=40", "held_out_every=2")
    whole, broken = kill_often(firsthand, words, recorded, seed=1)
    assert (broken / "episodes.hdf5").read_bytes() == (whole / "episodes.hdf5").read_bytes()
    assert not (broken / "episodes.hdf5.parts").exists()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("actor", ["actor=expert", "checkpoint=random"])
def test_a_killed_evaluation_has_the_same_results(firsthand, actor):
    torch.manual_seed(0)
    Policy(PolicyConfig(), Statistics(frames=1)).save_pretrained(firsthand.folder / "random")
    few = (
        "tasks=[turn_on_led,open_drawer]", "trials=12", "chains=24", "steps=60", "num_envs=4",
        "cameras={rgb_static: 96, rgb_gripper: 64}",  # the expert would look through none
    )  # fmt: skip
    whole, broken = kill_often(firsthand, ("evaluate", actor, *few), evaluated, seed=2)
    for kind in ("tasks", "chains"):
        names = [f"{kind}.{end}" for end in ("jsonl", "config.json", "summary.json", "summary.md")]
        for name in names:
            assert (broken / name).read_bytes() == (whole / name).read_bytes()
    films = [{p.name: p.read_bytes() for p in run.rglob("*.mp4*")} for run in (whole, broken)]
    assert films[0] == films[1]
    assert films[0]
