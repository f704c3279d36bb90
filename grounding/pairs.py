"""Utterances with a frame of what was seen meanwhile: what word grounding learns from.

The folder is laid out as SAYCam-S is for CVCL: `train.json`, `val.json`, `vocab.json` and the
pictures that they name in `train_5fps/`. Batches are numbered, and the number decides what is in
them: which utterances, which of their frames, how these are cut and blurred. Who reads them and
when changes nothing.

A picture that is missing or damaged costs itself: another of its utterance is seen instead, and of
an utterance that has none left the next one in the file. So batches keep their number and size.
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
_MOST_LOST, _FEW = 0.05, 10  # share of the pictures that may be lost, and how many in any case
_NAMED = 10  # lost pictures that a message names
VOCABULARY = "vocab.json"


@dataclass(frozen=True)
class PairConfig:
    """frame_anew: which of an utterance's frames is seen: one drawn `anew` each epoch, or the
    `first`. The frames of a clip are spread over all of them, drawn anew or always alike.

    about: only utterances with one of these words are taken, all of them if none is named.

    Pictures are cut to a random rectangle of `least` of their area or more, and made `size` pixels
    squared; `flipped` and `blurred` are the shares of them that are, `color` is how far their
    colours are changed. CVCL's values.
    """

    size: int = 224
    frame_anew: bool = True
    least: float = 0.2
    flipped: float = 0.5
    blurred: float = 0.5
    color: ColorConfig = field(default_factory=ColorConfig)
    length: int = 25
    about: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("least", "flipped", "blurred"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} lies in 0..1, not at {getattr(self, name)}")


UNCHANGED = PairConfig(frame_anew=False, least=1.0, flipped=0.0, blurred=0.0)


class Pairs:
    """The utterances of one file, and batches of them in the order of a seed.

    `lost` says why pictures cannot be used. Those that are missing or empty are known from the
    start; damaged ones are met when they are drawn.

    With `weights`, one for each utterance that has frames, batches hold utterances as often as
    these say. With `links`, those in the folder are followed wherever they lead.

    Raises:
        UserError: a file is missing or malformed, no utterance has a frame and is about what is
            asked for, or too many pictures are lost.
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
        self.pictures = len({name for row in chosen for name in row.frame_filenames})
        there = [replace(row, frame_filenames=self._there(row.frame_filenames)) for row in chosen]
        self.utterances: Sequence[Utterance] = [row for row in there if row.frame_filenames]
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
        """Changes with any utterance, any frame's name and the words that are known."""
        said = [[row.utterance, *row.frame_filenames] for row in self.utterances]
        known = [self.vocabulary.words, said]
        return sha256(json.dumps(known).encode()).hexdigest()[:16]

    def batch(self, number: int, size: int, seed: int) -> PairBatch:
        """Batch `number` of an endless sequence: epoch after epoch, each utterance once in each,
        or as often as its weight says.

        An epoch's last utterances share a batch with the next one's first.
        """
        weighted, count = self.weights, len(self)
        order = Shuffled(count, seed) if weighted is None else Weighted(weighted, seed)
        places = order.batch(number, size)
        drawn = [(index, np.random.default_rng((seed, epoch, index))) for epoch, index in places]
        return self._batch(drawn)

    def rows(self, start: int, stop: int) -> PairBatch:
        """Utterances as they stand in the file, for measuring; random choices are always alike."""
        return self.some(range(start, min(stop, len(self))))

    def some(self, indices: Sequence[int], draw: int = 0) -> PairBatch:
        """Utterances by their index; random choices are alike in every draw of one number."""
        return self._batch([(i, np.random.default_rng((0, draw, i))) for i in indices])

    def take(self, lost: Mapping[str, str]) -> None:
        """Learn of pictures that another process could not read.

        Raises:
            UserError: these are too many by now.
        """
        self.lost |= {name: why for name, why in lost.items() if name not in self.lost}
        self.check()

    def check(self) -> None:
        """Raises:
        UserError: too many pictures are lost.
        """
        if len(self.lost) > max(_FEW, _MOST_LOST * self.pictures):
            raise UserError(
                f"{self.summary()}; more than {_MOST_LOST:.0%} are too many to go on without them"
            )

    def summary(self) -> str:
        """How many pictures are lost, and the first of them by name."""
        named = [f"{name} {reason}" for name, reason in sorted(self.lost.items())[:_NAMED]]
        more = f"; and {len(self.lost) - _NAMED} more" if len(self.lost) > _NAMED else ""
        count = f"{len(self.lost):,} of {self.pictures:,} pictures are lost"
        return f"{self.folder}: {count}: {'; '.join(named)}{more}"

    def _there(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those that are neither missing nor empty."""
        for name in names:
            if name not in self.lost:
                try:
                    if not os.stat(self.folder / name).st_size:
                        self.lost[name] = "is empty"
                except (OSError, ValueError) as error:
                    self.lost[name] = getattr(error, "strerror", None) or str(error)
        return tuple(name for name in names if name not in self.lost)

    def _batch(self, drawn: Sequence[tuple[int, np.random.Generator]]) -> PairBatch:
        seen = [self._seen_from(index, random) for index, random in drawn]
        pictures = np.stack([picture for _, picture in seen])
        said = [self.utterances[index].utterance for index, _ in seen]
        tokens, lengths = self.vocabulary.encode(said, length=self.config.length)
        return PairBatch(torch.from_numpy(pictures).movedim(-1, -3), tokens, lengths)

    def _seen_from(
        self, index: int, random: np.random.Generator
    ) -> tuple[int, UInt8[np.ndarray, "*t h w 3"]]:
        """An utterance, or the next one of which a picture can be read, and what is seen."""
        for step in range(len(self)):
            other = (index + step) % len(self)
            if step and self.weights is not None and not self.weights[other]:
                continue
            if (seen := self._seen(other, random)) is not None:
                return other, seen
        raise UserError(f"{self.folder}: none of the pictures can be read")

    def _seen(
        self, index: int, random: np.random.Generator
    ) -> UInt8[np.ndarray, "*t h w 3"] | None:
        names, anew = self.utterances[index].frame_filenames, self.config.frame_anew
        if self.clip.frames == 1:
            chosen = int(random.integers(len(names))) if anew else 0
            picture = self._picture(names, chosen)
            return None if picture is None else np.asarray(changed(picture, self.config, random))
        frames = moments(len(names), self.clip, random, anew=anew)
        change = int(random.integers(1 << 62))  # the same of all frames
        pictures = [self._picture(names, frame) for frame in frames]
        alike = (np.random.default_rng(change) for _ in frames)
        shown = [
            np.asarray(changed(picture, self.config, same))
            for picture, same in zip(pictures, alike, strict=True)
            if picture is not None
        ]
        return np.stack(shown) if shown else None

    def _picture(self, names: Sequence[str], chosen: int) -> Image.Image | None:
        """The picture, or the next that can be read; after the last one comes the first."""
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


def moments(count: int, clip: ClipConfig, random: np.random.Generator, *, anew: bool) -> list[int]:
    """Which of `count` frames a clip shows: one of each of so many equal parts of the time (Wang et
    al. 2016), drawn `anew` or the middle one; in any order if the clip's order is shuffled.

    The middle ones are the same when a clip is shown backwards: of two the outer one is taken.
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


def changed(picture: Image.Image, config: PairConfig, random: np.random.Generator) -> Image.Image:
    """Cut, made `size` squared, blurred and flipped, as CVCL's training has it, and recoloured."""
    box = rectangle(picture.width, picture.height, config.least, random)
    side = (config.size, config.size)
    if box != (0, 0, *picture.size) or picture.size != side:
        picture = picture.resize(side, Image.Resampling.BICUBIC, box=box, reducing_gap=None)
    if random.random() < config.blurred:
        picture = picture.filter(ImageFilter.GaussianBlur(random.uniform(0.1, 2.0)))
    if random.random() < config.flipped:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if not config.color.off:
        picture = picture.convert("RGB", tuple(config.color.drawn(random).ravel().tolist()))
    return picture


def rectangle(
    width: int, height: int, least: float, random: np.random.Generator
) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a part with at least that share of the area and sides between
    3:4 and 4:3; of everything if none fits (Inception's cut, Szegedy et al. 2015)."""
    for _ in range(10 if least < 1 else 0):
        area = width * height * random.uniform(least, 1)
        ratio = np.exp(random.uniform(np.log(3 / 4), np.log(4 / 3)))
        w, h = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
        if 0 < w <= width and 0 < h <= height:
            left = int(random.integers(width - w + 1))
            top = int(random.integers(height - h + 1))
            return left, top, left + w, top + h
    return 0, 0, width, height
