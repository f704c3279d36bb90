"""HDF5 files with a seal, opened where they are needed (the seal: `episodes.storage.checksum`)."""

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import h5py

from firsthand.common.errors import UserError
from firsthand.episodes.storage.checksum import DamagedError, SealedReader

File = TypeVar("File", bound="SealedFile")


class _Handle:
    """An open file and the process that opened it."""

    def __init__(self, path: Path) -> None:
        self.pid = os.getpid()
        self.reader = SealedReader(path)
        try:
            self.file = h5py.File(self.reader, "r")
        except BaseException:
            self.reader.close()
            raise

    def close(self) -> None:
        self.file.close()
        self.reader.close()


class SealedFile:
    """An HDF5 file of which every byte is checked before it is believed.

    It is opened anew in every process that uses the object, so it may be handed to workers by fork
    or by pickle. Use it as a context manager, or leave closing to Python.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._handle: _Handle | None = None
        self._fingerprint = ""

    @property
    def fingerprint(self) -> str:
        """Changes with any byte of the content."""
        return self._fingerprint

    def close(self) -> None:
        if self._handle is not None and self._handle.pid == os.getpid():
            self._finalizer()
        self._handle = None

    def __enter__(self: File) -> File:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_handle", "_finalizer")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _handle=None)

    def _open(self) -> _Handle:
        """The file as opened by this process (an inherited HDF5 handle must not be used)."""
        if self._handle is None or self._handle.pid != os.getpid():
            handle = _Handle(self.path)
            # HDF5 must let go of a Python stream before the interpreter ends, or it crashes.
            self._finalizer = weakref.finalize(self, handle.close)
            self._handle = handle
            self._fingerprint = self._fingerprint or handle.reader.fingerprint
            if self._fingerprint != handle.reader.fingerprint:
                raise UserError("was replaced by a different file while in use; start again")
        return self._handle

    @contextmanager
    def _reading(self, what: str) -> Iterator[Any]:
        """The open `h5py.File` (its annotations cannot tell a group from a dataset).

        Whatever goes wrong inside becomes a `UserError` that names the file and the part.
        """
        handle = None
        try:
            handle = self._open()
            handle.reader.damage = ""
            yield handle.file
            if handle.reader.damage:
                raise DamagedError(handle.reader.damage)
        except Exception as error:
            damage = str(error) if isinstance(error, DamagedError) else ""
            damage = damage or (handle.reader.damage if handle is not None else "")
            self.close()
            if damage:
                raise UserError(
                    f"{self.path}: {what} cannot be read: {damage}; restore or remake the file"
                ) from None
            if isinstance(error, UserError) and str(error).startswith(f"{self.path}: "):
                raise
            if isinstance(error, UserError):
                raise UserError(f"{self.path}: {error}") from None
            raise UserError(f"{self.path}: {what} is not as it should be: {error}") from error
