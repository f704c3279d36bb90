"""Every choice that makes one word-grounding model differ from another; the defaults are CVCL's."""

from dataclasses import dataclass, field
from typing import Literal

from firsthand.policy.config import ImageConfig


@dataclass(frozen=True)
class VisionConfig:
    """What turns a picture of `size` pixels squared into features.

    `timm` is the model of that library called `model`; a vision transformer may have another
    `patch` than its name says. `blocks` is a plain convolutional network that learns from little,
    `widths` the channels of its blocks. `policy` is the image encoder of a robot policy with these
    `images`, its language `instruction` numbers wide.

    `weights` is a file that a new model starts from (DINO's, say), or a saved policy, of which the
    model then has the `images` and the `instruction` as well. A `frozen` encoder gets no gradient;
    the statistics of its batch normalisation are `kept`, or go on `drifting` with every batch that
    is learned from, as they did when CVCL was trained.
    """

    encoder: Literal["timm", "blocks", "policy"] = "timm"
    model: str = "resnext50_32x4d"
    patch: int | None = None
    widths: tuple[int, ...] = (24, 48, 96, 160)
    size: int = 224
    images: ImageConfig = field(default_factory=ImageConfig)
    instruction: int = 384
    weights: str = ""
    frozen: bool = True
    statistics: Literal["kept", "drifting"] = "kept"


@dataclass(frozen=True)
class ClipConfig:
    """How many `frames` are seen of what goes on during an utterance: 1 is a picture, more a clip,
    in which things happen (`grounding/temporal_encoder.py`, `widths` the channels of its blocks).

    Of a clip whose `order` is `shuffled` every frame is seen, but not when: a control.
    """

    frames: int = 1
    order: Literal["natural", "shuffled"] = "natural"
    widths: tuple[int, int] = (64, 160)

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"a clip has at least 1 frame, not {self.frames}")


@dataclass(frozen=True)
class UtteranceConfig:
    """What turns an utterance of at most `length` tokens out of `words` into one vector.

    `embedding` is the mean of the words' vectors; `lstm` and `bilstm` give their last hidden state
    (of both directions the mean), whole inputs dropped with `input_dropout`; `transformer` is one
    layer with `heads`, `hidden` units and `dropout`, and the mean over its words. `position` tells
    the transformer where a word stands.

    Padding is `masked`; `upstream` adds a transformer's outputs at padded positions to the
    sum, as CVCL's code does, whereby an utterance changes with its neighbours in the batch.
    """

    encoder: Literal["embedding", "lstm", "bilstm", "transformer"] = "embedding"
    words: int = 2350
    length: int = 25
    input_dropout: float = 0.5
    position: Literal["none", "sinusoidal", "learned"] = "none"
    heads: int = 8
    hidden: int = 2048
    dropout: float = 0.1
    padding: Literal["masked", "upstream"] = "masked"


@dataclass(frozen=True)
class GroundingConfig:
    """Pictures and utterances in one space of `width` dimensions (CVCL, Vong et al. 2024).

    Similarities are divided by the `temperature`, which stays as it is or is learned from there.
    `flat` compares one vector of a picture with one of an utterance. The others compare every
    place of the picture with every word: `mean` over both, or over the words the `max` over places.
    A `clip` has one vector.
    """

    vision: VisionConfig = field(default_factory=VisionConfig)
    utterance: UtteranceConfig = field(default_factory=UtteranceConfig)
    width: int = 512
    temperature: float = 0.07
    learn_temperature: bool = False
    similarity: Literal["flat", "mean", "max"] = "flat"
    clip: ClipConfig = field(default_factory=ClipConfig)

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError(f"the temperature must be positive, not {self.temperature}")
        if self.clip.frames > 1 and self.similarity != "flat":
            raise ValueError(
                f"clips of {self.clip.frames} frames need similarity=flat, not {self.similarity}"
            )
        utterance = self.utterance
        if utterance.encoder == "transformer" and self.width % utterance.heads:
            raise ValueError(
                f"width {self.width} is not a multiple of the utterance's {utterance.heads} heads"
            )
