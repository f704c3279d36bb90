"""Measuring what a word-grounding model knows."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

from episodes.errors import UserError
from firsthand.console import say
from firsthand.run import Run, write_text
from firsthand.settings import Schema
from policy.grounding import GroundingModel
from pretrain.ground_eval import GroundEvalConfig, as_markdown, measure_words

BEST = Path("checkpoints/best/policy")  # of a run


@dataclass(frozen=True, kw_only=True)
class GroundEvalCommand(GroundEvalConfig):
    """`model` is measured on the test sets of the corpus at `root`."""

    model: str
    root: Path


SCHEMA = Schema(GroundEvalCommand)


def execute(config: GroundEvalCommand, run: Run) -> None:
    """Measure, and leave the figures as JSON and Markdown."""
    place = config.model if not (Path(config.model) / BEST).is_dir() else Path(config.model) / BEST
    try:
        model = GroundingModel.from_pretrained(place)
    except ValueError as error:
        raise UserError(str(error)) from error
    recipe = GroundEvalConfig(**{f.name: getattr(config, f.name) for f in fields(GroundEvalConfig)})
    found = measure_words(model, config.root, recipe)
    results = {name: figures.plain() for name, figures in found.items()}
    write_text(run.path / "results.json", json.dumps(results, indent=1) + "\n")
    page = as_markdown(found)
    write_text(run.path / "results.md", page)
    say(page)
