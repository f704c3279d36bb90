"""A resume that is refused leaves a run of any kind byte for byte as it was."""

from pathlib import Path

import pytest

from tests.grounding.test_train import make_corpus

QUICK = ("training=smoke", "training.steps=2", "training.warmup=0", "training.batch_size=2")
LEARNING = ("ground.training.steps=2", "ground.training.warmup=0", "ground.training.batch_size=4")


def content(run: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in run.rglob("*") if p.is_file() and p.name != ".lock"}


@pytest.mark.slow
def test_learning_that_may_not_go_on_changes_nothing(firsthand, tmp_path):
    firsthand("record", "tasks=[turn_on_led]", "episodes=4", "held_out_every=2", "workers=0",
              "run=shown")  # fmt: skip
    make_corpus(tmp_path / "child")
    commands = {
        "pretrain": ("corpus=episodes", "corpus.files=shown", *QUICK),
        "finetune": ("demonstrations=shown", *QUICK),
        "ground": ("root=child", "variants=[natural]", "jobs=1", *LEARNING),
    }
    for command, words in commands.items():
        firsthand(command, *words, f"run={command}")
        before = content(tmp_path / command)
        prefix = "ground." if command == "ground" else ""
        for change in (f"{prefix}training.learning_rate=0.5", "trainin.steps=3", "variants=[]"):
            firsthand.refuses(command, "resume=true", f"run={command}", change)
            assert content(tmp_path / command) == before, (command, change)
        firsthand(command, "resume=true", f"run={command}")
