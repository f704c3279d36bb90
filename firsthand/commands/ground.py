"""Learning what words refer to from a child's point of view."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from firsthand.build import checkpoints, corpora
from firsthand.cli.console import say
from firsthand.cli.run_dir import Run
from firsthand.cli.settings import Schema
from firsthand.common.errors import UserError
from firsthand.grounding.controls import VARIANTS, Variant
from firsthand.grounding.image_encoder import with_policy_encoder
from firsthand.grounding.study import Study, learn
from firsthand.grounding.train import GroundConfig
from firsthand.synthetic.home.corpus import HomeConfig
from firsthand.training.distributed import init_distributed


@dataclass(frozen=True, kw_only=True)
class GroundCommand:
    """Which models learn words, from what."""

    root: Path | None = None
    """The corpus; None: the rendered `home`."""
    home: HomeConfig = field(default_factory=HomeConfig)
    """The corpus that is rendered if there is no `root`."""
    ground: GroundConfig = field(default_factory=GroundConfig)
    """What learns and how."""
    variants: tuple[Variant, ...] = VARIANTS
    """Of the corpus: as it is, or with one thing taken away."""
    seeds: tuple[int, ...] = (0,)
    """Each variant is learned once with each of them."""
    jobs: int = 2
    """Models that learn at a time."""


SCHEMA = Schema(GroundCommand)


def execute(config: GroundCommand, run: Run) -> None:
    """Make the home if there is no other corpus, train, say what came of it and where it is."""
    with init_distributed() as team:
        root = config.root or Path(team.once(lambda: str(corpora.home(config.home))))
        study = Study.of(root, config.variants, config.seeds)
        recipe = seeing(config.ground)
        several = team.size > 1  # processes that train one model together
        results = learn(study, recipe, run.path, 1 if several else config.jobs, run.resume)
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


def seeing(config: GroundConfig) -> GroundConfig:
    """The same, with the encoder of the policy that is named: that of a run is its best.

    Known from the start, so that the control with random weights has the same encoder.

    Raises:
        UserError: there is no such policy.
    """
    vision = config.model.vision
    if vision.encoder != "policy" or not vision.weights:
        return config
    try:
        found = with_policy_encoder(replace(vision, weights=checkpoints.locate(vision.weights)))
    except ValueError as error:
        raise UserError(str(error)) from error
    return replace(config, model=replace(config.model, vision=found))
