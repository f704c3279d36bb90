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

Uri = str | Path
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}  # what pip must install for a URL


def is_remote(uri: Uri) -> bool:
    return "://" in str(uri) and not str(uri).startswith("file://")


def local(uri: Uri) -> Path:
    """A file or folder of this machine as a path."""
    return Path(str(uri).removeprefix("file://"))


def join(uri: Uri, *names: str) -> str:
    return "/".join([str(uri).rstrip("/"), *names])


def read(uri: Uri) -> bytes | None:
    """All of a file, or None if there is none."""
    try:
        with _reaching(uri, "read") as (files, path):
            if files is not None:
                return files.cat_file(path)
            if (file := local(uri)).exists() and not file.is_file():  # a pipe would never end
                raise UserError(f"{uri}: is no file but a folder, pipe or device")
            return file.read_bytes()
    except FileNotFoundError:
        return None


def write(uri: Uri, data: bytes) -> None:
    """Put a whole file at `uri`, or leave what was there."""
    with _reaching(uri, "written") as (files, path):
        if files is not None:
            _in_folder(files, path, partial(files.pipe_file, path, data))
            return
        write_bytes(local(uri), data)


def upload(file: Path, uri: Uri) -> None:
    """Copy a file of this machine to a URL."""
    with _reaching(uri, "written") as (files, path):
        _in_folder(files, path, partial(files.put_file, str(file), path))


def _in_folder(files: Any, path: str, write: Callable[[], None]) -> None:
    """Write a file, and make its folder first where there are such things."""
    try:
        write()
    except FileNotFoundError:
        files.makedirs(path.rpartition("/")[0], exist_ok=True)
        write()


def download(uri: Uri, file: Path) -> None:
    """Copy a whole file to this machine."""
    try:
        with _reaching(uri, "read") as (files, path):
            if files is None:
                shutil.copyfile(local(uri), file)
            else:
                files.get_file(path, str(file))
    except FileNotFoundError:
        raise UserError(f"{uri}: is not there") from None


def sizes(folder: Uri) -> dict[str, int]:
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


def size(uri: Uri) -> int | None:
    """The bytes of a file, or None if there is none."""
    try:
        with _reaching(uri, "read") as (files, path):
            return local(uri).stat().st_size if files is None else files.size(path)
    except FileNotFoundError:
        return None


def remove(uri: Uri) -> None:
    """Remove a file, if it is there."""
    try:
        with _reaching(uri, "removed") as (files, path):
            local(uri).unlink() if files is None else files.rm_file(path)
    except FileNotFoundError:
        pass


@contextmanager
def _reaching(uri: Uri, what: str) -> Iterator[tuple[Any, str]]:
    """The file system of a URL (None for this machine) and the path in it.

    Raises:
        FileNotFoundError: as it is.
        UserError: anything else that the network or the disk has against it.
    """
    try:
        if not is_remote(uri):
            yield None, ""
            return
        from fsspec.core import url_to_fs

        yield url_to_fs(str(uri))
    except (FileNotFoundError, UserError):
        raise
    except ImportError as error:
        extra = _EXTRAS.get(str(uri).partition("://")[0])
        wanted = f"first install firsthand[{extra}]" if extra else error
        raise UserError(f"{uri}: cannot be {what}: {wanted}") from None
    except Exception as error:
        kind = OutputError if what == "written" else UserError
        raise kind(f"{uri}: cannot be {what}: {error}") from error
