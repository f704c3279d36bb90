"""Sheets of frames with words."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from firsthand.grounding.report.style import Picture
from firsthand.training.visualize.image_grid import overlaid

_CELL = 96  # pixels of a frame's side
_GAP = 4
_LINE = 16  # pixels of a line of text
_CAPTION = 92  # pixels for the words before a row
_EDGE = 4  # pixels of the border of a wrong frame
_TALL = 14  # rows in a column
_BEST = 5  # words under a frame
_WIDE = 8  # frames in a row
_GREEN, _RED, _GREY = (0, 128, 60), (214, 32, 32), (96, 96, 96)


def frames_by_word_montage(
    found: Mapping[str, Sequence[Picture]], right: Mapping[str, Sequence[bool]]
) -> Picture:
    """The frames nearest to each word, in order; those that show something else are framed red."""
    rows = {}
    for word, frames in found.items():
        cells = [_cell(frame) for frame in frames]
        for cell, good in zip(cells, right[word], strict=True):
            if not good:
                _paint_edge(cell)
        rows[word, f"{sum(right[word])} of {len(cells)}"] = cells
    return _sheet(rows)


def words_by_frame_montage(
    frames: Sequence[Picture],
    labels: Sequence[str],
    words: Sequence[str],
    similarity: Float[np.ndarray, "n w"],
) -> Picture:
    """Under each frame its nearest words and their cosines, its label in green.

    Above it the label, in red if it is not among them.
    """
    best = min(_BEST, len(words))
    width, height = _CELL + 3 * _GAP, _CELL + (best + 1) * _LINE + 2 * _GAP
    across = min(len(frames), _WIDE)
    down = -(-len(frames) // across)
    sheet = Image.new("RGB", (across * width + _GAP, down * height + _GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for number, (frame, label, near) in enumerate(zip(frames, labels, similarity, strict=True)):
        left, top = _GAP + number % across * width, _GAP + number // across * height
        order = [int(row) for row in np.argsort(-near, kind="stable")[:best]]
        found = label in [words[row] for row in order]
        pen.text((left, top), label, fill=_GREEN if found else _RED, font=font)
        sheet.paste(Image.fromarray(_cell(frame)), (left, top + _LINE))
        for line, row in enumerate(order):
            y = top + _CELL + (line + 1) * _LINE
            colour = _GREEN if words[row] == label else _GREY
            pen.text((left, y), words[row], fill=colour, font=font)
            pen.text((left + _CELL, y), f"{near[row]:.2f}", fill=colour, font=font, anchor="ra")
    return np.asarray(sheet)


def saliency_montage(
    words: Sequence[str],
    frames: UInt8[np.ndarray, "w n s s 3"],
    maps: Float[np.ndarray, "w n s s"],
) -> Picture:
    """Frames of each word, each beside its saliency map for the word (CVCL's figure 5)."""
    rows = {}
    for word, of_word, saliency in zip(words, frames, maps, strict=True):
        cells = []
        for frame, one in zip(of_word, saliency, strict=True):
            cells += [_cell(frame), _cell(overlaid(frame, one))]
        rows[word, ""] = cells
    return _sheet(rows)


def _cell(frame: Picture) -> UInt8[np.ndarray, "side side 3"]:
    return np.array(Image.fromarray(frame).resize((_CELL, _CELL), Image.Resampling.BICUBIC))


def _paint_edge(cell: Picture) -> None:
    inside: Bool[np.ndarray, "h w"] = np.zeros(cell.shape[:2], dtype=bool)
    inside[_EDGE:-_EDGE, _EDGE:-_EDGE] = True
    cell[~inside] = _RED


def _sheet(rows: Mapping[tuple[str, str], Sequence[Picture]]) -> Picture:
    """Rows of cells on white, two lines of words before each; many rows in several columns."""
    across = -(-len(rows) // _TALL)
    down = -(-len(rows) // across)
    width = _CAPTION + max(len(cells) for cells in rows.values()) * (_CELL + _GAP) + 4 * _GAP
    height = _CELL + _GAP
    sheet = Image.new("RGB", (across * width, down * height + _GAP), "white")
    pen, large, small = (
        ImageDraw.Draw(sheet), ImageFont.load_default(15), ImageFont.load_default(12)
    )  # fmt: skip
    for number, ((name, note), cells) in enumerate(rows.items()):
        left, top = number // down * width + _GAP, number % down * height + _GAP
        pen.text((left + _GAP, top + _CELL / 2), name, fill="black", font=large, anchor="lm")
        under = (left + _GAP, top + _CELL / 2 + _LINE)
        pen.text(under, note, fill=_GREY, font=small, anchor="lm")
        for column, cell in enumerate(cells):
            corner = (left + _CAPTION + column * (_CELL + _GAP), top)
            sheet.paste(Image.fromarray(cell), corner)
    return np.asarray(sheet)
