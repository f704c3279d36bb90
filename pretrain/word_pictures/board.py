"""Where the pictures of a report go: PNG files, and TensorBoard with its projector."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from episodes.partial import PartialFile
from pretrain.word_pictures.style import Picture
from training.logger import TensorBoardLogger

_SIDE = 8192  # pixels: the projector loads no larger sprite


@dataclass(frozen=True)
class Embedding:
    """Vectors for TensorBoard's projector, what is known of each (columns), and its small picture.

    sprites: one for each vector, or None.
    """

    vectors: Float[np.ndarray, "n d"]
    columns: Mapping[str, Sequence[str]]
    sprites: UInt8[np.ndarray, "n s s 3"] | None = None


def save_pictures(pictures: Mapping[str, Picture], folder: Path) -> None:
    """As `folder`/<name>.png.

    Raises:
        OutputError: one cannot be written.
    """
    for name, picture in pictures.items():
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "PNG")
        file = PartialFile(folder / f"{name}.png")
        try:
            file.write(buffer.getbuffer())
            file.commit()
        finally:
            file.discard()


def show_words(
    folder: Path,
    scalars: Mapping[str, float],
    pictures: Mapping[str, Picture],
    page: str,
    embeddings: Mapping[str, Embedding],
) -> None:
    """An event file for TensorBoard in `folder`: scalars under their tags, pictures/*, text/report.

    The page is shown without the lines that show its pictures: TensorBoard cannot find them.
    """
    logs = TensorBoardLogger(folder, done=-1)
    try:
        logs.scalars(scalars, 0)
        for name, picture in pictures.items():
            logs.image(f"pictures/{name}", picture, 0)
        lines = [line for line in page.splitlines() if not line.startswith("![")]
        logs.text("text/report", "\n".join(lines), 0)
        for name, embedding in embeddings.items():
            sprites = embedding.sprites
            small = None if sprites is None else fitting(sprites)
            logs.embedding(name, embedding.vectors, embedding.columns, small)
    finally:
        logs.close()


def fitting(sprites: UInt8[np.ndarray, "n s s 3"]) -> UInt8[np.ndarray, "n t t 3"]:
    """Made smaller, if the square of all of them would be too large for the projector."""
    side = min(sprites.shape[1], _SIDE // math.ceil(len(sprites) ** 0.5))
    if side == sprites.shape[1]:
        return sprites
    small = [Image.fromarray(sprite).resize((side, side)) for sprite in sprites]
    return np.stack([np.asarray(sprite) for sprite in small])
