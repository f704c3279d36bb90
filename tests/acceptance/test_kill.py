"""Runs that are killed at random moments and resumed end with the bits of one that never was."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from policy.storage import load_policy

KILLS = 10
TRAINING = (
    "training.steps=40",
    "training.batch_size=8",
    "training.warmup=5",
    "training.log_every=3",
    "training.validate_every=10",
    "training.validate_batches=1",
    "training.picture_every=20",
    "training.checkpoint_every=4",
)
NURSERY = ("corpus.clips=5", "corpus.seconds=2", "corpus.held_out=0.2")


def finished(run: Path) -> Iterator[Path]:
    """Every file under a final name: drafts start with a dot or end in .partial."""
    for path in run.rglob("*") if run.is_dir() else ():
        parts = path.relative_to(run).parts
        if path.is_file() and not any(p.startswith(".") or p.endswith(".partial") for p in parts):
            yield path


def check_whole(run: Path) -> None:
    """Whatever bears a final name can be read, and a checkpoint that is there is complete."""
    for path in finished(run):
        if path.suffix == ".json":
            assert json.loads(path.read_text()), path
        elif path.suffix == ".jsonl":
            assert all(json.loads(line)["step"] for line in path.read_text().splitlines()), path
        elif path.suffix == ".yaml":
            assert OmegaConf.load(path), path
        elif path.suffix == ".safetensors":
            assert load_file(path), path
        else:
            assert path.name.startswith("events.out.tfevents."), path
            assert all(event.wall_time > 0 for event in EventFileLoader(str(path)).Load())
    for path in (run / "checkpoints").glob("[0-9]*"):
        assert re.fullmatch(r"\d{6}", path.name)
        assert json.loads((path / "training.json").read_text())["step"] == int(path.name)
        assert load_file(path / "training.safetensors")
        assert load_policy(path / "policy")
    for link in (run / "checkpoints" / name for name in ("last", "best")):
        assert not link.is_symlink() or load_policy(link / "policy")


def results(run: Path) -> dict[str, object]:
    """Weights, average, optimiser and the facts beside them as bytes; logged figures but speed."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    figures = [{k: v for k, v in line.items() if not k.startswith("speed/")} for line in lines]
    kept = {
        str(path.relative_to(run)): path.read_bytes()
        for path in sorted((run / "checkpoints").rglob("*"))
        if path.is_file()
    }
    links = {name: (run / "checkpoints" / name).readlink() for name in ("last", "best")}
    return {"figures": figures, **kept, **links}


def kill_often(firsthand, words: tuple[str, ...], seed: int) -> None:
    """Ten kills, at moments drawn evenly from the time that the whole command takes.

    A run that gets to its end between kills is compared like the last one, and another is begun.
    """
    firsthand(*words, "run=first")  # makes the corpus
    duration = firsthand.seconds(*words, "run=reference")
    expected = results(firsthand.folder / "reference")
    assert results(firsthand.folder / "first") == expected
    draw = random.Random(seed)
    moments = [draw.uniform(0, duration) for _ in range(KILLS)]
    broken = kills = 0
    while kills < KILLS:
        run = firsthand.folder / f"broken{broken}"
        if firsthand.killed(*words, f"run={run}", "resume=true", after=moments[kills]):
            check_whole(run)
            newest = max((p.name for p in run.glob("checkpoints/[0-9]*")), default="none")
            print(f"killed after {moments[kills]:.2f} of {duration:.2f} s, newest {newest}")
            kills += 1
        else:
            assert results(run) == expected
            broken += 1
    run = firsthand.folder / f"broken{broken}"
    firsthand(*words, f"run={run}", "resume=true")
    check_whole(run)
    assert results(run) == expected


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_kills_of_pretraining_leave_no_trace(firsthand):
    kill_often(firsthand, ("pretrain", *NURSERY, *TRAINING), seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_kills_of_finetuning_leave_no_trace(firsthand):
    few = ("tasks=[lift_red_block_table,turn_on_led]", "episodes=4", "held_out_every=2")
    firsthand("record", *few, "run=recorded")
    kill_often(firsthand, ("finetune", "demonstrations=recorded", *TRAINING), seed=2)
