"""Embeddings of images: each is encoded once, whatever number of test sets hold it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from firsthand.common.errors import UserError
from firsthand.grounding.evaluation.config import GroundEvalConfig
from firsthand.grounding.image_encoder import averaged, model_input, stages
from firsthand.grounding.model import GroundingModel, vocabulary_of
from firsthand.policy.modules.image_encoder import ImageFeatures

BATCH = 64  # images encoded at a time
Progress = Callable[[int, int], None]  # images done, of how many


@dataclass(frozen=True)
class Embeddings:
    """Of n images, a row each."""

    similarity: Float[Tensor, "n words"]
    """Cosines with every word of the cache."""
    vectors: Float[Tensor, "n d"]
    """Image embeddings, in the space of words."""
    features: Float[Tensor, "n width"]
    """Of the image encoder, before the projection."""
    stages: Mapping[str, Float[Tensor, "n _"]]
    """Of the encoder's inner layers, averaged over space, by name."""


class EncoderCache:
    """A model, the words of its vocabulary that stand for `categories`, and the embeddings of the
    images that it has encoded.

    Raises:
        UserError: the model has no vocabulary.
    """

    def __init__(
        self, model: GroundingModel, categories: Sequence[str], config: GroundEvalConfig
    ) -> None:
        self.model = model.eval()
        self.device = model.project.weight.device
        self.called = _called(model, categories, config)
        self.words = tuple(self.called)
        self._text = _encode_words(model, list(self.called.values()), config.ends)
        self._cache: dict[tuple[Path, bool], tuple[Tensor, ...]] = {}
        self._layers = stages(model.vision)

    @property
    def text_emb(self) -> Float[Tensor, "words d"]:
        """The unit vectors of the words."""
        return self._text.vectors.cpu()

    @torch.no_grad()
    def encode(
        self, paths: Sequence[Path], *, shrunk: bool = False, progress: Progress | None = None
    ) -> Embeddings:
        """Embeddings of images resized (bicubic) to the model's input, on the CPU.

        shrunk: images fill the middle half of the input, on white. progress: called after each
        batch.
        """
        new = [path for path in dict.fromkeys(paths) if (path, shrunk) not in self._cache]
        table: list[Tensor] = []  # allocated whole: many small tensors would fragment the heap
        for start in range(0, len(new), BATCH):
            batch = new[start : start + BATCH]
            pixels = read_images(batch, self.model.config.vision.size, shrunk)
            encoded = self._encode_batch(pixels)
            table = table or [rows.new_empty(len(new), rows.shape[1]) for rows in encoded]
            for column, rows in zip(table, encoded, strict=True):
                column[start : start + len(batch)] = rows
            if progress is not None:
                progress(start + len(batch), len(new))
        for path, *rows in zip(new, *table, strict=True):
            self._cache[path, shrunk] = tuple(rows)
        columns = zip(*(self._cache[path, shrunk] for path in paths), strict=True)
        similarity, vectors, features, *inner = (torch.stack(column) for column in columns)
        return Embeddings(
            similarity, vectors, features, dict(zip(self._layers, inner, strict=True))
        )

    def _encode_batch(self, pixels: UInt8[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b _"]]:
        images = model_input(pixels.to(self.device))
        with self._recorded() as outputs:
            if self.model.config.similarity == "flat":
                vectors = self.model.encode_image(images)
                similarity = vectors @ self._text.vectors.t()
            else:
                grid = self.model.encode_grid(images)
                vectors = grid.mean(dim=(2, 3))
                logits = self.model.spatial_logits(grid, self._text.words, self._text.lengths)
                similarity = logits / self.model.scale
        inner = [outputs[name] for name in self._layers]
        return [value.float().cpu() for value in (similarity, vectors, outputs[""], *inner)]

    @contextmanager
    def _recorded(self) -> Iterator[dict[str, Tensor]]:
        """Outputs of the inner layers while the block runs; under "" the encoder's features."""
        outputs: dict[str, Tensor] = {}

        def features(_: object, __: object, output: ImageFeatures) -> None:
            assert output.summary is not None
            outputs[""] = output.summary

        def record(name: str) -> Callable[[object, object, Tensor], None]:
            return lambda _, __, output: outputs.update({name: averaged(self.model.vision, output)})

        hooks = [self.model.vision.register_forward_hook(features)]
        hooks += [stage.register_forward_hook(record(name)) for name, stage in self._layers.items()]
        try:
            yield outputs
        finally:
            for hook in hooks:
                hook.remove()


@dataclass(frozen=True)
class _EncodedWords:
    """Words encoded as utterances of one word."""

    vectors: Float[Tensor, "w d"]
    words: Float[Tensor, "w l d"]
    lengths: Tensor


@torch.no_grad()
def _encode_words(model: GroundingModel, words: Sequence[str], ends: bool) -> _EncodedWords:
    device = model.project.weight.device
    if not words:
        nothing = torch.zeros(0, model.config.width, device=device)
        return _EncodedWords(nothing, nothing[:, None], nothing[:, 0].long())
    encoded = vocabulary_of(model).encode(words, ends=ends)
    tokens, lengths = (value.to(device) for value in encoded)
    by_word = model.encode_words(tokens, lengths)
    return _EncodedWords(model.text_vectors(tokens, lengths), by_word, lengths)


def _called(
    model: GroundingModel, categories: Sequence[str], config: GroundEvalConfig
) -> dict[str, str]:
    """The word of each category that the model has a word for."""
    numbers = vocabulary_of(model).numbers
    called = {}
    for category in categories:
        names = [name for name in (config.called.get(category), category) if name in numbers]
        if names:
            called[category] = min(names, key=lambda name: numbers[str(name)])
    return called


def read_images(paths: Sequence[Path], size: int, shrunk: bool) -> UInt8[Tensor, "b 3 size size"]:
    """Images, resized (bicubic) to `size` pixels squared.

    Raises:
        UserError: a file cannot be read, by its name.
    """
    return torch.stack([_read(path, size, shrunk) for path in paths])


def _read(path: Path, size: int, shrunk: bool) -> UInt8[Tensor, "3 {size} {size}"]:
    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: is no readable picture: {error}") from error
    side = size // 2 if shrunk else size
    if image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.BICUBIC)
    if shrunk:
        canvas = Image.new("RGB", (size, size), "white")
        canvas.paste(image, (size // 4, size // 4))
        image = canvas
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)
