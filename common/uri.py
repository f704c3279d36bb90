"""Files by path or URL (`s3://`, `gs://`, `memory://`: whatever fsspec knows), always whole ones.

A file on this machine is written beside its final name and moved there; an object store shows an
object when all of it has arrived.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from firsthand.common.atomic import write_bytes
from firsthand.common.errors import OutputError, UserError

Place = str | Path
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}  # what pip must install for a URL


def is_remote(place: Place) -> bool:
    return "://" in str(place) and not str(place).startswith("file://")


def local(place: Place) -> Path:
    """A place on this machine as a path."""
    return Path(str(place).removeprefix("file://"))


def join(place: Place, *names: str) -> str:
    return "/".join([str(place).rstrip("/"), *names])


def read(place: Place) -> bytes | None:
    """All of a file, or None if there is none."""
    try:
        with _reaching(place, "read") as (files, path):
            if files is not None:
                return files.cat_file(path)
            if (file := local(place)).exists() and not file.is_file():  # a pipe would never end
                raise UserError(f"{place}: is no file but a folder, pipe or device")
            return file.read_bytes()
    except FileNotFoundError:
        return None


def write(place: Place, data: bytes) -> None:
    """Put a whole file at `place`, or leave what was there."""
    with _reaching(place, "written") as (files, path):
        if files is not None:
            _in_folder(files, path, partial(files.pipe_file, path, data))
            return
        write_bytes(local(place), data)


def upload(file: Path, place: Place) -> None:
    """Copy a file of this machine to a URL."""
    with _reaching(place, "written") as (files, path):
        _in_folder(files, path, partial(files.put_file, str(file), path))


def _in_folder(files: Any, path: str, write: Callable[[], None]) -> None:
    """Write a file, and make its folder first where there are such things."""
    try:
        write()
    except FileNotFoundError:
        files.makedirs(path.rpartition("/")[0], exist_ok=True)
        write()


def download(place: Place, file: Path) -> None:
    """Copy a whole file to this machine."""
    try:
        with _reaching(place, "read") as (files, path):
            if files is None:
                shutil.copyfile(local(place), file)
            else:
                files.get_file(path, str(file))
    except FileNotFoundError:
        raise UserError(f"{place}: is not there") from None


def sizes(folder: Place) -> dict[str, int]:
    """The bytes of every file in a folder, by name; nothing if there is no folder."""
    try:
        with _reaching(folder, "listed") as (files, path):
            if files is None:
                entries = [entry for entry in os.scandir(local(folder)) if entry.is_file()]
                return {entry.name: entry.stat().st_size for entry in entries}
            files.invalidate_cache()
            found = files.ls(path, detail=True)
    except FileNotFoundError:
        return {}
    return {
        entry["name"].rpartition("/")[2]: entry["size"]
        for entry in found
        if entry["type"] == "file"
    }


def size(place: Place) -> int | None:
    """The bytes of a file, or None if there is none."""
    try:
        with _reaching(place, "read") as (files, path):
            return local(place).stat().st_size if files is None else files.size(path)
    except FileNotFoundError:
        return None


def remove(place: Place) -> None:
    """Remove a file, if it is there."""
    try:
        with _reaching(place, "removed") as (files, path):
            local(place).unlink() if files is None else files.rm_file(path)
    except FileNotFoundError:
        pass


@contextmanager
def _reaching(place: Place, what: str) -> Iterator[tuple[Any, str]]:
    """The file system of a URL (None for this machine) and the path in it.

    Raises:
        FileNotFoundError: as it is.
        UserError: anything else that the network or the disk has against it.
    """
    try:
        if not is_remote(place):
            yield None, ""
            return
        from fsspec.core import url_to_fs

        yield url_to_fs(str(place))
    except (FileNotFoundError, UserError):
        raise
    except ImportError as error:
        extra = _EXTRAS.get(str(place).partition("://")[0])
        wanted = f"first install firsthand[{extra}]" if extra else error
        raise UserError(f"{place}: cannot be {what}: {wanted}") from None
    except Exception as error:
        kind = OutputError if what == "written" else UserError
        raise kind(f"{place}: cannot be {what}: {error}") from error
