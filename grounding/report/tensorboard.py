"""Where the pictures of a report go: PNG files, and TensorBoard with its projector."""

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from firsthand.common.atomic import write_bytes
from firsthand.grounding.evaluation.embeddings import read_pictures
from firsthand.grounding.evaluation.metrics import PictureSet
from firsthand.grounding.report.figures import some_frames
from firsthand.grounding.report.report import GroundingReport
from firsthand.grounding.report.style import Picture
from firsthand.training.logger import TensorBoardLogger

_SIDE = 8192  # pixels: the projector loads no larger sprite
_SPRITE = 48
_DIGITS = 5  # of vectors, which are written as text


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
        write_bytes(folder / f"{name}.png", buffer.getbuffer())


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


def scalars_of(report: GroundingReport) -> dict[str, float]:
    """What the model in question is right in, by test set; all else is in pictures and the page:
    a card for each of a hundred numbers hides them all. Tags come after those of pictures.
    """
    compared = next(row for row in report.rows if row.compared)
    return {f"trials/{_tag(name)}": accuracy.mean for name, accuracy in compared.sets.items()}


def embeddings_of(scene: PictureSet) -> dict[str, Embedding]:
    """Words and some of the pictures of what they mean, in the space that they share."""
    rows = some_frames(scene)
    paths = [scene.paths[row] for row in rows]
    frames = read_pictures(paths, _SPRITE, scene.shrunk).permute(0, 2, 3, 1).numpy()
    vectors = np.concatenate([scene.seen[rows].numpy(), scene.said.numpy()])
    columns = {
        "word": [*(scene.shown[row] for row in rows), *scene.words],
        "kind": ["picture"] * len(rows) + ["word"] * len(scene.words),
    }
    sprites = np.concatenate([frames, np.stack([_written(word) for word in scene.words])])
    return {"words_and_pictures": Embedding(vectors.round(_DIGITS), columns, sprites)}


def _written(word: str) -> UInt8[np.ndarray, "side side 3"]:
    """A word as a picture, as large as it fits."""
    tile = Image.new("RGB", (_SPRITE, _SPRITE), "white")
    pen = ImageDraw.Draw(tile)
    fonts = (ImageFont.load_default(size) for size in range(16, 6, -1))
    font = next((f for f in fonts if pen.textlength(word, f) <= _SPRITE - 4), None)
    middle = (_SPRITE / 2, _SPRITE / 2)
    pen.text(middle, word, fill="black", font=font or ImageFont.load_default(6), anchor="mm")
    return np.asarray(tile)


def _tag(name: str) -> str:
    return re.sub(r"[^0-9A-Za-z]+", "_", name.removesuffix(".json").removesuffix(".csv")).strip("_")


def fitting(sprites: UInt8[np.ndarray, "n s s 3"]) -> UInt8[np.ndarray, "n t t 3"]:
    """Made smaller, if the square of all of them would be too large for the projector."""
    side = min(sprites.shape[1], _SIDE // math.ceil(len(sprites) ** 0.5))
    if side == sprites.shape[1]:
        return sprites
    small = [Image.fromarray(sprite).resize((side, side)) for sprite in sprites]
    return np.stack([np.asarray(sprite) for sprite in small])
