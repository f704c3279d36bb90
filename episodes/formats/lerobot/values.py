"""The numbers in the parquet files of a LeRobot dataset."""

import math
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from firsthand.common.errors import UserError
from firsthand.episodes.formats.lerobot.layout import Feature
from firsthand.episodes.formats.salvage import to_single
from firsthand.episodes.untrusted.parquet import enclosing_rows, load_parquet, parquet_columns
from firsthand.episodes.untrusted.trust import regular_file

if TYPE_CHECKING:
    import pyarrow


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
        numbers = values.to_numpy(zero_copy_only=False)
    except (ValueError, pyarrow.ArrowException):
        numbers = np.empty(0, object)
    if numbers.dtype.kind not in "biuf":
        raise UserError(f"is {values.type}, no numbers")
    if numbers.size != rows * math.prod(shape):
        stated = f"{list(feature.shape)} in each of {rows} frames"
        raise UserError(f"holds {len(values)} numbers, not {stated}")
    return numbers.reshape(rows, *shape)


def frame_by_frame(column: Any, size: int) -> Float32[np.ndarray, "t size"]:
    """`size` numbers a frame; not-a-numbers where a frame holds something else."""
    values = np.full((len(column), size), np.nan, np.float32)
    for frame, cell in enumerate(column.to_pylist()):
        with suppress(TypeError, ValueError):
            numbers = to_single(np.asarray(cell, np.float64))
            values[frame] = numbers if numbers.shape == (size,) else np.nan
    return values


def columns_of(
    path: Path, names: Sequence[str], rows: tuple[int, int] | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """The columns that can be read, and why the others cannot: a damaged one costs itself alone."""
    there = parquet_columns(path)
    faults = {n: f"is no column of {path.name}" for n in names if n not in there}
    wanted = [name for name in names if name not in faults]
    try:
        table = load_rows_of(path, wanted, rows)
        return {name: table.column(name) for name in wanted}, faults
    except UserError as error:
        if len(wanted) < 2:
            return {}, faults | {name: str(error) for name in wanted}
    columns: dict[str, Any] = {}
    for name in wanted:
        one, fault = columns_of(path, [name], rows)
        columns, faults = columns | one, faults | fault
    return columns, faults
