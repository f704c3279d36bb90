"""CVCL (Vong et al. 2024): an image encoder and a text encoder, trained contrastively."""

import math
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float, Int
from torch import Tensor, nn

from firsthand.common.errors import UserError
from firsthand.grounding.config import GroundingConfig
from firsthand.grounding.contrastive import Contrast, PairBatch, contrast
from firsthand.grounding.image_encoder import Images, model_input, vision_encoder
from firsthand.grounding.temporal_encoder import TemporalEncoder
from firsthand.grounding.text_encoder import Lengths, Tokens, token_mask, utterance_encoder
from firsthand.grounding.vocabulary import Vocabulary
from firsthand.policy.checkpoints.model_path import locate
from firsthand.policy.checkpoints.storage import PretrainedModel, read_config, read_weights

WORDS = "vocabulary.json"
FILES = ("config.json", "model.safetensors", WORDS)
# Images, or clips of t frames, normalised as for ImageNet.
ImagesOrClips = Float[Tensor, "b *t 3 h w"]


class GroundingModel(PretrainedModel):
    """Images and utterances as unit vectors of one space, in which those of a pair are near.

    Images are normalised as for ImageNet; tokens are padded with zeros at the end. A model of clips
    takes clips of `clip.frames` images.
    """

    config: GroundingConfig
    format_version = 1

    def __init__(self, config: GroundingConfig, vocabulary: Vocabulary | None = None) -> None:
        super().__init__()
        if vocabulary is not None and len(vocabulary) != config.utterance.words:
            raise ValueError(
                f"the vocabulary has {len(vocabulary)} words, "
                f"utterance.words says {config.utterance.words}"
            )
        self.config = config
        self.vocabulary = vocabulary
        self.vision = vision_encoder(config.vision)
        flat = config.similarity == "flat"
        width = self.vision.width if flat else self.vision.grid_width
        self.motion = None
        if config.clip.frames > 1:
            self.motion = TemporalEncoder(self.vision.grid_width, config.clip)
            width += self.motion.width
        self.project = nn.Linear(width, config.width)
        self.utterance = utterance_encoder(config.utterance, config.width)
        if config.learn_temperature:
            self.log_scale = nn.Parameter(torch.tensor(-math.log(config.temperature)))

    def forward(self, batch: PairBatch) -> Contrast:
        """The contrastive loss of a batch of pairs, and its metrics."""
        images = model_input(batch.images)
        return contrast(self.compare(images, batch.tokens, batch.lengths))

    def compare(
        self,
        images: Float[Tensor, "i *frames 3 h w"],
        tokens: Int[Tensor, "t l"],
        lengths: Int[Tensor, " t"],
    ) -> Float[Tensor, "i t"]:
        """Similarities of every image with every utterance, divided by the temperature.

        Under autocast only the encoders run in lower precision; similarities are in float32.
        """
        flat = self.config.similarity == "flat"
        image_emb = self.encode_image(images) if flat else self.encode_grid(images)
        text_emb = self.encode_text(tokens, lengths) if flat else self.encode_words(tokens, lengths)
        image_emb, text_emb = at_least_single(image_emb), at_least_single(text_emb)
        with torch.autocast(images.device.type, enabled=False):
            if flat:
                return self.logits(image_emb, text_emb)
            return self.spatial_logits(image_emb, text_emb, lengths)

    def encode_image(self, images: ImagesOrClips) -> Float[Tensor, "b d"]:
        """The unit vector of an image or a clip. A model of clips takes an image for a clip of
        equal frames.

        Raises:
            ValueError: clips have not `clip.frames` frames.
        """
        frames = self.config.clip.frames
        if images.ndim == 5 and (self.motion is None or images.shape[1] != frames):
            raise ValueError(f"clips have {images.shape[1]} frames, clip.frames says {frames}")
        if self.motion is None:
            return F.normalize(self.project(self.vision(images).summary), dim=1)
        grid, summary, *_ = self.vision(images.flatten(0, -4))
        if images.ndim == 5:
            grid, summary = (value.unflatten(0, images.shape[:2]) for value in (grid, summary))
        else:
            grid, summary = grid[:, None].expand(-1, frames, -1, -1, -1), summary[:, None]
        features = torch.cat([summary.mean(dim=1), self.motion(grid)], dim=1)
        return F.normalize(self.project(features), dim=1)

    def encode_text(self, tokens: Tokens, lengths: Lengths) -> Float[Tensor, "b d"]:
        """The unit vector of an utterance.

        Raises:
            ValueError: a length is less than 1 or more than its row.
        """
        self._check(tokens, lengths)
        return F.normalize(self.utterance(tokens, lengths).summary, dim=1)

    def logits(
        self, image_features: Float[Tensor, "i d"], text_features: Float[Tensor, "t d"]
    ) -> Float[Tensor, "i t"]:
        """Cosines of every image (rows) with every utterance, divided by the temperature."""
        return self.scale * image_features @ text_features.t()

    def encode_grid(self, images: Images) -> Float[Tensor, "b d rows columns"]:
        """A unit vector for every cell of the image encoder's grid."""
        grid = self.project(self.vision(images).grid.movedim(1, 3))
        return F.normalize(grid, dim=3).movedim(3, 1)

    def encode_words(self, tokens: Tokens, lengths: Lengths) -> Float[Tensor, "b l d"]:
        """A unit vector for every word of an utterance, zeros at padding.

        Raises:
            ValueError: as for `encode_text`.
        """
        self._check(tokens, lengths)
        words = F.normalize(self.utterance(tokens, lengths).words, dim=2)
        if self.config.utterance.padding == "upstream":
            return words
        return words.masked_fill(~token_mask(tokens, lengths)[..., None], 0.0)

    def text_vectors(self, tokens: Tokens, lengths: Lengths) -> Float[Tensor, "b d"]:
        """The unit vector that an utterance is compared by: where words are compared with a grid,
        the normalised sum of their vectors."""
        if self.config.similarity == "flat":
            return self.encode_text(tokens, lengths)
        return F.normalize(self.encode_words(tokens, lengths).sum(dim=1), dim=1)

    def spatial_logits(
        self,
        grid: Float[Tensor, "i d rows columns"],
        words: Float[Tensor, "t l d"],
        lengths: Lengths,
    ) -> Float[Tensor, "i t"]:
        """As `logits`, from the cosines of every word with every cell of the grid."""
        cells = grid.flatten(2)
        if self.config.similarity == "max":
            by_word = torch.einsum("idp,tld->itlp", cells, words).amax(dim=3)
        else:
            by_word = torch.einsum("id,tld->itl", cells.mean(dim=2), words)
        return self.scale * by_word.sum(dim=2) / lengths

    @property
    def scale(self) -> Float[Tensor, ""] | float:
        """One over the temperature; a fixed one is a number and needs no device."""
        return (
            self.log_scale.exp() if self.config.learn_temperature else 1 / self.config.temperature
        )

    @staticmethod
    def read_files(
        source: str | Path,
    ) -> tuple[GroundingConfig, Vocabulary | None, dict[str, Tensor]]:
        """The configuration, the vocabulary if there is one (official checkpoints have none), and
        the weights, of a local directory or a hub repository.

        Raises:
            ValueError: a file is missing, cannot be read or holds something else, by name.
        """
        directory = locate(source, FILES, "word-grounding model")
        for name in FILES[:2]:
            if not (directory / name).is_file():
                raise ValueError(f"{directory} holds no {name}")
        words = directory / WORDS
        return (
            read_config(directory / "config.json", GroundingConfig, GroundingModel.format_version),
            Vocabulary.read(words) if words.is_file() else None,
            read_weights(directory / "model.safetensors"),
        )

    def save_companion(self, directory: Path) -> None:
        """Write `vocabulary.json`, or remove it if there is no vocabulary."""
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


def vocabulary_of(model: GroundingModel) -> Vocabulary:
    """The model's vocabulary.

    Raises:
        UserError: it has none.
    """
    if model.vocabulary is None:
        raise UserError("the model has no vocabulary: load it with CVCL's vocab.json")
    return model.vocabulary


def at_least_single(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    return values.to(torch.promote_types(values.dtype, torch.float32))
