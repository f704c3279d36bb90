"""One video file as recordings: frames at a constant rate, upright, square, in bounded memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from firsthand.common.errors import UserError
from firsthand.episodes.episode import Narration
from firsthand.episodes.jpeg import QUALITY, EncodedEpisode, EncodedFrames, encode_jpeg
from firsthand.episodes.tally import Tally
from firsthand.episodes.text.timing import count_sentences, in_seconds, narrations_within
from firsthand.episodes.video.decode import MAX_GAP, OpenVideo, TimedFrame

CAMERA = "rgb_static"  # an egocentric video's only camera, as in GR-1
REGIONS = ("whole", "left half", "right half", "left view")
_ROUNDING = Fraction(1, 20)  # of a period, by which a last frame may end too late
_TINY = Fraction(1, 10**9)


@dataclass(frozen=True)
class VideoSettings:
    """How videos become recordings."""

    fps: float = 10.0
    """Frames a second of the recordings, whatever the video's own rate."""
    size: int = 96
    """Edge of the square images, in pixels; the middle square of the region is scaled to it."""
    region: str = "whole"
    """Part of the image to use, one of `REGIONS`. `left view` is the left half of images at least
    twice as wide as high (two views side by side) and the whole of others."""
    seconds: float = 20.0
    """Longest recording; a longer video becomes several."""
    quality: int = QUALITY
    """Of the JPEG images, 1 to 100."""

    def __post_init__(self) -> None:
        if not 0 < self.fps <= 1000:
            raise UserError(f"fps of videos must be in (0, 1000], not {self.fps}")
        if not 1 <= self.size <= 4096:
            raise UserError(f"the size of pictures must be 1 to 4096 pixels, not {self.size}")
        if self.region not in REGIONS:
            raise UserError(f"region must be one of {', '.join(REGIONS)}, not {self.region!r}")
        if self.length < 1:
            raise UserError(f"{self.seconds} s at {self.fps} fps hold no frame")
        if not 1 <= self.quality <= 100:
            raise UserError(f"JPEG quality must be 1 to 100, not {self.quality}")

    @property
    def length(self) -> int:
        """Most frames in a recording."""
        return round(self.seconds * self.fps)


def read_video(
    path: Path,
    settings: VideoSettings,
    instruction: str = "",
    narrations: Sequence[Narration] = (),
    tally: Tally | None = None,
    name: str = "",
) -> Iterator[EncodedEpisode]:
    """The recordings in a video, one after the other; only one is in memory at a time.

    Frame k is the picture nearest in time to k / fps, by the file's time stamps, the first
    picture being at 0. Narrations are in seconds of the video. Where the video shows nothing new
    for more than `MAX_GAP` seconds, as a camera that was paused, a recording ends and the next one
    begins with the next frame.

    Args:
        tally: told of frames and sentences; see `OpenVideo`, also for `name`.

    Raises:
        UserError: why the file cannot be used (without its name). It may come after the first
            recordings.
    """
    images: list[bytes] = []
    spans: list[tuple[float, float]] = []  # of the recordings, in seconds of the video
    start = 0.0  # when the present recording starts

    def recording() -> EncodedEpisode:
        spans.append((start, start + len(images) / settings.fps))
        return EncodedEpisode(
            {CAMERA: EncodedFrames(tuple(images), settings.size, settings.size)},
            settings.fps,
            instruction,
            narrations_within(narrations, *spans[-1]),
            source={"start_seconds": start},
        )

    counted, name = tally or Tally(), name or path.name
    with OpenVideo(path, tally, name) as video:
        narrations = in_seconds(narrations, video.duration, counted, name)
        for time, image in _resampled(video, settings):
            if images and time is not None:
                yield recording()
                images = []
            start = start if time is None else time
            images.append(image)
            if len(images) == settings.length:
                yield recording()
                start, images = start + len(images) / settings.fps, []
    if images:
        yield recording()
    count_sentences(instruction, narrations, spans, counted, name)


def _resampled(video: OpenVideo, settings: VideoSettings) -> Iterator[tuple[float | None, bytes]]:
    """JPEG pictures on a regular grid, and of the first of each grid when it is shown; each frame
    of the video is converted at most once."""
    period = 1 / Fraction(settings.fps)
    grid, origin = 0, Fraction(0)  # next point of the grid to fill, and where the grid begins
    current: TimedFrame | None = None

    def up_to(current: TimedFrame, until: Fraction) -> Iterator[tuple[float | None, bytes]]:
        nonlocal grid
        encoded = b""
        while grid * period <= until - origin:
            encoded = encoded or encode_frame(current, settings)
            yield (None if grid else float(origin)), encoded
            grid += 1

    for following in video.frames():
        if current and following.start - current.start > MAX_GAP:
            yield from up_to(current, current.start)
            grid, origin = 0, following.start
        elif current:  # a point halfway between two frames takes the earlier one
            yield from up_to(current, (current.start + following.start) / 2)
        current = following
    if current is None:
        raise UserError("holds no frame that can be decoded")
    yield from up_to(current, max(origin, current.end - _ROUNDING * period - _TINY))


def encode_frame(frame: TimedFrame, settings: VideoSettings) -> bytes:
    """The JPEG picture that recordings hold of a frame."""
    return encode_jpeg(to_image(frame.frame, settings, frame.aspect), settings.quality)


def to_image(
    frame: av.VideoFrame, settings: VideoSettings, aspect: float = 1.0
) -> UInt8[np.ndarray, "size size 3"]:
    """Upright, and the middle square of the region of it."""
    pixels = frame.to_ndarray(format="rgb24")
    pixels, transposed = upright(pixels, frame)
    return square(pixels, settings, 1 / aspect if transposed else aspect)


def square(
    pixels: UInt8[np.ndarray, "h w 3"], settings: VideoSettings, aspect: float = 1.0
) -> UInt8[np.ndarray, "size size 3"]:
    """The middle square of the region, scaled (bicubic, antialiased).

    Args:
        aspect: width of a pixel over its height.
    """
    height, width = pixels.shape[:2]
    two_views = settings.region == "left view" and width * aspect >= 2 * height
    left, right = 0.0, float(width)
    if settings.region == "left half" or two_views:
        right = width / 2
    elif settings.region == "right half":
        left = width / 2
    side = min((right - left) * aspect, height)
    center_x, center_y = (left + right) / 2, height / 2
    half_x, half_y = side / aspect / 2, side / 2
    box = (center_x - half_x, center_y - half_y, center_x + half_x, center_y + half_y)
    size = (settings.size, settings.size)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC, box))


def upright(
    pixels: UInt8[np.ndarray, "h w 3"], frame: av.VideoFrame
) -> tuple[UInt8[np.ndarray, "h2 w2 3"], bool]:
    """Turn and mirror pixels as the frame's display matrix says; whether rows became columns.

    The matrix sends a pixel (x, y) to (a x + c y, b x + d y); its entries are a b u c d v x y w
    in 16.16 fixed point (ISO 14496-12, 6.2.2). Only right angles are honoured.
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return pixels, False
    a, b, _, c, d = np.frombuffer(matrix, "=i4")[:5].tolist()
    transposed = abs(b) + abs(c) > abs(a) + abs(d)
    if transposed:
        pixels = pixels.transpose(1, 0, 2)
        a, d = c, b
    pixels = pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
    return np.ascontiguousarray(pixels), transposed
