"""Pictures in rows and columns, with words: at the size at which TensorBoard's cards show them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont

Picture = UInt8[np.ndarray, "_ _ 3"]

WIDTH = 350  # pixels of a card; wider pictures are made smaller there, and their words unreadable
_GAP, _LINE, _BAR = 4, 19, 10
_SIZES = range(15, 10, -1)  # of letters
_LETTERS = 500  # of a text, of which not even the narrowest fit
_BRIGHT, _HEAT = colormaps["viridis"], colormaps["hot"]


@dataclass(frozen=True)
class GridRow:
    """Pictures beside each other under lines of words."""

    lines: Sequence[str]
    cells: Sequence[Picture]


@dataclass(frozen=True)
class ColorBar:
    """What colours mean: at the left end, at the right one."""

    colours: Callable[[Float[np.ndarray, "h w"]], Picture]
    least: str
    most: str


def sheet(title: str, names: Sequence[str], rows: Sequence[GridRow], bar: ColorBar) -> Picture:
    """A title, the columns' names, the rows, and what their colours mean. Cells become squares."""
    side = (WIDTH - _GAP) // max(len(row.cells) for row in rows) - _GAP
    lines = 2 + bool(names) + sum(len(row.lines) for row in rows)
    height = lines * _LINE + len(rows) * (side + _GAP) + 2 * _GAP + _BAR
    canvas = Image.new("RGB", (WIDTH, height), "white")
    top = _write(canvas, 0, [(0, WIDTH, title)], "black")
    if names:
        heads = [(_GAP + n * (side + _GAP), side, name) for n, name in enumerate(names)]
        top = _write(canvas, top, heads, "black")
    for row in rows:
        for line in row.lines:
            top = _write(canvas, top, [(_GAP, WIDTH - 2 * _GAP, line)], "#444444", anchor="lm")
        for column, cell in enumerate(row.cells):
            square = Image.fromarray(cell).resize((side, side), Image.Resampling.BICUBIC)
            canvas.paste(square, (_GAP + column * (side + _GAP), top))
        top += side + _GAP
    ramp = bar.colours(np.linspace(0, 1, WIDTH - 2 * _GAP)[None].repeat(_BAR, 0))
    canvas.paste(Image.fromarray(ramp), (_GAP, top + _GAP))
    top += _GAP + _BAR
    _write(canvas, top, [(_GAP, WIDTH // 2, bar.least)], "black", anchor="lm")
    _write(canvas, top, [(WIDTH // 2, WIDTH // 2 - _GAP, bar.most)], "black", anchor="rm")
    return np.asarray(canvas)


def _write(
    canvas: Image.Image,
    top: int,
    words: Sequence[tuple[int, int, str]],
    ink: str,
    anchor: str = "mm",
) -> int:
    """Words, each on one line in a stretch (left, width), smaller or cut if need be; returns the
    next top."""
    pen = ImageDraw.Draw(canvas)
    for left, width, whole in words:
        text = " ".join(whole[:_LETTERS].split())
        fonts = [ImageFont.load_default(size) for size in _SIZES]
        font = next((f for f in fonts if pen.textlength(text, f) <= width), fonts[-1])
        while len(text) > 1 and pen.textlength(text, font) > width:
            text = text[:-2].rstrip() + "…"
        x = {"l": left, "m": left + width / 2, "r": left + width}[anchor[0]]
        pen.text((x, top + _LINE / 2), text, fill=ink, font=font, anchor=anchor)
    return top + _LINE


def heat(level: Float[np.ndarray, "h w"]) -> Picture:
    """Black over red and yellow to white, for levels from 0 to 1."""
    return (255 * _HEAT(level.clip(0, 1))[..., :3]).round().astype(np.uint8)


def bright(level: Float[np.ndarray, "h w"]) -> Picture:
    """Viridis, for levels from 0 to 1: what is laid over pictures."""
    return (255 * _BRIGHT(level.clip(0, 1))[..., :3]).round().astype(np.uint8)


def overlaid(picture: UInt8[np.ndarray, "h w 3"], look: Float[np.ndarray, "h w"]) -> Picture:
    """A picture under the colours of a map in 0..1, the stronger the map the less of it is seen."""
    weight = look.clip(0, 1)[..., None] ** 0.7
    return ((1 - weight) * picture + weight * bright(look)).round().astype(np.uint8)
