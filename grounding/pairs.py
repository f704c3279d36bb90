"""Pairs of utterances and frames of their time: the data of word grounding.

The folder is laid out as SAYCam-S is for CVCL: `train.json`, `val.json`, `vocab.json` and the
images that they name in `train_5fps/`. A batch is a pure function of its number and the seed: which
utterances, which of their frames, how these are cropped and blurred. Which process reads it, and
when, changes nothing.

A missing or damaged image is replaced by another of its utterance, and an utterance without a
readable image by the next one in the file. So batches keep their number and size.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64, UInt8
from PIL import Image, ImageFilter, UnidentifiedImageError

from firsthand.common.errors import UserError
from firsthand.episodes.formats.saycam.utterances import Utterance, read_utterances
from firsthand.episodes.sampling.order import Shuffled, Weighted
from firsthand.episodes.untrusted.trust import inside, load_bytes
from firsthand.grounding.config import ClipConfig
from firsthand.grounding.contrastive import PairBatch
from firsthand.grounding.vocabulary import Vocabulary
from firsthand.training.augment import ColorConfig

FRAMES = "train_5fps"
_MAX_LOST_SHARE, _MIN_LOST = 0.05, 10  # share of the images that may be lost; number in any case
_NAMED = 10  # lost images that a message names
VOCABULARY = "vocab.json"


@dataclass(frozen=True)
class PairConfig:
    """Which frame and which words of an utterance are used, and augmentation. CVCL's values."""

    size: int = 224
    """Edge of the square that images are resized to, in pixels."""
    frame_anew: bool = True
    """Whether an utterance's frame is drawn anew in every epoch; False: always its first. The
    frames of a clip are spread over all frames, drawn anew or always the same."""
    least: float = 0.2
    """Smallest random crop, as a share of an image's area; 1: no cropping."""
    flipped: float = 0.5
    """Share of the images that are mirrored."""
    blurred: float = 0.5
    """Share of the images that are blurred (Gaussian, 0.1 to 2 pixels)."""
    color: ColorConfig = field(default_factory=ColorConfig)
    """Random changes of colour."""
    length: int = 25
    """Tokens of an utterance that are kept, `<sos>` and `<eos>` included."""
    about: tuple[str, ...] = ()
    """Only utterances with one of these words are used; empty: all."""

    def __post_init__(self) -> None:
        for name in ("least", "flipped", "blurred"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} lies in 0..1, not at {getattr(self, name)}")

    def unaugmented(self, *, frame_anew: bool = False) -> "PairConfig":
        """The same utterances and size without random changes; by default the first frame."""
        color = ColorConfig()
        return replace(
            self, frame_anew=frame_anew, least=1.0, flipped=0.0, blurred=0.0, color=color
        )


UNCHANGED = PairConfig().unaugmented()


