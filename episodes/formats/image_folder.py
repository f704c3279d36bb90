"""Folders of pictures, one for every frame, as recordings."""

import hashlib
import io
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, islice, repeat
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import Item, Listing
from firsthand.episodes.episode import Narration
from firsthand.episodes.formats.clips import Clip, cut_clips, file_version
from firsthand.episodes.formats.dataset_folder import Locate, Rooted, is_hidden, walk
from firsthand.episodes.jpeg import EncodedEpisode, EncodedFrames, decode_jpeg, encode_jpeg
from firsthand.episodes.tally import Tally
from firsthand.episodes.text.caption_files import VideoText
from firsthand.episodes.text.narrations import read_narrations
from firsthand.episodes.text.timing import count_sentences, in_seconds, narrations_within
from firsthand.episodes.untrusted.trust import load_bytes
from firsthand.episodes.video.frames import CAMERA, VideoSettings, square

ENDINGS = (".jpg", ".jpeg", ".png")
_MAX_BYTES = 200_000_000
_MAX_PIXELS = 64_000_000
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")  # 8 bits a channel


@dataclass(frozen=True, kw_only=True)
class PictureFolders(VideoSettings, Rooted):
    """Every folder below `root` that holds images (jpg, png) is a video, in the order of their
    numbers. Narrations: see `episodes.text.narrations`, with the folder in a video's place."""

    rate: float = 10.0
    """Images a second in the folders."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.rate <= 1000:
            raise UserError(f"the rate of pictures must be in (0, 1000] a second, not {self.rate}")

    @property
    def origin(self) -> str:
        return "pictures"

    def listing(self) -> Listing:
        """The folders with pictures.

        Raises:
            UserError: there is no such folder, or a narration file is malformed.
        """
        root = Path(os.path.abspath(self.root))
        tally = Tally()
        below = walk(root, self.links, tally)
        found = {folder: [n for n in names if _is_image(n)] for folder, names in below.items()}
        folders = sorted(folder for folder, images in found.items() if images)
        if not folders:
            tally.note(f"{root}: holds no folder of pictures ({', '.join(ENDINGS)})")
        videos = [folder for folder in folders if folder != root]
        texts, strangers, _ = read_narrations(root, videos, below, tally, self.links)
        items = [self._item(f, root, found[f], texts.get(f, VideoText())) for f in folders]
        notes = [f"narrations name {name}, which is no folder here" for name in strangers]
        gaps = [(folder.relative_to(root), _gap(found[folder])) for folder in folders]
        notes += [f"{name}: {gap}" for name, gap in gaps if gap]
        return Listing(tuple(items), (), tuple(notes), tally)

    def read(self, item: Item, tally: Tally) -> Iterator[EncodedEpisode]:
        folder = self.inside(item.name)
        narrations = tuple(Narration(*values) for values in item.detail["narrations"])
        instruction = item.detail["instruction"]
        names = [Path(item.name, name) for name in find_images(folder)]
        narrations = in_seconds(narrations, len(names) / Fraction(self.rate), tally, item.name)
        count = len(names) * self.fps / self.rate
        times = [k / Fraction(self.fps) for k in range(max(1, round(count)))]
        images = images_at(names, self.inside, self.rate, times, self, tally)
        spans = []
        for first in range(0, len(times), self.length):
            data = tuple(islice(images, self.length))
            start = first / self.fps
            end = start + len(data) / self.fps
            spans.append((start, end))
            yield EncodedEpisode(
                {CAMERA: EncodedFrames(data, self.size, self.size)},
                self.fps,
                instruction,
                narrations_within(narrations, start, end),
                source={"start_seconds": start},
            )
        if instruction or narrations:
            count_sentences(instruction, narrations, spans, tally, item.name)

    def _item(self, folder: Path, root: Path, images: list[str], text: VideoText) -> Item:
        name = str(folder.relative_to(root))
        frames = len(images) * self.fps / self.rate
        versions = sorted(f"{image} {file_version(folder / image)}" for image in images)
        return Item(
            name,
            group=name,
            version=hashlib.sha256("\n".join(versions).encode()).hexdigest()[:16],
            megabytes=frames * self.size**2 * 3 * 0.1 / 1e6,
            detail={
                "instruction": text.instruction,
                "narrations": [[n.start, n.end, n.text] for n in text.narrations],
            },
        )


def find_images(folder: Path) -> list[str]:
    """The names of the pictures in a folder in the order of the numbers in them.

    Raises:
        UserError: there is none.
    """
    names = sorted((name for name in os.listdir(folder) if _is_image(name)), key=_number)
    if not names:
        raise UserError(f"holds no picture ({', '.join(ENDINGS)})")
    return names


def read_image_clips(
    names: Sequence[Path],
    locate: Locate,
    rate: float,
    clips: Sequence[Clip],
    settings: VideoSettings,
    tally: Tally,
) -> Iterator[EncodedEpisode]:
    """Clips of a video that is there as pictures, `rate` of them a second; see `cut_clips`."""
    end = (len(names) - 1) / Fraction(rate)
    name = names[0].parent.name

    def images(times: Sequence[Fraction]) -> Iterator[bytes]:
        return images_at(names, locate, rate, times, settings, tally)

    return cut_clips(clips, settings, images, end, tally, name)


def images_at(
    names: Sequence[Path],
    locate: Locate,
    rate: float,
    times: Sequence[Fraction],
    settings: VideoSettings,
    tally: Tally,
) -> Iterator[bytes]:
    """The pictures nearest to sorted times, in seconds from the first; none behind the last.

    Raises:
        UserError: none of them can be read.
    """
    numbers = [round(time * Fraction(rate)) for time in times]
    chosen = [names[min(number, len(names) - 1)] for number in numbers if number <= len(names)]
    return read_jpegs(chosen, locate, settings, tally)


def read_jpegs(
    names: Sequence[Path], locate: Locate, settings: VideoSettings, tally: Tally
) -> Iterator[bytes]:
    """Pictures as `read_jpeg` has them. One that is lost is replaced by the one before it, or the
    first that can be read, so that all others stay at their times.

    Args:
        names: of the files, as the dataset calls them.
        locate: finds them; a link that leads out of the dataset costs its picture.

    Raises:
        UserError: none can be read; says why the first cannot.
    """
    last: bytes | None = None
    reasons: list[str] = []
    waiting = 0  # places before the first that can be read
    for name, same in groupby(names):
        count = sum(1 for _ in same)
        try:
            last = read_jpeg(locate(name), settings)
        except UserError as error:
            reasons.append(str(error).partition(f"{name}: ")[2] or str(error))
            tally.lose("picture", str(name), reasons[-1])
            if last is None:
                waiting += count
                continue
        else:
            tally.use("picture")
        yield from repeat(last, waiting + count)
        waiting = 0
    if last is None and reasons:
        raise UserError(f"holds no picture that can be read: {names[0].name} {reasons[0]}")


def read_jpeg(path: Path, settings: VideoSettings) -> bytes:
    """A picture as recordings hold it: the file's own bytes if they are just that already.

    Raises:
        UserError: the file is no readable picture.
    """
    data = load_bytes(path, _MAX_BYTES)
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            if image.width * image.height > _MAX_PIXELS or image.mode not in _MODES:
                raise UserError(f"{path}: has {image.width}x{image.height} {image.mode} pixels")
            turned = image.getexif().get(0x0112, 1) != 1  # how the camera was held
            size = (settings.size, settings.size)
            if (image.format, image.mode, image.size, turned) == ("JPEG", "RGB", size, False):
                decode_jpeg(data)
                return data
            pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except UserError:
        raise
    except UnidentifiedImageError:  # whose own words name a place in memory
        raise UserError(f"{path}: is no JPEG or PNG picture") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: is no readable picture: {error}") from None
    return encode_jpeg(square(pixels, settings), settings.quality)


def _is_image(name: str) -> bool:
    return name.lower().endswith(ENDINGS) and not is_hidden(name)


def _number(name: str) -> tuple[list[str], list[int], str]:
    """Sorts img_10 after img_9."""
    parts = re.split(r"(\d+)", name)
    return parts[::2], [int(number) for number in parts[1::2]], name


def _gap(images: list[str]) -> str:
    """Says where pictures seem to be missing; times would be wrong behind it."""
    names = sorted(images, key=_number)
    numbers = [_number(name)[1][-1:] for name in names]
    for k in range(2, len(names)):
        before, here, after = numbers[k - 2 : k + 1]
        if before and here and after and after[0] - here[0] > here[0] - before[0] > 0:
            return f"pictures seem to be missing before {names[k]}"
    return ""
