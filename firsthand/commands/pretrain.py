"""Future-frame pretraining on video."""

from dataclasses import dataclass, field, fields

from envs.nursery.corpus import NurseryConfig
from firsthand import corpora, training_report
from firsthand.run import Run
from firsthand.settings import Schema
from pretrain.recipe import PretrainConfig, pretrain
from training.distributed import join


@dataclass(frozen=True)
class PretrainCommand(PretrainConfig):
    """The recipe's settings and the corpus it learns from."""

    corpus: corpora.Choice = field(default_factory=NurseryConfig)


SCHEMA = Schema(PretrainCommand, {"corpus": corpora.CHOICES})


def execute(config: PretrainCommand, run: Run) -> None:
    """Make or find the corpus, train, say what came of it."""
    recipe = PretrainConfig(**{f.name: getattr(config, f.name) for f in fields(PretrainConfig)})
    with join() as team:
        parts = corpora.corpora_of(config.corpus, team.once)
        result = pretrain(recipe, parts, run.path, resume=run.resume)
    training_report.report(result, run.path)
