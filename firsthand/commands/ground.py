"""Learning what words refer to from a child's point of view."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from envs.home.corpus import HomeConfig
from firsthand import corpora
from firsthand.console import say
from firsthand.run import Run
from firsthand.settings import Schema
from firsthand.study import Study, learn
from pretrain.ground import GroundConfig
from pretrain.variants import VARIANTS, Variant


@dataclass(frozen=True, kw_only=True)
class GroundCommand:
    """`ground` says what learns and how; `root` is the corpus, None the rendered `home`.

    Every one of the `variants` learns with each of the `seeds`, `jobs` models at a time.
    """

    root: Path | None = None
    home: HomeConfig = field(default_factory=HomeConfig)
    ground: GroundConfig = field(default_factory=GroundConfig)
    variants: tuple[Variant, ...] = VARIANTS
    seeds: tuple[int, ...] = (0,)
    jobs: int = 2


SCHEMA = Schema(GroundCommand)


def execute(config: GroundCommand, run: Run) -> None:
    """Make the home if there is no other corpus, train, say what came of it and where it is."""
    root = corpora.home(config.home) if config.root is None else config.root
    study = Study.of(root, config.variants, config.seeds)
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1  # processes that train one model together
    results = learn(study, config.ground, run.path, 1 if several else config.jobs, run.resume)
    for member, result in results.items():
        figures = ", ".join(
            f"{name.replace('_', ' ')} {result.metrics[f'held_out/{name}']:.3f}"
            for name in ("loss", "image_accuracy", "text_accuracy")
            if f"held_out/{name}" in result.metrics
        )
        say(f"{member.path}: held out {figures}")
    say(f"what they have learned: firsthand ground-eval model={run.path}")
