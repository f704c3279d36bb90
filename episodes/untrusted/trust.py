"""Files of others: nothing in them leads out of their folder, stalls or fills the memory.

What a dataset says is a claim. Paths in it stay inside it (`inside`), its texts and tables are
read up to a size, and whatever is wrong ends as one `UserError` that names the file. For arrays
see `npy`, `npz`, `hdf5` and `parquet` beside this file.
"""

import codecs
import csv
import io
import json
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firsthand.common.errors import UserError

_HALF = re.compile("[\ud800-\udfff]")  # of a character
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
    text = _decoded(load_bytes(path, max_bytes), path, "strict")
    if "\0" in text:
        raise UserError(f"{path}: is no text: it holds a zero byte")
    return text


def load_damaged_text(path: str | Path, max_bytes: int = LARGE) -> str:
    """The same, but zero bytes stay in it, and bytes that are no UTF-8 as halves of characters:
    `why_no_text` tells of each part whether it can be used, so that a bad byte costs its part."""
    return _decoded(load_bytes(path, max_bytes), path, "surrogateescape")


def _decoded(data: bytes, path: str | Path, errors: str) -> str:
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16") if marked else data.decode("utf-8-sig", errors)
    except UnicodeDecodeError as error:
        kind = "UTF-16" if marked else "UTF-8"
        raise UserError(f"{path}: is no {kind} text (at byte {error.start})") from None


def is_text(text: str) -> bool:
    """Whether it holds no zeros and no halves of characters, as Python's texts and JSON's may."""
    return not why_no_text(text)


def why_no_text(text: str) -> str:
    """Why a part of a file that was read with `load_damaged_text` is no text; "" if it is one."""
    if "\0" in text:
        return "is no text: it holds a zero byte"
    return "is no UTF-8 text" if _HALF.search(text) else ""


def load_json(path: str | Path, max_bytes: int = LARGE) -> Any:
    """JSON in which no table names anything twice (Python would keep the last one silently)."""
    return parse_json(load_text(path, max_bytes), str(path))


@dataclass(frozen=True, repr=False)
class NamedTwice:
    """What stands in a table for values that go by one name: none of them is known to be meant."""

    name: str

    def __repr__(self) -> str:
        return f"{self.name!r:.100} is named twice in one table"


def load_annotations(path: str | Path) -> Any:
    """JSON of which each entry is judged for itself by who reads it: a name that comes twice in a
    table is a `NamedTwice` there, and a text that is none is for `is_text` to find."""
    return parse_json(load_damaged_text(path), str(path), strict=False)


def load_json_lines(path: str | Path, lose: Callable[[str, str], None]) -> list[tuple[int, Any]]:
    """The value and the number of every line that is not empty. `lose` is told which cannot be
    read, and why."""
    rows = []
    for number, line in enumerate(load_damaged_text(path).split("\n"), 1):
        try:
            if why := why_no_text(line):
                raise UserError(why)
            rows += [(number, parse_json(line, ""))] if line.strip() else []
        except UserError as error:
            lose(f"line {number}", str(error).removeprefix(": "))
    return rows


def parse_json(text: str, where: str, strict: bool = True) -> Any:
    """See `load_json`, or if not `strict` `load_annotations`; `where` is what errors call the
    text."""
    try:
        table = _unique if strict else _marked
        return json.loads(text, object_pairs_hook=table, strict=strict)
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


def _marked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        counted = Counter(name for name, _ in pairs)
        table |= {name: NamedTwice(name) for name, count in counted.items() if count > 1}
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
    first line names, or holds what is no text, and why. A cell may run over several lines, unless
    these are rows themselves: then its quote is a stray one, which costs its own row.

    Raises:
        UserError: the first line does not name the `columns`.
    """
    lines = io.StringIO(text, newline="").readlines()
    names: list[str] | None = None
    table = []
    first = base = 0  # the lines at which a row and the reader begin
    rows = _reader(lines, delimiter)
    while first < len(lines):
        try:
            row, why = next(rows), ""
        except csv.Error as error:
            row, why = [], f"is no readable CSV: {error}"
        end = base + rows.line_num
        if names and end > first + 1 and _is_stray(lines[first:end], len(names), delimiter, why):
            lose(f"line {first + 1}", "begins a cell with a quote that it does not end")
            first = base = first + 1
            rows = _reader(map(lines.__getitem__, range(base, len(lines))), delimiter)
            continue
        first = end
        if why:
            lose(f"line {end}", why)
        elif names is None:
            names = _named([name.strip() for name in row], columns, path)
        elif row and len(row) != len(names):
            lose(f"line {end}", f"has {len(row)} fields, the first line has {len(names)}")
        elif why := why_no_text("".join(row)):
            lose(f"line {end}", why)
        elif row:
            table.append((end, dict(zip(names, row, strict=True))))
    if names is None:
        _named([], columns, path)
    return table


def _reader(lines: Iterable[str], delimiter: str, strict: bool = True) -> Any:
    return csv.reader(lines, strict=strict, delimiter=delimiter)


def _is_stray(lines: list[str], fields: int, delimiter: str, why: str) -> bool:
    """Whether the quote that joins lines is a stray one: they look like rows as the one it is in.

    Any of them, if together they are no readable CSV and `why` says so; else all, and more alike
    than in a word at their beginning.
    """
    *before, opened = next(_reader(lines[:1], delimiter, strict=False))
    alike = [_kind(cell) for cell in before or opened.split(delimiter)[:1]]

    def is_row(line: str) -> bool:
        with suppress(csv.Error):
            row = next(_reader([line], delimiter, strict=False))
            return len(row) == fields and [_kind(cell) for cell in row[: len(alike)]] == alike
        return False

    others = [line for line in lines[1:] if line.strip()]
    if not others or fields == 1 or (not why and alike == ["w"]):
        return False
    return (any if why else all)(map(is_row, others))


def _kind(cell: str) -> str:
    """What a cell looks like: 0 for numbers and times, w for words, and what stands between."""
    return re.sub(r"\b(?!0\b)\w+", "w", re.sub(r"(?<!\w)\d[\d.,:]*(?!\w)", "0", cell))


def _named(names: list[str], columns: Sequence[str], path: str) -> list[str]:
    missing = [column for column in columns if column not in names]
    named = [name for name in names if name]  # spreadsheets write empty columns behind the last
    if missing and (why := why_no_text("".join(names))):
        raise UserError(f"{path}: {why}")
    if missing or len(set(named)) < len(named):
        problem = f"lacks the column {missing[0]!r}" if missing else "names a column twice"
        raise UserError(f"{path}: {problem}; it has {', '.join(names)[:200] or 'none'}")
    return names
