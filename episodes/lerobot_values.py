"""What the files of a LeRobot dataset hold: sentences, numbers and pictures."""

import io
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from episodes.errors import UserError
from episodes.lerobot_layout import Feature
from episodes.parquet import enclosing_rows, load_parquet
from episodes.trust import is_there, load_json_lines, regular_file

if TYPE_CHECKING:
    import pyarrow

_NEAR = Fraction(1, 4)  # of a period, by which a picture may miss its time
_MODES = ("RGB", "RGBA", "L", "P")


def tasks_path(root: Path) -> Path:
    """The table of sentences: tasks.jsonl before version 3."""
    new = root / "meta" / "tasks.parquet"
    return new if is_there(new) else root / "meta" / "tasks.jsonl"


@lru_cache(maxsize=4)
def load_tasks(path: Path, stamp: tuple[int, int]) -> dict[int, str]:
    """Number -> sentence.

    Args:
        stamp: the file's size and time; when they change it is read again.

    Raises:
        UserError: naming the file, which is damaged.
    """
    try:
        if path.suffix == ".jsonl":
            pairs = [(line["task_index"], line["task"]) for line in load_json_lines(path)]
        else:
            columns = load_parquet(path).to_pydict()
            numbers = columns.pop("task_index")
            (texts,) = columns.values()  # a pandas index, which may have any name
            pairs = list(zip(numbers, texts, strict=True))
    except UserError:
        raise
    except (LookupError, TypeError, ValueError):
        raise UserError(f"{path}: holds no table of tasks") from None
    if not all(isinstance(n, int) and isinstance(t, str) for n, t in pairs):
        raise UserError(f"{path}: a task is no number and text")
    if len(tasks := dict(pairs)) < len(pairs):
        raise UserError(f"{path}: two tasks have the same number")
    return tasks


def load_rows_of(
    path: Path, columns: Sequence[str], rows: tuple[int, int] | None
) -> "pyarrow.Table":
    """The columns of an episode: all rows of a file, or `rows` (first, end) of one with others."""
    if rows is None:
        return load_parquet(path, columns)
    first, end = enclosing_rows(path, rows)
    if rows == (first, end):
        return load_parquet(path, columns, rows=rows)
    stamp = (regular_file(path), path.stat().st_mtime_ns)
    table = _load_group(path, stamp, tuple(columns), (first, end))
    return table.slice(rows[0] - first, rows[1] - rows[0])


@lru_cache(maxsize=1)  # of files whose episodes share a group, the next wants the same again
def _load_group(
    path: Path, stamp: tuple[int, int], columns: tuple[str, ...], rows: tuple[int, int]
) -> "pyarrow.Table":
    return load_parquet(path, columns, rows=rows)


def to_numbers(column: Any, feature: Feature) -> np.ndarray:
    """A column of a parquet file as an array (rows, *shape), (rows,) for (1,) without a name.

    Raises:
        UserError: (without the column's name) it holds something else.
    """
    import pyarrow
    from pyarrow import types

    values = column.combine_chunks()
    rows = len(values)
    while types.is_nested(values.type):
        if types.is_struct(values.type) or values.null_count:
            raise UserError(f"is {values.type}, with {values.null_count} frames missing")
        if not types.is_fixed_size_list(values.type):
            lengths = values.value_lengths().unique().to_pylist()
            if len(lengths) > 1:
                raise UserError(f"has {min(lengths)} to {max(lengths)} numbers a frame")
        values = values.flatten()
    if values.null_count:
        raise UserError(f"lacks {values.null_count} numbers")
    shape = () if feature.shape == (1,) and feature.names is None else feature.shape
    try:
        return values.to_numpy(zero_copy_only=False).reshape(rows, *shape)
    except (ValueError, pyarrow.ArrowException):
        stated = f"{list(feature.shape)} in each of {rows} frames"
        raise UserError(f"holds {len(values)} numbers, not {stated}") from None


def embedded(cells: Sequence[Any]) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """Pictures that lie in the parquet file itself, as PNG or JPEG."""
    for frame, cell in enumerate(cells):
        data = cell.get("bytes") if isinstance(cell, dict) else None
        if not isinstance(data, bytes):
            raise UserError(f"of frame {frame} is not in the parquet file")
        try:
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
                mode = image.mode
                pixels = np.asarray(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise UserError(f"of frame {frame} is no readable picture: {error}") from None
        if mode not in _MODES:
            raise UserError(f"of frame {frame} has pixels of the kind {mode}, which are no colours")
        yield pixels


def decoded(
    path: Path, times: Iterable[Fraction], period: Fraction
) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """The pictures of a video at given times; decoding starts at the keyframe before the first."""
    from episodes.decode import OpenVideo
    from episodes.seek import shown_at
    from episodes.video import upright

    times = list(times)
    count = 0
    with OpenVideo(path) as video:
        for time, shown in zip(times, shown_at(video, times), strict=False):
            if abs(shown.start - time) > _NEAR * period:
                nearest = f"the nearest is at {float(shown.start):.3f} s"
                raise UserError(f"has no picture at {float(time):.3f} s; {nearest}")
            count += 1
            yield upright(shown.frame.to_ndarray(format="rgb24"), shown.frame)[0]
    if count < len(times):
        raise UserError(f"has no picture at {float(times[count]):.3f} s, where it is over")


def square(
    pictures: Iterable[UInt8[np.ndarray, "h w 3"]], size: int
) -> Iterator[UInt8[np.ndarray, "size size 3"]]:
    """The middle squares of pictures, scaled (bicubic, antialiased)."""
    for pixels in pictures:
        height, width = pixels.shape[:2]
        side = min(height, width)
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
        image = Image.fromarray(pixels)
        yield np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box))
