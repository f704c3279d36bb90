"""The pictures of a LeRobot dataset: in videos, or as PNG and JPEG in parquet files."""

import io
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from firsthand.common.errors import UserError
from firsthand.episodes.formats.salvage import most_common
from firsthand.episodes.jpeg import EncodedFrames, encode_jpeg
from firsthand.episodes.tally import Tally

if TYPE_CHECKING:
    import av

_NEAR = Fraction(1, 4)  # of a period, by which a picture may miss its time
_MODES = ("RGB", "RGBA", "L", "P")


class NoColoursError(UserError):
    """Pictures hold something else than colours: distances, as a rule."""


def embedded(cells: Sequence[Any]) -> Iterator[UInt8[np.ndarray, "h w 3"] | str]:
    """Pictures that lie in the parquet file itself, as PNG or JPEG; or why there is none.

    Raises:
        NoColoursError: at the end, most of them show something else.
    """
    strange: list[str] = []
    for cell in cells:
        data = cell.get("bytes") if isinstance(cell, dict) else cell
        if not isinstance(data, bytes):
            yield "is not in the parquet file"
            continue
        try:
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
                colours = image.mode in _MODES
                pixels = np.asarray(image.convert("RGB") if colours else image)
                reason = f"has pixels of the kind {image.mode}, which are no colours"
        except UnidentifiedImageError:
            yield "is neither PNG nor JPEG"
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            yield f"is no readable picture: {error}"
        else:
            strange += [] if colours else [reason]
            yield pixels if colours else reason
    if 2 * len(strange) > len(cells):
        raise NoColoursError(strange[0])


def decoded(
    path: Path, times: Iterable[Fraction], period: Fraction
) -> Iterator[UInt8[np.ndarray, "h w 3"] | str]:
    """The pictures of a video at given times, or why there is none; decoding starts at the keyframe
    before the first.

    Raises:
        UserError: the video cannot be decoded at all, or its pictures are of other times.
    """
    from firsthand.episodes.video.decode import OpenVideo
    from firsthand.episodes.video.frames import upright
    from firsthand.episodes.video.seek import frames_at

    times = list(times)
    count, reason, damage = 0, "", Tally()
    with OpenVideo(path, damage) as video:
        frames = zip(times, frames_at(video, times), strict=False)
        while True:
            try:
                time, frame = next(frames)
            except StopIteration:
                break
            except UserError as error:
                if not count:
                    raise
                reason = str(error)
                break
            if frame is None:  # in a gap of a minute or more
                yield f"has no picture at {float(time):.3f} s"
                count += 1
                continue
            if abs(frame.start - time) <= _NEAR * period and not reason:
                _check_colours(frame.frame.format)
                yield upright(frame.frame.to_ndarray(format="rgb24"), frame.frame)[0]
                count += 1
                continue
            missing = f"has no picture at {float(time):.3f} s"
            if damage.lost and not reason:
                yield f"{missing}: {damage.lost[-1][2]}"
                count += 1
                continue
            if reason or frame.end - time > _NEAR * period or frame.start > time:
                raise UserError(f"{missing}; the nearest is at {float(frame.start):.3f} s")
            reason = f"{missing}, where it is over"
    for time in times[count:]:
        yield reason or f"has no picture at {float(time):.3f} s, where it is over"


def _check_colours(form: "av.VideoFormat") -> None:
    if len(form.components) == 1 and form.components[0].bits > 8 and not form.has_palette:
        raise NoColoursError(f"has pixels of the kind {form.name}, which are no colours")


def encode(
    images: Iterable[UInt8[np.ndarray, "h w 3"] | str], size: int | None, quality: int
) -> tuple[EncodedFrames, dict[int, str]]:
    """A camera's pictures as JPEG, and why frames have none.

    Args:
        images: a picture for every frame, or why there is none.
        size: of their middle squares; None keeps them as they are.

    Raises:
        UserError: most frames have none, so that little but the camera would be lost without it.
    """
    from firsthand.episodes.video.frames import VideoSettings, square

    settings = VideoSettings(size=size) if size else None
    data: list[bytes] = []
    missing: dict[int, str] = {}
    shapes: dict[int, tuple[int, ...]] = {}
    for frame, image in enumerate(images):
        if isinstance(image, str):
            missing[frame] = image
            data.append(b"")
            continue
        pixels = square(image, settings) if settings else image
        shapes[frame] = pixels.shape
        data.append(encode_jpeg(pixels, quality))
    shape = most_common(shapes.values())
    missing |= {f: f"is {s}, others are {shape}" for f, s in shapes.items() if s != shape}
    if shape is None or 2 * len(missing) > len(data):
        why = f": {missing[min(missing)]}" if missing else ""
        raise UserError(f"lacks {len(missing)} of {len(data)} pictures{why}")
    return EncodedFrames(data, *shape[:2]), missing
