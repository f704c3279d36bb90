"""The commands, and where each one lives. Nothing is imported here: `--help` stays instant.

A command's module has two names: `SCHEMA` (the dataclasses that its settings fill) and `execute`
(what it does with them, given a run directory). What `--help` prints is its YAML. A command of two
words is an object with these names in the module of the first (`commands.benchmark.world`).
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONFIGS = Path(__file__).resolve().parent.parent / "configs"


@dataclass(frozen=True)
class Command:
    """One verb of the command line."""

    name: str
    """One word, or two."""
    summary: str
    """A line of `firsthand --help`."""
    config: str
    """Its top-level YAML in configs/, without the ending."""
    argument: str | None = None
    """The key that a bare first word sets (`inspect PATH`)."""
    writes: bool = True
    """Whether it makes a run directory."""
    shared: bool = False
    """Whether processes started by torchrun do it together."""

    def load(self) -> Any:
        """What has its `SCHEMA` and `execute`, imported only now."""
        module, _, inner = self.name.replace("-", "_").partition(" ")
        loaded = importlib.import_module(f"firsthand.commands.{module}")
        return getattr(loaded, inner) if inner else loaded


COMMANDS = {
    command.name: command
    for command in (
        Command("demo", "the whole story on this machine, small", "demo"),
        Command("record", "scripted experts act in a world; writes episodes", "record"),
        Command("replay", "does what was recorded still succeed", "replay", "path", False),
        Command("convert", "datasets to episodes and back, published weights to models", "convert"),
        Command("features", "what a frozen encoder makes of a corpus, stored once", "features"),
        Command("pretrain", "future-frame pretraining on video", "pretrain", shared=True),
        Command("ground", "what words refer to, from a child's view (CVCL)", "ground", shared=True),
        Command("ground-eval", "which words a model knows, by forced choice", "ground_eval"),
        Command("finetune", "behaviour cloning plus video loss", "finetune", shared=True),
        Command("evaluate", "single tasks and instruction chains in a world", "evaluate"),
        Command("probe", "where things are, read out of a policy linearly", "probe"),
        Command("inspect", "what is in this dataset, checkpoint or run", "inspect", "path", False),
        Command("benchmark world", "the world's speed, and where it goes", "benchmark_world"),
        Command(
            "benchmark loader",
            "windows a second out of our shards and other formats; memory; waiting",
            "benchmark_loader",
        ),
        Command(
            "benchmark control-step",
            "how long choosing an action takes, the whole window anew and each faster way",
            "benchmark_control_step",
        ),
        Command(
            "benchmark training-step",
            "samples a second, each frame encoded once against once a window",
            "benchmark_training_step",
        ),
    )
}
