"""Pictures in robomimic's layout, in the ways that people store them.

Robomimic's own are uint8 (t, h, w, 3). Others are read where it is certain what they show: gray or
with transparency, the channels first, whole numbers to 255, fractions to 1, JPEG or PNG bytes.
"""

import io
from typing import Any

import h5py
import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from firsthand.common.errors import UserError
from firsthand.episodes.formats.salvage import most_common
from firsthand.episodes.untrusted.hdf5 import check_dataset, load_dataset

_CALLED = ("rgb", "image", "img", "camera", "view")
_NOT_CALLED = ("depth", "seg", "mask")
_LEAST_SIDE, _LEAST_BYTES = 5, 100  # of pictures, and of one as JPEG
_CHANNELS = (1, 3, 4)


def is_image(name: str, dataset: h5py.Dataset) -> bool:
    """By its type, and where that leaves it open by its name."""
    if dataset.dtype == np.uint8 and dataset.ndim == 4 and dataset.shape[3] == 3:
        return True
    words = name.lower()
    called = any(w in words for w in _CALLED) and not any(w in words for w in _NOT_CALLED)
    return called and (_is_encoded(dataset) or _sides(dataset) is not None)


def _is_encoded(dataset: h5py.Dataset) -> bool:
    """Whether a frame may be the bytes of a picture file."""
    kind = dataset.dtype
    if dataset.ndim == 1:
        return h5py.check_vlen_dtype(kind) == np.uint8 or (
            kind.kind == "S" and kind.itemsize >= _LEAST_BYTES
        )
    return dataset.ndim == 2 and kind == np.uint8 and dataset.shape[1] >= _LEAST_BYTES


def _sides(dataset: h5py.Dataset) -> str | None:
    """In which order height, width and channels are; None unless a frame has them."""
    shape = dataset.shape
    if dataset.dtype.kind not in "iuf":
        return None
    if dataset.ndim == 3:
        order, sides = "hw", shape[1:]
    elif dataset.ndim == 4 and shape[3] in _CHANNELS:
        order, sides = "hwc", shape[1:3]
    elif dataset.ndim == 4 and shape[1] in _CHANNELS:
        order, sides = "chw", shape[2:]
    else:
        return None
    return order if min(sides) >= _LEAST_SIDE else None


def load_images(
    group: h5py.Group, name: str, count: int
) -> tuple[UInt8[np.ndarray, "t h w 3"], dict[int, str]]:
    """The first `count` pictures of a dataset, and which of them are missing (black), and why.

    Raises:
        UserError: it cannot be read, or it is not certain what it shows.
    """
    dataset = check_dataset(group, name, variable=True)
    missing = len(dataset) - count
    if abs(missing) > 1:
        raise UserError(f"has {len(dataset)} pictures, but there are {count} actions")
    lacking = {count - 1: "has no picture"} if missing < 0 else {}
    if _is_encoded(dataset):
        frames, damaged = _decoded(dataset, count + min(missing, 0))
        lacking |= damaged
    else:
        frames, odd = _colours(load_dataset(group, name)[:count], _sides(dataset) or "")
        lacking |= odd
    if missing < 0:
        frames = np.concatenate([frames, np.zeros_like(frames[:1])])
    return frames, lacking


def _decoded(
    dataset: h5py.Dataset, count: int
) -> tuple[UInt8[np.ndarray, "t h w 3"], dict[int, str]]:
    images: list[np.ndarray | None] = []
    reasons: dict[int, str] = {}
    for frame in range(count):  # one at a time: nobody vouches for their sizes
        try:
            images.append(_open(dataset[frame]))
        except UserError as error:
            reasons[frame] = str(error)
            images.append(None)
    shapes = {frame: p.shape for frame, p in enumerate(images) if p is not None}
    shape = most_common(shapes.values())
    reasons |= {f: f"is {s}, others are {shape}" for f, s in shapes.items() if s != shape}
    if shape is None or 2 * len(reasons) > count:
        raise UserError(f"lacks {len(reasons)} of {count} pictures: {reasons[min(reasons)]}")
    black = np.zeros(shape, np.uint8)
    kept = (black if k in reasons or p is None else p for k, p in enumerate(images))
    return np.stack(list(kept)), reasons


def _open(cell: Any) -> UInt8[np.ndarray, "h w 3"]:
    data = bytes(cell) if isinstance(cell, bytes) else np.asarray(cell, np.uint8).tobytes()
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            if image.mode not in ("L", "RGB", "RGBA", "P"):
                raise UserError(f"has pixels of the kind {image.mode}, which are no colours")
            return np.asarray(image.convert("RGB"))
    except UserError:
        raise
    except UnidentifiedImageError:
        raise UserError("is neither JPEG nor PNG") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"is no readable picture: {error}") from None


def _colours(values: np.ndarray, order: str) -> tuple[UInt8[np.ndarray, "t h w 3"], dict[int, str]]:
    """Pictures, and which of them hold numbers that are no colours (black), and why.

    Raises:
        UserError: most do, so that nobody knows which number is white.
    """
    sides = tuple(range(1, values.ndim))
    low, high = (of(axis=sides).astype(np.float64) for of in (values.min, values.max))
    sound = (low >= 0) & (high <= 255)

    def number_range(least: float, most: float) -> str:
        return f"is {values.dtype} from {least:g} to {most:g}"

    if 2 * np.count_nonzero(~sound) > len(values):
        raise UserError(
            f"{number_range(low.min(), high.max())}: which number is white nobody says; "
            "pictures are 0 to 255, or fractions to 1"
        )
    frames = np.flatnonzero(~sound).tolist()
    odd = {f: f"{number_range(low[f], high[f])}, others hold colours" for f in frames}
    if odd:
        values = np.where(sound.reshape(-1, *[1] * len(sides)), values, 0)
    fractions = values.dtype.kind == "f" and high[sound].max(initial=0) <= 1
    if values.dtype != np.uint8:
        values = np.rint(values * (255 if fractions else 1)).astype(np.uint8)
    if order == "chw":
        values = values.transpose(0, 2, 3, 1)
    values = values[..., None] if values.ndim == 3 else values
    return values.repeat(3, -1) if values.shape[3] == 1 else values[..., :3], odd
