"""Runs that are killed at random moments and resumed end with the bits of one that never was."""

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from firsthand.grounding.model import GroundingModel
from firsthand.policy.checkpoints.storage import load_policy
from tests.grounding.test_train import make_corpus

KILLS = 10
TRAINING = (
    "training.steps=80",
    "training.rollout_every=0",  # a world would outlast the training
    "training.batch_size=8",
    "training.warmup=5",
    "training.log_every=3",
    "training.validate_every=20",
    "training.validate_batches=1",
    "training.picture_every=40",
    "training.checkpoint_every=4",
)


READERS = {
    ".json": lambda path: json.loads(path.read_text()),
    ".jsonl": lambda path: [json.loads(line) for line in path.read_text().splitlines()],
    ".yaml": OmegaConf.load,
    ".safetensors": load_file,
    ".0": lambda path: list(EventFileLoader(str(path)).Load()),  # of TensorBoard
}


def check_whole(run: Path, load: Callable[[Path], object]) -> None:
    """Whatever bears a final name (drafts start with a dot or end in .partial) can be read, models
    by `load`."""
    for path in run.rglob("*"):
        parts = path.relative_to(run).parts
        if path.is_file() and not any(p.startswith(".") or p.endswith(".partial") for p in parts):
            assert READERS[path.suffix](path) is not None
    for path in (run / "checkpoints").glob("[0-9lb]*"):  # the links last and best too
        assert json.loads((path / "training.json").read_text())["step"] == int(path.resolve().name)
        assert load_file(path / "training.safetensors")
        assert load(path / "policy")


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


class Life:
    """One process of a run, from its start to its end or its violent death."""

    def __init__(self, firsthand, words: tuple[str, ...], run: Path, model: str) -> None:
        self._firsthand, self._log = firsthand, run / model / "metrics.jsonl"
        self._before = self._inode()  # a process that begins to train replaces its log
        self.process = firsthand.start_or_resume(*words, run=str(run))

    def _inode(self) -> int | None:
        return self._log.stat().st_ino if self._log.exists() else None

    def wait_for_training(self) -> None:
        while self._inode() == self._before and self.process.poll() is None:
            time.sleep(0.005)

    def kill(self, after: float) -> bool:
        """False if it ended before it could be killed."""
        time.sleep(after)
        if self.process.poll() is not None:
            self.end()
            return False
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()
        return True

    def end(self) -> None:
        self._firsthand.ended(self.process, 0)


def kill_often(
    firsthand,
    words: tuple[str, ...],
    seed: int,
    model: str = "",
    load: Callable[[Path], object] = load_policy,
) -> None:
    """Ten kills of one run: every fifth while it gets ready, the others while it trains.

    The moments are drawn evenly from the time that getting ready, or a seventh of training, takes.
    `model` is the folder in the run where a model learns, `load` reads what is saved of it.
    """
    firsthand(*words, "run=first")  # makes the corpus
    expected = results(firsthand.folder / "first" / model)
    begun = time.monotonic()
    reference = Life(firsthand, words, firsthand.folder / "reference", model)
    reference.wait_for_training()
    ready = time.monotonic()
    reference.end()
    ended = time.monotonic()
    assert results(firsthand.folder / "reference" / model) == expected
    draw, kills, runs, run = random.Random(seed), 0, 0, firsthand.folder
    while kills < KILLS:
        life = Life(firsthand, words, run := firsthand.folder / f"broken{runs}", model)
        if kills % 5 == 0:
            killed = life.kill(after=draw.uniform(0, ready - begun))
        else:
            life.wait_for_training()
            killed = life.kill(after=draw.uniform(0, (ended - ready) / 7))
        check_whole(run / model, load)
        if not killed:  # it was faster than the reference: another run takes the next kill
            assert results(run / model) == expected
            runs += 1
            continue
        kills += 1
        print("killed with", sorted(p.name for p in (run / model).glob("checkpoints/*")))
    Life(firsthand, words, run, model).end()
    check_whole(run / model, load)
    assert results(run / model) == expected


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_kills_of_pretraining_leave_no_trace(firsthand):
    hands = ("corpus.clips=5", "corpus.seconds=2", "corpus.held_out=0.2")
    kill_often(firsthand, ("pretrain", *hands, *TRAINING), seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_kills_of_finetuning_leave_no_trace(firsthand):
    few = ("tasks=[lift_red_block_table,turn_on_led]", "episodes=4", "held_out_every=2")
    firsthand("record", *few, "run=recorded")
    kill_often(firsthand, ("finetune", "demonstrations=recorded", *TRAINING), seed=2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_kills_of_grounding_leave_no_trace(firsthand):
    root = make_corpus(firsthand.folder / "corpus")
    no_pictures = tuple(word for word in TRAINING if not word.startswith("training.picture_every"))
    training = tuple(f"ground.{word}" for word in no_pictures)
    words = ("ground", f"root={root}", "variants=[natural]", "jobs=1", *training)
    kill_often(firsthand, words, seed=3, model="natural/seed_0", load=GroundingModel.read_files)