class Pairs:
    """The utterances of one file, and batches of them in the order of a seed.

    clip: how many frames of an utterance, None one image. file: the utterances. frames: the
    folder of images. links: whether links in the folder are followed wherever they lead. weights:
    one for each utterance that has frames, how often batches hold it relative to others; None: all
    equally often.

    `lost` maps images that cannot be used to the reason. Missing and empty ones are found at once,
    damaged ones when they are drawn.

    Raises:
        UserError: a file is missing or malformed, no utterance has a frame and one of the words
            `about`, or too many images are lost.
    """

    def __init__(
        self,
        root: Path,
        config: PairConfig,
        *,
        clip: ClipConfig | None = None,
        file: str = "train.json",
        frames: str = FRAMES,
        links: bool = False,
        weights: Float64[np.ndarray, " n"] | None = None,
    ) -> None:
        self.config, self.clip = config, clip or ClipConfig()
        self.links = links
        self.folder = inside(root, frames, links)
        self.lost: dict[str, str] = {}
        rows = [row for row in read_utterances(inside(root, file, links)) if row.frame_filenames]
        about = set(config.about)
        chosen = [row for row in rows if not about or about & set(row.utterance.split())]
        self.images = len({name for row in chosen for name in row.frame_filenames})
        usable = [replace(row, frame_filenames=self._usable(row.frame_filenames)) for row in chosen]
        self.utterances: Sequence[Utterance] = [row for row in usable if row.frame_filenames]
        self.check()
        if not self.utterances:
            of = f" and one of the words {', '.join(config.about)}" if about else ""
            raise UserError(f"{root / file}: no utterance has a frame{of}")
        try:
            self.vocabulary = Vocabulary.read(inside(root, VOCABULARY, links))
        except ValueError as error:
            raise UserError(str(error)) from error
        if weights is not None and len(weights) != len(self):
            raise UserError(f"{root / file}: {len(self)} utterances, but {len(weights)} weights")
        self.weights = weights

    def __len__(self) -> int:
        return len(self.utterances)

    @property
    def fingerprint(self) -> str:
        """Hash of all utterances, frame names and the vocabulary."""
        texts = [[row.utterance, *row.frame_filenames] for row in self.utterances]
        known = [self.vocabulary.words, texts]
        return sha256(json.dumps(known).encode()).hexdigest()[:16]

    def batch(self, number: int, size: int, seed: int) -> PairBatch:
        """Batch `number` of an endless sequence: epoch after epoch, each utterance once in each,
        or as often as its weight says.

        An epoch's last utterances share a batch with the next one's first.
        """
        weighted, count = self.weights, len(self)
        order = Shuffled(count, seed) if weighted is None else Weighted(weighted, seed)
        positions = order.batch(number, size)
        drawn = [(index, np.random.default_rng((seed, epoch, index))) for epoch, index in positions]
        return self._batch(drawn)

    def rows(self, start: int, stop: int) -> PairBatch:
        """Utterances in the order of the file, for validation; random choices are fixed."""
        return self.batch_of(range(start, min(stop, len(self))))

    def batch_of(self, indices: Sequence[int], draw: int = 0) -> PairBatch:
        """Utterances by index; random choices depend on the index and `draw` alone."""
        return self._batch([(i, np.random.default_rng((0, draw, i))) for i in indices])

    def merge_lost(self, lost: Mapping[str, str]) -> None:
        """Add images that another process could not read.

        Raises:
            UserError: too many are lost by now.
        """
        self.lost |= {name: why for name, why in lost.items() if name not in self.lost}
        self.check()

    def check(self) -> None:
        """Raises:
        UserError: too many images are lost.
        """
        if len(self.lost) > max(_MIN_LOST, _MAX_LOST_SHARE * self.images):
            raise UserError(
                f"{self.summary()}; more than {_MAX_LOST_SHARE:.0%} are too many to go on without "
                "them"
            )

    def summary(self) -> str:
        """How many images are lost, and the first of them by name."""
        named = [f"{name} {reason}" for name, reason in sorted(self.lost.items())[:_NAMED]]
        more = f"; and {len(self.lost) - _NAMED} more" if len(self.lost) > _NAMED else ""
        count = f"{len(self.lost):,} of {self.images:,} pictures are lost"
        return f"{self.folder}: {count}: {'; '.join(named)}{more}"

    def _usable(self, names: Sequence[str]) -> tuple[str, ...]:
        """The names of images that are neither missing nor empty."""
        for name in names:
            if name not in self.lost:
                try:
                    if not os.stat(self.folder / name).st_size:
                        self.lost[name] = "is empty"
                except (OSError, ValueError) as error:
                    self.lost[name] = getattr(error, "strerror", None) or str(error)
        return tuple(name for name in names if name not in self.lost)

    def _batch(self, drawn: Sequence[tuple[int, np.random.Generator]]) -> PairBatch:
        loaded = [self._load_from(index, random) for index, random in drawn]
        images = np.stack([image for _, image in loaded])
        texts = [self.utterances[index].utterance for index, _ in loaded]
        tokens, lengths = self.vocabulary.encode(texts, length=self.config.length)
        return PairBatch(torch.from_numpy(images).movedim(-1, -3), tokens, lengths)

    def _load_from(
        self, index: int, random: np.random.Generator
    ) -> tuple[int, UInt8[np.ndarray, "*t h w 3"]]:
        """An image or clip, and the index of its utterance: this one or the next with an image."""
        for step in range(len(self)):
            other = (index + step) % len(self)
            if step and self.weights is not None and not self.weights[other]:
                continue
            if (loaded := self._load(other, random)) is not None:
                return other, loaded
        raise UserError(f"{self.folder}: none of the pictures can be read")

    def _load(
        self, index: int, random: np.random.Generator
    ) -> UInt8[np.ndarray, "*t h w 3"] | None:
        names, anew = self.utterances[index].frame_filenames, self.config.frame_anew
        if self.clip.frames == 1:
            chosen = int(random.integers(len(names))) if anew else 0
            image = self._open(names, chosen)
            return None if image is None else np.asarray(augmented(image, self.config, random))
        frames = frame_indices(len(names), self.clip, random, anew=anew)
        change = int(random.integers(1 << 62))  # seed of the augmentation of all frames
        images = [self._open(names, frame) for frame in frames]
        generators = (np.random.default_rng(change) for _ in frames)
        changed = [
            np.asarray(augmented(image, self.config, same))
            for image, same in zip(images, generators, strict=True)
            if image is not None
        ]
        return np.stack(changed) if changed else None

    def _open(self, names: Sequence[str], chosen: int) -> Image.Image | None:
        """The image, or the next readable one; after the last comes the first."""
        for name in (*names[chosen:], *names[:chosen]):
            if name not in self.lost:
                try:
                    return self._read(name)
                except UserError as error:
                    self.lost[name] = str(error)
        return None

    def _read(self, name: str) -> Image.Image:
        data = load_bytes(inside(self.folder, name, self.links), max_bytes=1 << 28)
        try:
            with Image.open(BytesIO(data)) as file:
                return file.convert("RGB")
        except UnidentifiedImageError:
            raise UserError("is no picture") from None
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise UserError(f"is no readable picture: {error}") from None


