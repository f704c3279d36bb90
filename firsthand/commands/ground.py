"""Learning what words refer to from a child's point of view."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from firsthand.build import checkpoints, corpora
from firsthand.cli.console import say
from firsthand.cli.run_dir import Run
from firsthand.cli.settings import Schema
from firsthand.common.errors import UserError
from firsthand.grounding.checkpoints.dino import load_vision
from firsthand.grounding.image_encoder import with_policy_encoder
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.study import VARIANTS, Study, Variant
from firsthand.grounding.train import GroundConfig
from firsthand.grounding.train_study import train_study
from firsthand.synthetic.home.corpus import HomeConfig
from firsthand.training.distributed import init_distributed


@dataclass(frozen=True, kw_only=True)
class GroundCommand:
    """A study: every one of the `variants` with every one of the `seeds`."""

    root: Path | None = None
    """The corpus; None: the rendered `home`."""
    home: HomeConfig = field(default_factory=HomeConfig)
    """What is rendered if `root` is None."""
    ground: GroundConfig = field(default_factory=GroundConfig)
    """The model and its training."""
    variants: tuple[Variant, ...] = VARIANTS
    """The baseline (`natural`) and its controls, see `grounding.train_study.varied`."""
    seeds: tuple[int, ...] = (0,)
    """Of the models of each variant."""
    jobs: int = 2
    """Models that train at a time, each in a process; 1: in this process."""


SCHEMA = Schema(GroundCommand)


def execute(config: GroundCommand, run: Run) -> None:
    """Render the home if there is no corpus, train, report metrics and where the models are.

    Raises:
        UserError: before anything is rendered or read, if a setting cannot be.
    """
    Study.of(run.path, config.variants, config.seeds)
    recipe = with_policy_images(config.ground)
    check_model(recipe)
    with init_distributed() as team:
        root = config.root or Path(team.once(lambda: str(corpora.home(config.home))))
        study = Study.of(root, config.variants, config.seeds)
        several = team.size > 1  # processes that train one model together
        results = train_study(study, recipe, run.path, 1 if several else config.jobs, run.resume)
    if not team.is_main:
        return
    for member, result in results.items():
        metrics = ", ".join(
            f"{name.replace('_', ' ')} {result.metrics[f'val/{name}']:.3f}"
            for name in ("loss", "image_accuracy", "text_accuracy")
            if f"val/{name}" in result.metrics
        )
        before = "" if result.taken else "already finished, "
        say(f"{member.path}: {before}held out {metrics}")
    for line in dict.fromkeys(line for result in results.values() for line in result.lost):
        say(line)
    say(f"what they have learned: firsthand ground-eval model={run.path}")


def with_policy_images(config: GroundConfig) -> GroundConfig:
    """The configuration with the image encoder's settings of the policy at `vision.weights`, if
    that is set; of a run its best policy.

    They are read here because the `random` control drops the weights and keeps the encoder.

    Raises:
        UserError: there is no such policy.
    """
    vision = config.model.vision
    if vision.encoder != "policy" or not vision.weights:
        return config
    try:
        found = with_policy_encoder(replace(vision, weights=checkpoints.locate(vision.weights)))
    except ValueError as error:
        raise UserError(f"ground.model.vision: {error}") from error
    return replace(config, model=replace(config.model, vision=found))


def check_model(config: GroundConfig) -> None:
    """Make the model that is configured, load its weights, encode a black image.

    Raises:
        UserError: there can be no such model, with the key and the reason.
    """
    vision = config.model.vision
    try:
        model = GroundingModel(config.model)
        load_vision(model)
        with torch.no_grad():
            model.vision(torch.zeros(2, 3, vision.size, vision.size))
    except (ValueError, RuntimeError) as error:
        raise UserError(f"ground.model: {error}") from error
