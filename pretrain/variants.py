"""What a word-grounding model is measured against: the same training with one thing changed."""

from dataclasses import replace
from typing import Literal, get_args

from pretrain.ground import GroundConfig

Variant = Literal["natural", "shuffled", "random"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)


def varied(config: GroundConfig, variant: Variant, seed: int) -> GroundConfig:
    """The configuration of one model (Vong et al. 2024, Fig. 2).

    `natural` is what was asked for. `shuffled` hears each utterance with another's frames.
    `random` sees through a network that stays as it was drawn, so that only the projection and the
    words learn.
    """
    config = replace(config, training=replace(config.training, seed=seed))
    if variant == "shuffled":
        return replace(config, learned="train_shuffled.json")
    if variant == "random":
        vision = replace(config.model.vision, weights="", frozen=True)
        return replace(config, model=replace(config.model, vision=vision))
    return config
