"""Records of an evaluation on disk: one JSON line a trial, safe to be killed at any moment."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import Any

from rich.console import Console

from firsthand.common.atomic import write_text
from firsthand.common.errors import OutputError, UserError, unwritable
from firsthand.envs.aliases import today

_PACKAGES = ("firsthand", "numpy", "pybullet", "numba", "gymnasium", "torch")

Record = dict[str, Any]


class ResultLog:
    """The records of one kind of evaluation, `<kind>.jsonl`, and what they depend on,
    `<kind>.config.json`.

    Every record is on the disk before the next is taken. Records that exist are continued only on
    request, and only when they were made in the same way. Those of trials that ended by an error of
    the policy are not taken over: the trials are tried again.

    Args:
        out: folder of the results.
        kind: "tasks" or "chains".
        conditions: all that the records depend on, ready for JSON.
        remarks: what is noted beside them, and may be another when they are continued.
        resume: continue what is there.

    Raises:
        UserError: there are results already, and they are not to be or must not be continued, or
            they are damaged, or the folder cannot be written to.
    """

    def __init__(
        self,
        out: Path,
        kind: str,
        conditions: Mapping[str, Any],
        remarks: Mapping[str, Any],
        resume: bool,
    ) -> None:
        self.path = out / f"{kind}.jsonl"
        self.records: dict[int, Record] = {}
        self._header = header = out / f"{kind}.config.json"
        conditions = json.loads(json.dumps(conditions))
        if header.exists():
            if not resume:
                raise UserError(
                    f"{self.path} already holds results: add resume=true to continue them, "
                    "or choose another folder"
                )
            before = today(read_json(header))
            check_same(header, {name: before.get(name) for name in conditions}, conditions)
            self._read()
        try:
            if not header.exists():
                out.mkdir(parents=True, exist_ok=True)
                self.path.unlink(missing_ok=True)
                write_text(header, json.dumps({**conditions, **remarks}, indent=1))
            self._file = open(self.path, "ab")  # noqa: SIM115
        except OSError as error:
            raise OutputError(f"{out}: cannot be written: {error.strerror}") from error

    def _read(self) -> None:
        """Take over finished records; a last line that was cut off is removed from the file."""
        lines = self.path.read_bytes().split(b"\n") if self.path.exists() else [b""]
        if torn := lines.pop():
            Console(stderr=True).print(
                f"{self.path}: dropped a record that was being written when the evaluation ended "
                f"({len(torn)} bytes)"
            )
            with open(self.path, "r+b") as file:
                file.truncate(sum(len(line) + 1 for line in lines))
        for number, line in enumerate(lines, 1):
            try:
                record = json.loads(line)
                if record.get("error"):
                    self.records.pop(record["index"], None)
                else:
                    self.records[record["index"]] = record
            except (ValueError, KeyError, TypeError, AttributeError):
                raise UserError(f"{self.path}: line {number} is no record of a trial") from None

    def append(self, record: Record) -> None:
        """Add a record; it is on the disk when this returns."""
        self._file.write(json.dumps(record).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.records[record["index"]] = record

    def finish(self) -> tuple[Record, ...]:
        """Put the records in order of their index, whoever was done first, and return them."""
        ordered = tuple(self.records[index] for index in sorted(self.records))
        write_text(self.path, "".join(json.dumps(record) + "\n" for record in ordered))
        return ordered

    def __enter__(self) -> "ResultLog":
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        """What ended before its first record leaves nothing that would be in the way."""
        self._file.close()
        if error is not None and not self.path.stat().st_size:
            self._header.unlink()
            self.path.unlink()


@contextmanager
def blaming_the_disk(path: Path) -> Iterator[None]:
    """What a full or read-only disk says becomes one line.

    Raises:
        OutputError: that line, with `path` if the disk named none.
    """
    try:
        yield
    except OSError as error:
        if told := unwritable(error, path):
            raise told from error
        raise


def versions() -> dict[str, str]:
    """Versions of what results depend on, as far as it is installed."""
    found = {"python": python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def read_json(path: Path) -> Any:
    """Raises `UserError` when the file is no JSON."""
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{path}: is no readable JSON: {error}") from None


def check_same(path: Path, before: Any, now: Any) -> None:
    """Refuse to add to what was made in another way; the message names both ways.

    Raises:
        UserError: the two JSON values differ.
    """
    if differences := _differences(before, now):
        raise UserError(
            f"{path}: what is there was made in another way and cannot be continued: "
            f"{'; '.join(differences)}. Use the same settings or another place"
        )


def _differences(before: Any, now: Any, name: str = "") -> list[str]:
    """What differs between two JSON values, by its full name."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            difference
            for key in sorted(before.keys() | now.keys())
            for difference in _differences(
                before.get(key), now.get(key), f"{name}.{key}" if name else key
            )
        ]
    return [] if before == now else [f"{name} was {before!r} and is now {now!r}"]
