"""Every choice that makes one word-grounding model differ from another; the defaults are CVCL's."""

from dataclasses import dataclass, field
from typing import Literal

from firsthand.policy.config import ImageConfig


@dataclass(frozen=True)
class VisionConfig:
    """The image encoder."""

    encoder: Literal["timm", "blocks", "policy"] = "timm"
    """`timm`: a network of that library. `blocks`: a plain convolutional network that can be
    trained on little data. `policy`: the image encoder of a robot policy."""
    model: str = "resnext50_32x4d"
    """timm's name of a `timm` network."""
    patch: int | None = None
    """Edge of a vision transformer's patches, in pixels; None: as its name says."""
    widths: tuple[int, ...] = (24, 48, 96, 160)
    """Channels of each of the `blocks`; each halves the size."""
    size: int = 224
    """Edge of the square input, in pixels."""
    images: ImageConfig = field(default_factory=ImageConfig)
    """The image encoder of a `policy`."""
    instruction: int = 384
    """Width of the instruction's vector of a `policy`."""
    weights: str = ""
    """What a new model starts from: a file (DINO's, say), or a saved policy, whose `images` and
    `instruction` then replace those above; empty: random weights."""
    frozen: bool = True
    """Whether the encoder gets no gradient."""
    statistics: Literal["kept", "drifting"] = "kept"
    """Statistics of a frozen encoder's batch normalisation: `kept`, or updated with every training
    batch (`drifting`), as when CVCL was trained."""

    def __post_init__(self) -> None:
        if not self.widths or min(self.widths) < 1:
            raise ValueError(
                "widths needs one number of channels or more, each at least 1, "
                f"not {list(self.widths)}"
            )


@dataclass(frozen=True)
class ClipConfig:
    """The frames of an utterance that the model gets, and the temporal encoder of clips."""

    frames: int = 1
    """Frames of an utterance; 1: an image, more: a clip (`grounding/temporal_encoder.py`)."""
    order: Literal["natural", "shuffled"] = "natural"
    """Order of a clip's frames; `shuffled` is a control."""
    widths: tuple[int, int] = (64, 160)
    """Channels of the temporal encoder's two blocks."""

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"a clip has at least 1 frame, not {self.frames}")


@dataclass(frozen=True)
class UtteranceConfig:
    """The text encoder."""

    encoder: Literal["embedding", "lstm", "bilstm", "transformer"] = "embedding"
    """`embedding`: the mean of the word vectors. `lstm`, `bilstm`: the last hidden state, the mean
    of both directions'. `transformer`: one layer, the mean over its words."""
    words: int = 2350
    """Size of the vocabulary."""
    length: int = 25
    """Most tokens of an utterance."""
    input_dropout: float = 0.5
    """Share of an LSTM's inputs that are dropped, the same for all words of an utterance."""
    position: Literal["none", "sinusoidal", "learned"] = "none"
    """Position embedding of a `transformer`."""
    heads: int = 8
    """Attention heads of a `transformer`."""
    hidden: int = 2048
    """Hidden units of a `transformer`'s feed-forward network."""
    dropout: float = 0.1
    """Of a `transformer`."""
    padding: Literal["masked", "upstream"] = "masked"
    """`upstream`: outputs at padding are added to the sum over words, as in CVCL's code, so that an
    utterance's vector depends on the others in the batch."""


@dataclass(frozen=True)
class GroundingConfig:
    """A word-grounding model (CVCL, Vong et al. 2024)."""

    vision: VisionConfig = field(default_factory=VisionConfig)
    utterance: UtteranceConfig = field(default_factory=UtteranceConfig)
    width: int = 512
    """Dimensions of the space of images and utterances."""
    temperature: float = 0.07
    """What cosines are divided by; initial value if it is learned."""
    learn_temperature: bool = False
    similarity: Literal["flat", "mean", "max"] = "flat"
    """`flat`: the cosine of an image's and an utterance's vector. Otherwise every cell of the
    image's grid is compared with every word: the `mean` over both, or the mean over words of the
    `max` over cells. Clips are `flat`."""
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
