"""Files of others: nothing in them leads out of their folder, stalls or fills the memory.

What a dataset says is a claim. Paths in it stay inside it (`inside`), its texts and tables are
read up to a size, and whatever is wrong ends as one `UserError` that names the file. For arrays
see `episodes.npy`, `episodes.npz`, `episodes.hdf5` and `episodes.parquet`.
"""

import codecs
import csv
import io
import json
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from episodes.errors import UserError

LARGE = 2 << 30  # bytes; Ego4D's narrations, the largest table in use, take half of it


def inside(root: Path, name: str, links: bool = False) -> Path:
    """The file that a dataset in the folder `root` calls `name`, which need not exist.

    Args:
        links: whether links may lead out of `root`. Those of the Hub's cache always may, from a
            repository's snapshot to its contents: snapshots/REVISION/… -> blobs/….

    Raises:
        UserError: `name` is absolute, or leads out of `root` by ".." or through a link.
    """
    parts = Path(name).parts if "\0" not in name else ()
    if not parts or os.path.isabs(name) or ".." in parts:
        raise UserError(f"{root}: {name!r:.200} does not name a file inside this folder")
    path = root / name
    try:
        real = path.resolve()
    except (OSError, RuntimeError):  # links that lead in a circle
        raise UserError(f"{path}: is a link that leads nowhere") from None
    except ValueError:  # half of a character, as JSON may hold it
        raise UserError(f"{root}: {name!r:.200} does not name a file inside this folder") from None
    if not links and not any(real.is_relative_to(folder) for folder in _own(root.resolve())):
        raise UserError(f"{path}: is a link to {real}, outside {root}; links=true follows it")
    return path


def _own(root: Path) -> list[Path]:
    """The folders that a dataset's files may be in: the Hub keeps the contents beside the names."""
    kept = [
        f.parent.with_name("blobs") for f in (root, *root.parents) if f.parent.name == "snapshots"
    ]
    return [root, *kept]


def regular_file(path: str | Path) -> int:
    """The size of a file. Opening a pipe or a device instead of one could wait for ever.

    Raises:
        UserError: there is no file, or it is something else.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{path}: cannot be opened: {reason}") from None
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path}: is no file but a folder, pipe or device")
    return status.st_size


def is_there(path: str | Path) -> bool:
    """Whether the name is in use, for a file or not: reading it tells what is wrong with it."""
    return os.path.lexists(path)


def load_bytes(path: str | Path, max_bytes: int = LARGE) -> bytes:
    """The content of a file of at most `max_bytes`."""
    if (size := regular_file(path)) > max_bytes:
        raise UserError(f"{path}: has {size:,} bytes, more than the {max_bytes:,} expected at most")
    try:
        with open(path, "rb") as file:
            return file.read(max_bytes + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


def load_text(path: str | Path, max_bytes: int = LARGE) -> str:
    """UTF-8, or UTF-16 that says so, without zero bytes; a byte order mark is dropped."""
    data = load_bytes(path, max_bytes)
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        kind = "UTF-16" if marked else "UTF-8"
        raise UserError(f"{path}: is no {kind} text (at byte {error.start})") from None
    if "\0" in text:
        raise UserError(f"{path}: is no text: it holds a zero byte")
    return text


def is_text(text: str) -> bool:
    """Whether it holds no zeros and no halves of characters, as Python's texts and JSON's may."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def load_json(path: str | Path, max_bytes: int = LARGE) -> Any:
    """JSON in which no table names anything twice (Python would keep the last one silently)."""
    return parse_json(load_text(path, max_bytes), str(path))


def load_json_lines(path: str | Path, lose: Callable[[str, str], None]) -> list[tuple[int, Any]]:
    """The value and the number of every line that is not empty. `lose` is told which cannot be
    read, and why."""
    rows = []
    for number, line in enumerate(load_text(path).split("\n"), 1):
        try:
            rows += [(number, parse_json(line, ""))] if line.strip() else []
        except UserError as error:
            lose(f"line {number}", str(error).removeprefix(": "))
    return rows


def parse_json(text: str, where: str) -> Any:
    """See `load_json`; `where` is what errors call the text."""
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise UserError(f"{where}: is nested too deeply") from None
    except ValueError as error:
        raise UserError(f"{where}: is no readable JSON: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r:.100} is named twice in one table")
    return table


def load_csv(
    path: str | Path, columns: Sequence[str], max_bytes: int = LARGE, delimiter: str = ","
) -> list[dict[str, str]]:
    """The lines of a table as column -> text.

    Raises:
        UserError: a column of `columns` is missing, or a line has more or fewer fields than the
            first one, which names the columns.
    """

    def refuse(where: str, reason: str) -> None:
        raise UserError(f"{path}: {where} {reason}")

    table = parse_csv(load_text(path, max_bytes), str(path), columns, delimiter, refuse)
    return [row for _, row in table]


def parse_csv(
    text: str,
    path: str,
    columns: Sequence[str],
    delimiter: str,
    lose: Callable[[str, str], None],
) -> list[tuple[int, dict[str, str]]]:
    """The rows of a table with their lines. `lose` is told of each that has not the fields that the
    first line names, and why.

    Raises:
        UserError: the first line does not name the `columns`.
    """
    rows = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    names: list[str] | None = None
    table = []
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            lose(f"line {rows.line_num}", f"is no readable CSV: {error}")
            continue
        if names is None:
            names = _named([name.strip() for name in row or ()], columns, path)
        elif row is None:
            return table
        elif row and len(row) != len(names):
            fields = f"has {len(row)} fields, the first line has {len(names)}"
            lose(f"line {rows.line_num}", fields)
        elif row:
            table.append((rows.line_num, dict(zip(names, row, strict=True))))


def _named(names: list[str], columns: Sequence[str], path: str) -> list[str]:
    missing = [column for column in columns if column not in names]
    named = [name for name in names if name]  # spreadsheets write empty columns behind the last
    if missing or len(set(named)) < len(named):
        problem = f"lacks the column {missing[0]!r}" if missing else "names a column twice"
        raise UserError(f"{path}: {problem}; it has {', '.join(names)[:200] or 'none'}")
    return names
