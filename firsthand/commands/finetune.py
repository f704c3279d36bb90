"""Behaviour cloning plus video loss."""

from dataclasses import dataclass, fields, replace
from pathlib import Path

from finetune.recipe import FinetuneConfig, finetune
from firsthand import checkpoints, corpora, training_report
from firsthand.run import Run
from firsthand.settings import Schema


@dataclass(frozen=True, kw_only=True)
class FinetuneCommand(FinetuneConfig):
    """The recipe's settings and the demonstrations it learns from."""

    demonstrations: tuple[Path, ...] | Path


SCHEMA = Schema(FinetuneCommand)


def execute(config: FinetuneCommand, run: Run) -> None:
    """Find the demonstrations, train, say what came of it."""
    files = corpora.find_stores(config.demonstrations)
    recipe = FinetuneConfig(**{f.name: getattr(config, f.name) for f in fields(FinetuneConfig)})
    if recipe.pretrained:
        recipe = replace(recipe, pretrained=checkpoints.locate(recipe.pretrained))
    result = finetune(recipe, files, run.path, resume=run.resume)
    training_report.report(result, run.path)
