"""Which words go with which sights: CVCL (Vong et al. 2024), a contrastive pair of encoders."""

import math
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float, Int
from torch import Tensor, nn

from firsthand.grounding.config import GroundingConfig
from firsthand.grounding.contrastive import Contrast, PairBatch, contrast
from firsthand.grounding.image_encoder import Pictures, vision
from firsthand.grounding.storage import FORMAT_VERSION, WORDS, load_grounding
from firsthand.grounding.temporal_encoder import TemporalEncoder
from firsthand.grounding.text_encoder import Lengths, Tokens, said, utterance_encoder
from firsthand.grounding.vocabulary import Vocabulary
from firsthand.policy.checkpoints.storage import PretrainedModel
from firsthand.policy.modules.image_encoder import imagenet_normalised, to_unit

Seen = Float[Tensor, "b *t 3 h w"]  # pictures, or clips of t frames, normalised as for ImageNet


class GroundingModel(PretrainedModel):
    """Pictures and utterances as vectors of one space, where those that belong together are near.

    Encoders take pictures normalised as for ImageNet; tokens are padded with zeros behind. A model
    of clips takes as many pictures of each as its configuration says (`clip`).
    """

    format_version = FORMAT_VERSION
    read_files = staticmethod(load_grounding)

    def __init__(self, config: GroundingConfig, vocabulary: Vocabulary | None = None) -> None:
        super().__init__()
        if vocabulary is not None and len(vocabulary) != config.utterance.words:
            raise ValueError(
                f"the vocabulary has {len(vocabulary)} words, "
                f"utterance.words says {config.utterance.words}"
            )
        self.config = config
        self.vocabulary = vocabulary
        self.vision = vision(config.vision)
        flat = config.similarity == "flat"
        seen = self.vision.width if flat else self.vision.place_width
        self.motion = None
        if config.clip.frames > 1:
            self.motion = TemporalEncoder(self.vision.place_width, config.clip)
            seen += self.motion.width
        self.project = nn.Linear(seen, config.width)
        self.utterance = utterance_encoder(config.utterance, config.width)
        if config.learn_temperature:
            self.log_scale = nn.Parameter(torch.tensor(-math.log(config.temperature)))

    def forward(self, batch: PairBatch) -> Contrast:
        """How well the pictures find their own utterances among those of the batch, and back."""
        images = imagenet_normalised(to_unit(batch.images))
        return contrast(self.compare(images, batch.tokens, batch.lengths))

    def compare(
        self,
        images: Float[Tensor, "i *frames 3 h w"],
        tokens: Int[Tensor, "t l"],
        lengths: Int[Tensor, " t"],
    ) -> Float[Tensor, "i t"]:
        """Similarities of every picture with every utterance, over the temperature.

        Under autocast the encoders alone are less precise: cosines are taken in full.
        """
        flat = self.config.similarity == "flat"
        seen = self.encode_image(images) if flat else self.encode_places(images)
        said = self.encode_text(tokens, lengths) if flat else self.encode_words(tokens, lengths)
        with torch.autocast(images.device.type, enabled=False):
            if flat:
                return self.logits(at_least_single(seen), at_least_single(said))
            return self.spatial_logits(at_least_single(seen), at_least_single(said), lengths)

    def encode_image(self, images: Seen) -> Float[Tensor, "b d"]:
        """A picture's or a clip's vector, of length 1. To a model of clips, a picture is one in
        which nothing happens.

        Raises:
            ValueError: clips are not of as many frames as the model's.
        """
        frames = self.config.clip.frames
        if images.ndim == 5 and (self.motion is None or images.shape[1] != frames):
            raise ValueError(f"clips have {images.shape[1]} frames, clip.frames says {frames}")
        if self.motion is None:
            return F.normalize(self.project(self.vision(images).summary), dim=1)
        grid, summary = self.vision(images.flatten(0, -4))
        if images.ndim == 5:
            grid, summary = (value.unflatten(0, images.shape[:2]) for value in (grid, summary))
        else:
            grid, summary = grid[:, None].expand(-1, frames, -1, -1, -1), summary[:, None]
        seen = torch.cat([summary.mean(dim=1), self.motion(grid)], dim=1)
        return F.normalize(self.project(seen), dim=1)

    def encode_text(self, tokens: Tokens, lengths: Lengths) -> Float[Tensor, "b d"]:
        """An utterance's vector, of length 1.

        Raises:
            ValueError: a length is not that of an utterance in its row.
        """
        self._check(tokens, lengths)
        return F.normalize(self.utterance(tokens, lengths).summary, dim=1)

    def logits(
        self, image_features: Float[Tensor, "i d"], text_features: Float[Tensor, "t d"]
    ) -> Float[Tensor, "i t"]:
        """Similarities of every picture (rows) with every utterance, over the temperature."""
        return self.scale * image_features @ text_features.t()

    def encode_places(self, images: Pictures) -> Float[Tensor, "b d rows columns"]:
        """A vector of length 1 for every place of a picture."""
        places = self.project(self.vision(images).grid.movedim(1, 3))
        return F.normalize(places, dim=3).movedim(3, 1)

    def encode_words(self, tokens: Tokens, lengths: Lengths) -> Float[Tensor, "b l d"]:
        """A vector of length 1 for every word of an utterance, zeros for padding.

        Raises:
            ValueError: as for `encode_text`.
        """
        self._check(tokens, lengths)
        words = F.normalize(self.utterance(tokens, lengths).words, dim=2)
        if self.config.utterance.padding == "upstream":
            return words
        return words.masked_fill(~said(tokens, lengths)[..., None], 0.0)

    def spatial_logits(
        self,
        places: Float[Tensor, "i d rows columns"],
        words: Float[Tensor, "t l d"],
        lengths: Lengths,
    ) -> Float[Tensor, "i t"]:
        """As `logits`, every word compared with every place."""
        places = places.flatten(2)
        if self.config.similarity == "max":
            by_word = torch.einsum("idp,tld->itlp", places, words).amax(dim=3)
        else:
            by_word = torch.einsum("id,tld->itl", places.mean(dim=2), words)
        return self.scale * by_word.sum(dim=2) / lengths

    @property
    def scale(self) -> Float[Tensor, ""] | float:
        """One over the temperature. The fixed one is a number and goes wherever the model goes."""
        return (
            self.log_scale.exp() if self.config.learn_temperature else 1 / self.config.temperature
        )

    def save_companion(self, directory: Path) -> None:
        """Write `vocabulary.json`, if there is a vocabulary."""
        if self.vocabulary is None:
            (directory / WORDS).unlink(missing_ok=True)
        else:
            self.vocabulary.write(directory / WORDS)

    def _check(self, tokens: Tokens, lengths: Lengths) -> None:
        wrong = (lengths < 1) | (lengths > tokens.shape[1])
        if wrong.any():
            row = int(wrong.nonzero()[0])
            raise ValueError(
                f"utterance {row} has {int(lengths[row])} tokens, its row room for "
                f"{tokens.shape[1]}, and none may be empty"
            )


def at_least_single(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    return values.to(torch.promote_types(values.dtype, torch.float32))
