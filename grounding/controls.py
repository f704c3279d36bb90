"""What a word-grounding model is measured against: the same training with one thing changed."""

from dataclasses import replace
from typing import Literal

from firsthand.grounding.config import ClipConfig
from firsthand.grounding.train import GroundConfig

Variant = Literal["natural", "shuffled", "random", "still", "jumbled", "weighted"]
VARIANTS: tuple[Variant, ...] = ("natural", "shuffled", "random")  # CVCL's


def varied(config: GroundConfig, variant: Variant, seed: int) -> GroundConfig:
    """The configuration of one model (Vong et al. 2024, Fig. 2).

    `natural` is what was asked for. `shuffled` hears each utterance with another's frames.
    `random` sees through a network that stays as it was drawn, so that only the projection and the
    words learn. Of clips, `still` sees a single frame and `jumbled` all of them, out of order.
    `weighted` is as asked for, too: it is `grounding.reweighting` that trains it.
    """
    config = replace(config, training=replace(config.training, seed=seed))
    if variant == "shuffled":
        return replace(config, learned="train_shuffled.json")
    if variant == "random":
        vision = replace(config.model.vision, weights="", frozen=True)
        return replace(config, model=replace(config.model, vision=vision))
    if variant in ("still", "jumbled"):
        clip = ClipConfig() if variant == "still" else replace(config.model.clip, order="shuffled")
        return replace(config, model=replace(config.model, clip=clip))
    return config