def frame_indices(
    count: int, clip: ClipConfig, random: np.random.Generator, *, anew: bool
) -> list[int]:
    """Indices of a clip's frames among `count`: one of each of `clip.frames` equal parts of time
    (Wang et al. 2016), drawn `anew` or the middle one; in random order if the clip's order is
    shuffled.

    The middle ones are the same for a reversed clip: of two the outer one is taken.
    """
    parts = np.arange(clip.frames)
    if anew:
        chosen = ((parts + random.random(clip.frames)) * (count / clip.frames)).astype(int)
        chosen = np.minimum(chosen, count - 1)
    else:
        early = (2 * parts + 1) * count // (2 * clip.frames)
        chosen = np.where(2 * parts < clip.frames, early, count - 1 - early[::-1])
    if clip.order == "shuffled":
        random.shuffle(chosen)
    return chosen.tolist()


def augmented(image: Image.Image, config: PairConfig, random: np.random.Generator) -> Image.Image:
    """An image cropped, resized to `size` squared, blurred and flipped as in CVCL's training, its
    colours changed."""
    box = random_crop(image.width, image.height, config.least, random)
    side = (config.size, config.size)
    if box != (0, 0, *image.size) or image.size != side:
        image = image.resize(side, Image.Resampling.BICUBIC, box=box, reducing_gap=None)
    if random.random() < config.blurred:
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.1, 2.0)))
    if random.random() < config.flipped:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if not config.color.off:
        image = image.convert("RGB", tuple(config.color.drawn(random).ravel().tolist()))
    return image


def random_crop(
    width: int, height: int, least: float, random: np.random.Generator
) -> tuple[int, int, int, int]:
    """Left, top, right and bottom, in pixels, of a crop with at least a share `least` of the area,
    sides between 3:4 and 4:3; the whole image if none fits (Szegedy et al. 2015)."""
    for _ in range(10 if least < 1 else 0):
        area = width * height * random.uniform(least, 1)
        ratio = np.exp(random.uniform(np.log(3 / 4), np.log(4 / 3)))
        w, h = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
        if 0 < w <= width and 0 < h <= height:
            left = int(random.integers(width - w + 1))
            top = int(random.integers(height - h + 1))
            return left, top, left + w, top + h
    return 0, 0, width, height
