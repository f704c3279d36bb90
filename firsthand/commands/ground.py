"""Learning what words refer to from a child's point of view."""

from dataclasses import dataclass, field
from pathlib import Path

from firsthand.console import say
from firsthand.run import Run
from firsthand.settings import Schema
from pretrain.ground import GroundConfig, ground


@dataclass(frozen=True, kw_only=True)
class GroundCommand:
    """`ground` says what learns and how; `root` is the corpus."""

    root: Path
    ground: GroundConfig = field(default_factory=GroundConfig)


SCHEMA = Schema(GroundCommand)


def execute(config: GroundCommand, run: Run) -> None:
    """Train, say what came of it and where it is."""
    result = ground(config.ground, config.root, run.path, resume=run.resume)
    for name in ("loss", "image_accuracy", "text_accuracy"):
        if (value := result.metrics.get(f"held_out/{name}")) is not None:
            say(f"held out {name.replace('_', ' ')}: {value:.3f}")
    say(f"the best model: {result.best}")
