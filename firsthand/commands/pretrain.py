"""Future-frame pretraining on video."""

from dataclasses import dataclass, field, fields

from firsthand.build import corpora
from firsthand.cli import training_report
from firsthand.cli.run_dir import Run
from firsthand.cli.settings import Schema
from firsthand.pretrain.recipe import PretrainConfig, pretrain
from firsthand.synthetic.hands.corpus import HandsConfig
from firsthand.training.distributed import init_distributed


@dataclass(frozen=True)
class PretrainCommand(PretrainConfig):
    """The recipe's settings and the corpus it learns from."""

    corpus: corpora.Choice = field(default_factory=HandsConfig)
    """What is learned from; made first, if it is one that is drawn or converted."""


SCHEMA = Schema(PretrainCommand, {"corpus": corpora.CHOICES})


def execute(config: PretrainCommand, run: Run) -> None:
    """Make or find the corpus, train, say what came of it."""
    recipe = PretrainConfig(**{f.name: getattr(config, f.name) for f in fields(PretrainConfig)})
    with init_distributed() as team:
        parts = corpora.corpora_of(config.corpus, team.once)
        corpora.refuse_without_held_out(parts, _advice(config.corpus))
        result = pretrain(recipe, parts, run.path, resume=run.resume)
    training_report.report(result, run.path)


def _advice(corpus: corpora.Choice) -> str:
    """How there comes to be something to measure on."""
    if isinstance(corpus, corpora.VideosCorpus):
        return "take more video, and corpus.held_out above 0"
    return (
        "take more recordings; firsthand convert holds some out with held_out above 0 and makes "
        "more of a video with a smaller source.seconds"
    )
