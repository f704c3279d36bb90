"""A report's figures as PNG files and in TensorBoard, embeddings in its projector."""

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
from firsthand.grounding.evaluation.embeddings import read_images
from firsthand.grounding.evaluation.metrics import ImageSet
from firsthand.grounding.report.figures import sample_frames
from firsthand.grounding.report.report import GroundingReport
from firsthand.grounding.report.style import Picture
from firsthand.training.logger import TensorBoardLogger

_MAX_SIDE = 8192  # pixels: the projector loads no larger sprite image
_SPRITE = 48
_DIGITS = 5  # decimals of vectors, which are written as text


@dataclass(frozen=True)
class Embedding:
    """Vectors for TensorBoard's projector."""

    vectors: Float[np.ndarray, "n d"]
    columns: Mapping[str, Sequence[str]]
    """Metadata of the vectors, by title."""
    sprites: UInt8[np.ndarray, "n s s 3"] | None = None
    """A small image for each vector."""


def save_images(figures: Mapping[str, Picture], folder: Path) -> None:
    """As `folder`/<name>.png.

    Raises:
        OutputError: one cannot be written.
    """
    for name, figure in figures.items():
        buffer = io.BytesIO()
        Image.fromarray(figure).save(buffer, "PNG")
        write_bytes(folder / f"{name}.png", buffer.getbuffer())


def write_tensorboard(
    folder: Path,
    scalars: Mapping[str, float],
    figures: Mapping[str, Picture],
    page: str,
    embeddings: Mapping[str, Embedding],
) -> None:
    """Write an event file in `folder`: scalars by their tags, pictures/*, text/report.

    The page is written without its image lines, whose files TensorBoard cannot find.
    """
    logs = TensorBoardLogger(folder, done=-1)
    try:
        logs.scalars(scalars, 0)
        for name, figure in figures.items():
            logs.image(f"pictures/{name}", figure, 0)
        lines = [line for line in page.splitlines() if not line.startswith("![")]
        logs.text("text/report", "\n".join(lines), 0)
        for name, embedding in embeddings.items():
            sprites = embedding.sprites
            small = None if sprites is None else fit_sprites(sprites)
            logs.embedding(name, embedding.vectors, embedding.columns, small)
    finally:
        logs.close()


def scalars_of(report: GroundingReport) -> dict[str, float]:
    """The accuracies of the compared model, by tag. Other values are in figures and on the page
    only: a hundred cards would hide these.
    """
    compared = next(row for row in report.rows if row.compared)
    return {f"trials/{_tag(name)}": accuracy.mean for name, accuracy in compared.sets.items()}


def embeddings_of(scene: ImageSet) -> dict[str, Embedding]:
    """Words and some of the images with these labels, in their common space."""
    rows = sample_frames(scene)
    paths = [scene.paths[row] for row in rows]
    frames = read_images(paths, _SPRITE, scene.shrunk).permute(0, 2, 3, 1).numpy()
    vectors = np.concatenate([scene.image_emb[rows].numpy(), scene.text_emb.numpy()])
    columns = {
        "word": [*(scene.labels[row] for row in rows), *scene.words],
        "kind": ["picture"] * len(rows) + ["word"] * len(scene.words),
    }
    sprites = np.concatenate([frames, np.stack([_word_tile(word) for word in scene.words])])
    return {"words_and_pictures": Embedding(vectors.round(_DIGITS), columns, sprites)}


def _word_tile(word: str) -> UInt8[np.ndarray, "side side 3"]:
    """A word drawn on a tile, as large as it fits."""
    tile = Image.new("RGB", (_SPRITE, _SPRITE), "white")
    pen = ImageDraw.Draw(tile)
    fonts = (ImageFont.load_default(size) for size in range(16, 6, -1))
    font = next((f for f in fonts if pen.textlength(word, f) <= _SPRITE - 4), None)
    middle = (_SPRITE / 2, _SPRITE / 2)
    pen.text(middle, word, fill="black", font=font or ImageFont.load_default(6), anchor="mm")
    return np.asarray(tile)


def _tag(name: str) -> str:
    return re.sub(r"[^0-9A-Za-z]+", "_", name.removesuffix(".json").removesuffix(".csv")).strip("_")


def fit_sprites(sprites: UInt8[np.ndarray, "n s s 3"]) -> UInt8[np.ndarray, "n t t 3"]:
    """Sprites made smaller if all together would be too large for the projector."""
    side = min(sprites.shape[1], _MAX_SIDE // math.ceil(len(sprites) ** 0.5))
    if side == sprites.shape[1]:
        return sprites
    small = [Image.fromarray(sprite).resize((side, side)) for sprite in sprites]
    return np.stack([np.asarray(sprite) for sprite in small])
