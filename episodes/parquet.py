"""Parquet files of others, with their sizes checked before anything is unpacked.

Format: https://parquet.apache.org/docs/file-format/
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from episodes.errors import UserError
from episodes.trust import regular_file

if TYPE_CHECKING:
    import pyarrow

MAX_BYTES = 2 << 30  # unpacked
_MAX_ROWS = 100_000_000
_THRIFT = 256 << 20  # bytes and items of the footer


def load_parquet(
    path: str | Path, columns: Sequence[str] | None = None, max_bytes: int = MAX_BYTES
) -> "pyarrow.Table":
    """The columns called `columns` (None: all).

    Raises:
        UserError: naming the file: it is damaged, lacks a column, or would unpack to more than
            `max_bytes`.
    """
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
            names = file.schema_arrow.names
            lacking = [name for name in columns or () if name not in names]
            if lacking or len(set(names)) < len(names):
                problem = f"lacks the column {lacking[0]!r}" if lacking else "names a column twice"
                raise UserError(f"{problem}; it has {', '.join(names)[:200]}")
            _check_size(file.metadata, max_bytes)
            table = file.read(None if columns is None else list(columns))
            table.validate(full=True)
            return table
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (pyarrow.ArrowException, OSError, ValueError, TypeError, MemoryError,
            RuntimeError, LookupError) as error:  # fmt: skip
        raise UserError(f"{path}: is no readable parquet file: {error!s:.200}") from None


def _check_size(footer: "pyarrow.parquet.FileMetaData", max_bytes: int) -> None:  # pyright: ignore
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    unpacked = [group.total_byte_size for group in groups]
    if footer.num_rows > _MAX_ROWS or sum(unpacked) > max_bytes or min(unpacked, default=0) < 0:
        raise UserError(
            f"claims {footer.num_rows:,} rows of {sum(unpacked):,} bytes, "
            f"more than the {_MAX_ROWS:,} and {max_bytes:,} expected at most"
        )
    if sum(group.num_rows for group in groups) != footer.num_rows:
        raise UserError(f"claims {footer.num_rows:,} rows, which its parts contradict")
