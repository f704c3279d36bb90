"""What the cameras saw, as an mp4 that any browser plays."""

import os
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

CAPTION_HEIGHT = 24  # pixels
_X264 = {
    "crf": "20",
    "preset": "fast",
    "x264-params": "cpu-independent=1",
}  # the same bits anywhere
_BACKGROUND, _INK = (24, 24, 24), (235, 235, 235)


def write_video(path: Path, frames: Iterable[UInt8[np.ndarray, "_ _ 3"]], fps: float) -> Path:
    """Write H.264 in an mp4; it appears under its name only when it is complete. An odd last row or
    column is cut off, because the format stores colours at half the resolution.

    Raises:
        ValueError: there is no frame, or frames differ in size.
    """
    import av  # here, so that evaluating without videos does not need it

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    shape = None
    try:
        with av.open(str(partial), "w", format="mp4", options={"movflags": "faststart"}) as mp4:
            rate = Fraction(fps).limit_denominator(1000)
            stream = mp4.add_stream("libx264", rate=rate, options=_X264)
            stream.pix_fmt = "yuv420p"
            stream.codec_context.thread_count = 1
            for frame in frames:
                if shape is None:
                    shape = frame.shape
                    stream.height, stream.width = (n - n % 2 for n in shape[:2])
                if frame.shape != shape:
                    raise ValueError(f"{path}: frames differ in size: {shape} and {frame.shape}")
                even = np.ascontiguousarray(frame[: stream.height, : stream.width])
                mp4.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
            if shape is None:
                raise ValueError(f"{path}: a video needs at least one frame")
            mp4.mux(stream.encode(None))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def compose(
    pictures: Mapping[str, UInt8[np.ndarray, "_ _ 3"]], caption: str, height: int = 200
) -> UInt8[np.ndarray, "h w 3"]:
    """Cameras side by side, each scaled to `height`, over a line of text."""
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
    return np.concatenate([row, _caption(caption, row.shape[1])], axis=0)


@lru_cache(maxsize=16)
def _caption(text: str, width: int) -> UInt8[np.ndarray, "h w 3"]:
    """A strip of text, made smaller where it would not fit."""
    image = Image.new("RGB", (width, CAPTION_HEIGHT), _BACKGROUND)
    draw = ImageDraw.Draw(image)
    size = 14
    while size > 7 and draw.textlength(text, ImageFont.load_default(size)) > width - 8:
        size -= 1
    draw.text((4, CAPTION_HEIGHT // 2), text, _INK, ImageFont.load_default(size), anchor="lm")
    return np.asarray(image)
