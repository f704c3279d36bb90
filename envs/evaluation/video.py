"""What the cameras saw, as an mp4 that any browser plays."""

import os
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

CAPTION_HEIGHT = 40  # pixels: two lines
_X264 = {
    "crf": "20",
    "preset": "fast",
    "x264-params": "cpu-independent=1",
}  # the same bits anywhere
_BACKGROUND, _INK = (24, 24, 24), (235, 235, 235)
_NOTES = {None: (170, 170, 170), True: (90, 220, 90), False: (255, 110, 90)}  # of no, good, bad end


class VideoWriter:
    """Writes H.264 in an mp4, frame by frame. It appears under a name only when it is complete, and
    only if `keep` is called before the block ends. An odd last row or column is cut off, because
    the format stores colours at half the resolution.

    Args:
        draft: the file grows beside this name, as `<name>.partial`.
        fps: frames a second.
    """

    def __init__(self, draft: Path, fps: float) -> None:
        self._draft = draft.with_name(draft.name + ".partial")
        self.fps = fps
        self._mp4: Any = None
        self._stream: Any = None
        self._shape: tuple[int, ...] = ()

    def __enter__(self) -> "VideoWriter":
        return self

    def add(self, frame: UInt8[np.ndarray, "_ _ 3"]) -> None:
        """Raises `ValueError` when frames differ in size."""
        import av  # here, so that evaluating without videos does not need it

        mp4 = self._mp4 or self._open(frame.shape)
        if frame.shape != self._shape:
            raise ValueError(f"{self._draft}: frames differ in size: {self._shape}, {frame.shape}")
        even = np.ascontiguousarray(frame[: self._stream.height, : self._stream.width])
        mp4.mux(self._stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))

    def _open(self, shape: tuple[int, ...]) -> Any:
        import av

        self._shape = shape
        self._draft.parent.mkdir(parents=True, exist_ok=True)
        self._mp4 = av.open(str(self._draft), "w", format="mp4", options={"movflags": "faststart"})
        rate = Fraction(self.fps).limit_denominator(1000)
        self._stream = self._mp4.add_stream("libx264", rate=rate, options=_X264)
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.thread_count = 1
        self._stream.height, self._stream.width = (n - n % 2 for n in shape[:2])
        return self._mp4

    def keep(self, path: Path) -> None:
        """Finish the video and give it its name. Raises `ValueError` when there is no frame."""
        if self._mp4 is None:
            raise ValueError(f"{path}: a video needs at least one frame")
        self._mp4.mux(self._stream.encode(None))
        self._mp4.close()
        self._mp4 = None
        os.replace(self._draft, path)

    def __exit__(self, *_: object) -> None:
        if self._mp4 is not None:
            self._mp4.close()
        self._draft.unlink(missing_ok=True)


def compose(
    pictures: Mapping[str, UInt8[np.ndarray, "_ _ 3"]],
    caption: str,
    note: str = "",
    good: bool | None = None,
    height: int = 200,
) -> UInt8[np.ndarray, "h w 3"]:
    """Cameras side by side, each scaled to `height`, over a line of text and one of a note.

    good: whether the note tells of a good end (green) or a bad one (red); None of no end.
    """
    scaled = [
        np.asarray(
            Image.fromarray(picture).resize(
                (round(height * picture.shape[1] / picture.shape[0]), height),
                Image.Resampling.NEAREST,
            )
        )
        for picture in pictures.values()
    ]
    row = np.concatenate(scaled, axis=1)
    lines = [_line(caption, row.shape[1], _INK), _line(note, row.shape[1], _NOTES[good])]
    return np.concatenate([row, *lines], axis=0)


@lru_cache(maxsize=16)
def _line(text: str, width: int, ink: tuple[int, int, int]) -> UInt8[np.ndarray, "h w 3"]:
    """A strip of text, made smaller where it would not fit."""
    image = Image.new("RGB", (width, CAPTION_HEIGHT // 2), _BACKGROUND)
    draw = ImageDraw.Draw(image)
    size = 15
    while size > 7 and draw.textlength(text, ImageFont.load_default(size)) > width - 8:
        size -= 1
    draw.text((4, CAPTION_HEIGHT // 4), text, ink, ImageFont.load_default(size), anchor="lm")
    return np.asarray(image)
