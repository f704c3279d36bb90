"""Films as TensorBoard plays them: GIFs that keep colours and speed."""

import io
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore

FRAMES = 64  # of a GIF at most
_WIDTH = 400  # pixels at most: cards are 350 wide
_BRIEFEST = 0.02  # seconds: browsers slow down what is briefer


@dataclass(frozen=True)
class Film:
    """Pictures, and how many of them are a second."""

    frames: UInt8[np.ndarray, "t h w 3"]
    fps: float


def gif_summary(film: Film) -> Summary.Image:
    """An animated GIF as an image summary, which TensorBoard plays.

    (SummaryWriter.add_video needs a moviepy that is no longer made.) Long films show fewer frames
    for longer. One palette serves all frames, which does not flicker; an octree's also has the
    colours of what is small, such as a lamp.
    """
    seconds = len(film.frames) / film.fps
    count = max(1, min(len(film.frames), FRAMES, int(seconds / _BRIEFEST)))
    chosen = np.linspace(0, len(film.frames) - 1, count).round().astype(int)
    images = [_fitting(film.frames[n]) for n in chosen]
    sheet = Image.fromarray(np.concatenate(images))
    palette = sheet.quantize(method=Image.Quantize.FASTOCTREE)
    coded = [
        Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE)
        for picture in images
    ]
    ends = (100 * seconds * np.arange(count + 1) / count).round()  # a GIF's clock has hundredths
    buffer = io.BytesIO()
    coded[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=coded[1:],
        duration=[int(10 * part) for part in np.diff(ends)],
        loop=0,
    )
    height, width, colours = images[0].shape
    return Summary.Image(
        height=height, width=width, colorspace=colours, encoded_image_string=buffer.getvalue()
    )


def _fitting(picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "_ _ 3"]:
    height, width, _ = picture.shape
    if width <= _WIDTH:
        return picture
    size = (_WIDTH, max(1, round(height * _WIDTH / width)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))
