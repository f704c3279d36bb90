"""Parquet files of others, with their sizes checked before anything is unpacked.

Format: https://parquet.apache.org/docs/file-format/
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from firsthand.common.errors import UserError
from firsthand.episodes.untrusted.trust import regular_file

if TYPE_CHECKING:
    import pyarrow

MAX_BYTES = 2 << 30  # unpacked
_MAX_ROWS = 100_000_000
_ROWS_AT_ONCE, _BYTES_AT_ONCE = 65_536, 256 << 20
_THRIFT = 256 << 20  # bytes and items of the footer


def load_parquet(
    path: str | Path,
    columns: Sequence[str] | None = None,
    max_bytes: int = MAX_BYTES,
    rows: tuple[int, int] | None = None,
) -> "pyarrow.Table":
    """The columns called `columns` (None: all), of all rows or of `rows` (first, end) alone.

    Raises:
        UserError: naming the file: it is damaged, lacks a column or a row, or what is asked for
            would unpack to more than `max_bytes`.
    """
    with _open(path) as file:
        names = file.schema_arrow.names
        lacking = [name for name in columns or () if name not in names]
        if lacking or len(set(names)) < len(names):
            problem = f"lacks the column {lacking[0]!r}" if lacking else "names a column twice"
            raise UserError(f"{problem}; it has {', '.join(names)[:200]}")
        first, end = rows or (0, file.metadata.num_rows)
        if not 0 <= first <= end <= file.metadata.num_rows:
            raise UserError(f"has {file.metadata.num_rows} rows, not {first} to {end - 1}")
        groups, before = _groups(file.metadata, first, end, max_bytes)
        table = _read(file, groups, names if columns is None else columns, max_bytes)
        table = table.slice(first - before, end - first)
        table.validate(full=True)
        return table


def _read(
    file: "pyarrow.parquet.ParquetFile",  # pyright: ignore
    groups: list[int],
    columns: Sequence[str],
    max_bytes: int,
) -> "pyarrow.Table":
    """A few rows at a time: what a file packs by naming it once may unpack to any size."""
    import pyarrow

    fields = [file.schema_arrow.field(name) for name in columns]
    # (No look at single columns of the footer: pyarrow 26 aborts the process on damaged ones.)
    largest = max((file.metadata.row_group(number).total_byte_size for number in groups), default=0)
    longest = (
        largest if any(_texts(field.type) for field in fields) else 1
    )  # bytes that a value may take
    rows = max(1, min(_ROWS_AT_ONCE, _BYTES_AT_ONCE // max(1, longest)))
    batches, size = [], 0
    for batch in file.iter_batches(rows, row_groups=groups, columns=list(columns)):
        size += batch.nbytes
        if size > max_bytes:
            raise UserError(f"unpacks to more than the {max_bytes:,} bytes expected at most")
        batches.append(batch)
    schema = batches[0].schema if batches else pyarrow.schema(fields)
    return pyarrow.Table.from_batches(batches, schema)


def _texts(kind: "pyarrow.DataType") -> bool:
    """Whether a column's values, or those in its lists and structures, may be of any size."""
    from pyarrow import types

    if kind.num_fields:
        return any(_texts(kind.field(number).type) for number in range(kind.num_fields))
    return not types.is_primitive(kind)


def enclosing_rows(path: str | Path, rows: tuple[int, int]) -> tuple[int, int]:
    """The rows (first, end) of the groups that `rows` are in, which are read in one go anyway.

    Raises:
        UserError: naming the file, which is damaged or lacks a row.
    """
    with _open(path) as file:
        counts = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
        starts = [0, *accumulate(counts)]
        first, end = rows
        if not 0 <= first < end <= starts[-1]:
            raise UserError(f"has {starts[-1]} rows, not {first} to {end - 1}")
        before = max(start for start in starts if start <= first)
        return before, min(start for start in starts if start >= end)


def parquet_columns(path: str | Path) -> tuple[str, ...]:
    """The names of a file's columns. Raises `UserError`, naming the file, when it is damaged."""
    with _open(path) as file:
        return tuple(file.schema_arrow.names)


@contextmanager
def _open(path: str | Path) -> "Iterator[pyarrow.parquet.ParquetFile]":  # pyright: ignore
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UserError(f"{path}: needs pyarrow: pip install 'firsthand[lerobot]'") from None

    regular_file(path)
    try:
        with parquet.ParquetFile(
            path,
            thrift_string_size_limit=_THRIFT,
            thrift_container_size_limit=_THRIFT,
            page_checksum_verification=True,
        ) as file:
            yield file
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (pyarrow.ArrowException, OSError, ValueError, TypeError, MemoryError,
            RuntimeError, LookupError) as error:  # fmt: skip
        raise UserError(f"{path}: is no readable parquet file: {error!s:.200}") from None


def _groups(
    footer: "pyarrow.parquet.FileMetaData",  # pyright: ignore
    first: int,
    end: int,
    max_bytes: int,
) -> tuple[list[int], int]:
    """The groups of rows that hold the rows first … end - 1, and how many rows are before them."""
    sizes = [footer.row_group(number) for number in range(footer.num_row_groups)]
    starts = [0, *accumulate(group.num_rows for group in sizes)]
    if starts[-1] != footer.num_rows or starts != sorted(starts):
        raise UserError(f"claims {footer.num_rows:,} rows, which its parts contradict")
    wanted = [n for n in range(len(sizes)) if starts[n] < end and starts[n + 1] > first]
    unpacked = [sizes[number].total_byte_size for number in wanted]
    if end - first > _MAX_ROWS or sum(unpacked) > max_bytes or min(unpacked, default=0) < 0:
        raise UserError(
            f"claims {end - first:,} rows of {sum(unpacked):,} bytes, "
            f"more than the {_MAX_ROWS:,} and {max_bytes:,} expected at most"
        )
    return wanted, starts[wanted[0]] if wanted else first
