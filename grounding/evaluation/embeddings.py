"""What a model makes of pictures: each is looked at once, whatever number of test sets hold it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float, UInt8
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from firsthand.common.errors import UserError
from firsthand.grounding.evaluation.config import GroundEvalConfig
from firsthand.grounding.evaluation.encoder_layers import averaged, stages
from firsthand.grounding.model import GroundingModel
from firsthand.policy.modules.image_encoder import ImageFeatures, imagenet_normalised, to_unit

BATCH = 64  # pictures that are encoded at a time
Tell = Callable[[int, int], None]  # how many pictures are done, of how many


@dataclass(frozen=True)
class Embeddings:
    """n pictures, row by row the same.

    nearness: cosines with every word that is asked for. vectors: in the space of words.
    features: of the vision encoder, before they are projected there. stages: of its inner layers,
    averaged over places, by name.
    """

    nearness: Float[Tensor, "n words"]
    vectors: Float[Tensor, "n d"]
    features: Float[Tensor, "n width"]
    stages: Mapping[str, Float[Tensor, "n _"]]


class EncoderCache:
    """A model and the words it is asked for, by category: those that it knows.

    Raises:
        UserError: it has no vocabulary.
    """

    def __init__(
        self, model: GroundingModel, categories: Sequence[str], config: GroundEvalConfig
    ) -> None:
        self.model = model.eval()
        self.device = model.project.weight.device
        self.called = _called(model, categories, config)
        self.words = tuple(self.called)
        self._said = _encode(model, list(self.called.values()), config.ends)
        self._seen: dict[tuple[Path, bool], tuple[Tensor, ...]] = {}
        self._stages = stages(model.vision)

    @property
    def said(self) -> Float[Tensor, "words d"]:
        """The words' vectors."""
        return self._said.vectors.cpu()

    @torch.no_grad()
    def look(
        self, paths: Sequence[Path], *, shrunk: bool = False, tell: Tell | None = None
    ) -> Embeddings:
        """At pictures resized (bicubic) to what the model looks at; everything is on the CPU.

        Those that are `shrunk` fill the middle half of that, on white.
        """
        new = [path for path in dict.fromkeys(paths) if (path, shrunk) not in self._seen]
        table: list[Tensor] = []  # whole from the start: kept bit by bit it would split the heap
        for start in range(0, len(new), BATCH):
            batch = new[start : start + BATCH]
            pixels = read_pictures(batch, self.model.config.vision.size, shrunk)
            found = self._encode(pixels)
            table = table or [rows.new_empty(len(new), rows.shape[1]) for rows in found]
            for column, rows in zip(table, found, strict=True):
                column[start : start + len(batch)] = rows
            if tell is not None:
                tell(start + len(batch), len(new))
        for path, *rows in zip(new, *table, strict=True):
            self._seen[path, shrunk] = tuple(rows)
        columns = zip(*(self._seen[path, shrunk] for path in paths), strict=True)
        nearness, vectors, features, *inner = (torch.stack(column) for column in columns)
        return Embeddings(nearness, vectors, features, dict(zip(self._stages, inner, strict=True)))

    def _encode(self, pixels: UInt8[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b _"]]:
        images = imagenet_normalised(to_unit(pixels.to(self.device)))
        with self._overhearing() as heard:
            if self.model.config.similarity == "flat":
                vectors = self.model.encode_image(images)
                nearness = vectors @ self._said.vectors.t()
            else:
                places = self.model.encode_places(images)
                vectors = places.mean(dim=(2, 3))
                said = self.model.spatial_logits(places, self._said.words, self._said.lengths)
                nearness = said / self.model.scale
        inner = [heard[name] for name in self._stages]
        return [value.float().cpu() for value in (nearness, vectors, heard[""], *inner)]

    @contextmanager
    def _overhearing(self) -> Iterator[dict[str, Tensor]]:
        """What the stages give while the block runs; under no name the encoder's own features."""
        heard: dict[str, Tensor] = {}

        def features(_: object, __: object, output: ImageFeatures) -> None:
            assert output.summary is not None
            heard[""] = output.summary

        def keeper(name: str) -> Callable[[object, object, Tensor], None]:
            return lambda _, __, output: heard.update({name: averaged(self.model.vision, output)})

        hooks = [self.model.vision.register_forward_hook(features)]
        hooks += [stage.register_forward_hook(keeper(name)) for name, stage in self._stages.items()]
        try:
            yield heard
        finally:
            for hook in hooks:
                hook.remove()


@dataclass(frozen=True)
class _Said:
    """Words as utterances of their own."""

    vectors: Float[Tensor, "w d"]
    words: Float[Tensor, "w l d"]
    lengths: Tensor


@torch.no_grad()
def _encode(model: GroundingModel, words: Sequence[str], ends: bool) -> _Said:
    assert model.vocabulary is not None
    if not words:
        nothing = torch.zeros(0, model.config.width, device=model.project.weight.device)
        return _Said(nothing, nothing[:, None], nothing[:, 0].long())
    tokens, lengths = (
        value.to(model.project.weight.device) for value in model.vocabulary.encode(words, ends=ends)
    )
    by_word = model.encode_words(tokens, lengths)
    if model.config.similarity == "flat":
        return _Said(model.encode_text(tokens, lengths), by_word, lengths)
    return _Said(F.normalize(by_word.sum(dim=1), dim=1), by_word, lengths)


def _called(
    model: GroundingModel, categories: Sequence[str], config: GroundEvalConfig
) -> dict[str, str]:
    """What each category is asked for by, of those that the model has a word for."""
    if model.vocabulary is None:
        raise UserError("the model has no vocabulary: load it with CVCL's vocab.json")
    numbers = model.vocabulary.numbers
    called = {}
    for category in categories:
        names = [name for name in (config.called.get(category), category) if name in numbers]
        if names:
            called[category] = min(names, key=lambda name: numbers[str(name)])
    return called


def read_pictures(paths: Sequence[Path], size: int, shrunk: bool) -> UInt8[Tensor, "b 3 size size"]:
    """Pictures, `size` pixels squared.

    Raises:
        UserError: a file cannot be read, by its name.
    """
    return torch.stack([_read(path, size, shrunk) for path in paths])


def _read(path: Path, size: int, shrunk: bool) -> UInt8[Tensor, "3 {size} {size}"]:
    try:
        with Image.open(path) as file:
            picture = file.convert("RGB")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: is no readable picture: {error}") from error
    side = size // 2 if shrunk else size
    if picture.size != (side, side):
        picture = picture.resize((side, side), Image.Resampling.BICUBIC)
    if shrunk:
        canvas = Image.new("RGB", (size, size), "white")
        canvas.paste(picture, (size // 4, size // 4))
        picture = canvas
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)
