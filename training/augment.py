"""Random changes to the pictures of a window: the same for all its frames, drawn from its place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import Image

from firsthand.common.errors import UserError

_LUMA = np.array([0.299, 0.587, 0.114])  # Rec. 601, as in JPEG
_TO_YIQ = np.array([_LUMA, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


@dataclass(frozen=True)
class ColorConfig:
    """How far colours may be changed; 0 leaves them alone."""

    brightness: float = 0.0
    """A factor drawn from [max(0, 1 - x), 1 + x], as in torchvision's ColorJitter."""
    contrast: float = 0.0
    """The same, around mid-grey and not around a picture's mean, so that the change is one map for
    all pixels of a window."""
    saturation: float = 0.0
    """The same, around the pixel's grey."""
    hue: float = 0.0
    """Largest turn of the colour circle either way, in circles, at most 0.5; in NTSC's YIQ space:
    lightness stays."""

    def __post_init__(self) -> None:
        for name in ("brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise UserError(f"{name} must be 0 or more, not {getattr(self, name)}")
        if not 0 <= self.hue <= 0.5:
            raise UserError(f"hue must be between 0 and 0.5, not {self.hue}")

    @property
    def off(self) -> bool:
        return self == ColorConfig()

    def drawn(self, random: np.random.Generator) -> Float64[np.ndarray, "3 4"]:
        """One change of colours (see `color_map`)."""
        ranges = (self.brightness, self.contrast, self.saturation)
        factors = [random.uniform(max(0.0, 1 - x), 1 + x) for x in ranges]
        return color_map(*factors, hue=random.uniform(-self.hue, self.hue))


def shift_of(seed: int, epoch: int, index: int, limits: Sequence[int]) -> list[tuple[int, int]]:
    """Rows and columns by which a window's pictures move this time, one pair a camera."""
    random = np.random.default_rng((seed, epoch, index, 0x5417))
    return [tuple(random.integers(-limit, limit + 1, 2).tolist()) for limit in limits]


def shifted_into(
    target: UInt8[np.ndarray, "t h w 3"], frames: UInt8[np.ndarray, "t h w 3"], rows: int, cols: int
) -> None:
    """Writes `frames` moved by whole pixels into `target`, the border pixels repeated.

    target[:, y, x] = frames[:, clip(y + rows), clip(x + cols)]: DrQ's pad-and-crop (Kostrikov et
    al. 2020) for one offset, the same in all frames (as GR-1 shifts whole clips).
    """
    height, width = frames.shape[1:3]
    top, bottom = max(-rows, 0), height - max(rows, 0)
    left, right = max(-cols, 0), width - max(cols, 0)
    target[:, top:bottom, left:right] = frames[
        :, top + rows : bottom + rows, left + cols : right + cols
    ]
    target[:, :top, left:right] = target[:, top : top + 1, left:right]
    target[:, bottom:, left:right] = target[:, bottom - 1 : bottom, left:right]
    target[:, :, :left] = target[:, :, left : left + 1]
    target[:, :, right:] = target[:, :, right - 1 : right]


def color_of(seed: int, epoch: int, index: int, color: ColorConfig) -> Float64[np.ndarray, "3 4"]:
    """The change of a window's colours this time (see `color_map`)."""
    return color.drawn(np.random.default_rng((seed, epoch, index, 0xC0104)))


def color_map(
    brightness: float, contrast: float, saturation: float, hue: float
) -> Float64[np.ndarray, "3 4"]:
    """All four changes one after the other as one affine map of red, green and blue (0 to 255).

    Each is linear: a factor; a factor around mid-grey; a blend with the pixel's grey; and a turn
    of the plane of equal lightness in YIQ, by `hue` whole circles (0 changes nothing).
    """
    angle = 2 * np.pi * hue
    turn = np.eye(3)
    turn[1:, 1:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    hued = np.linalg.inv(_TO_YIQ) @ turn @ _TO_YIQ
    saturated = saturation * np.eye(3) + (1 - saturation) * np.ones((3, 1)) * _LUMA
    linear = hued @ saturated * (contrast * brightness)
    pivot = hued @ saturated @ np.full(3, (1 - contrast) * 127.5)
    return np.column_stack([linear, pivot])


def recolored(
    frames: UInt8[np.ndarray, "t h w 3"], change: Float64[np.ndarray, "3 4"]
) -> UInt8[np.ndarray, "t h w 3"]:
    """The frames with another colour for every colour, rounded and cut off at 0 and 255."""
    sheet = Image.fromarray(frames.reshape(-1, frames.shape[2], 3))
    return np.asarray(sheet.convert("RGB", tuple(change.ravel().tolist()))).reshape(frames.shape)


@dataclass(frozen=True)
class ImageChange:
    """What happens to one window's pictures: to all its frames, future ones included.

    shifts: rows and columns by camera; color: of all cameras alike, None to leave it.
    """

    shifts: Mapping[str, tuple[int, int]]
    color: Float64[np.ndarray, "3 4"] | None = None

    def into(
        self,
        target: UInt8[np.ndarray, "t h w 3"],
        frames: UInt8[np.ndarray, "t h w 3"],
        camera: str,
    ) -> None:
        """Writes the changed frames of a camera into `target`."""
        if self.color is not None:
            frames = recolored(frames, self.color)
        shifted_into(target, frames, *self.shifts.get(camera, (0, 0)))


UNCHANGED = ImageChange({})


@dataclass(frozen=True)
class Augment:
    """Draws the change of any window in any epoch.

    shift: largest translation in pixels, by camera.
    """

    seed: int
    shift: Mapping[str, int]
    color: ColorConfig = ColorConfig()

    def __call__(self, epoch: int, index: int) -> ImageChange:
        shifts: Mapping[str, tuple[int, int]] = {}
        if self.shift:
            drawn = shift_of(self.seed, epoch, index, list(self.shift.values()))
            shifts = dict(zip(self.shift, drawn, strict=True))
        color = None if self.color.off else color_of(self.seed, epoch, index, self.color)
        return ImageChange(shifts, color)
