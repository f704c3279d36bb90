"""Behaviour cloning plus video loss."""

from dataclasses import dataclass, fields, replace

from firsthand.build import checkpoints, corpora, rollouts
from firsthand.cli import training_report
from firsthand.cli.console import say
from firsthand.cli.run_dir import Run
from firsthand.cli.settings import Schema
from firsthand.finetune.recipe import FinetuneConfig, finetune


@dataclass(frozen=True, kw_only=True)
class FinetuneCommand(FinetuneConfig):
    """The recipe's settings, the demonstrations it learns from, and the tasks that are tried."""

    demonstrations: tuple[str, ...] | str
    """Files or folders of episodes with states and actions, or a corpus."""
    rollout_tasks: tuple[str, ...] | None = None
    """Tried once every `training.rollout_every` steps; None: some of those that are
    demonstrated."""


SCHEMA = Schema(FinetuneCommand)


def execute(config: FinetuneCommand, run: Run) -> None:
    """Find the demonstrations, train, say what came of it."""
    parts = corpora.named(config.demonstrations)
    corpora.refuse_without_held_out(
        parts,
        "take more demonstrations; firsthand record holds some out with a smaller held_out_every, "
        "firsthand convert with held_out above 0",
    )
    recipe = FinetuneConfig(**{f.name: getattr(config, f.name) for f in fields(FinetuneConfig)})
    if recipe.pretrained:
        recipe = replace(recipe, pretrained=checkpoints.locate(recipe.pretrained))
    tasks = config.rollout_tasks
    if tasks is None and recipe.training.rollout_every:
        tasks = rollouts.tasks_of(parts, recipe.policy)
        if not tasks:
            say(
                "no films: the demonstrations name no task of the PlayTable; rollout_tasks=[…] does"
            )
    act = rollouts.rollouts(recipe.policy, run.path / "videos", tasks) if tasks else None
    result = finetune(recipe, parts, run.path, resume=run.resume, rollout=act)
    training_report.report(result, run.path)
