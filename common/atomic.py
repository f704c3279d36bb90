"""Files that appear under their names only when they are complete."""

import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from firsthand.common.errors import OutputError
from firsthand.common.lock import lock


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A draft beside `path` to write to, which gets that name once all of it is on disk. A draft of
    a process that was killed stays: `.NAME.PID.partial`.

    Raises:
        OutputError: the file cannot be written; what bore the name before still does.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file that is complete or not there. Its folder is made if it is missing.

    Raises:
        OutputError: as for `whole_file`.
    """
    with whole_file(path) as draft:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """As `write_bytes`, in UTF-8; what could not be read as UTF-8 goes back as it came."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_json(path: Path, value: Any, indent: int | None = None) -> None:
    """As `write_bytes`, a value as JSON."""
    write_bytes(path, json.dumps(value, indent=indent).encode())


class PartialFile(io.RawIOBase):
    """A stream for h5py into `<name>.partial`, renamed by `commit` and removed by `discard`.

    A write that fails is remembered rather than raised: HDF5 crashes when it cannot write what it
    holds back, so the error waits until `check` is called.

    Raises:
        OutputError: the file cannot be made, or another process is writing it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name(path.name + ".partial")
        self._position = 0
        self._error: OSError | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self.partial, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            super().close()
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from None
        if not self._is_ours():
            self.close()
            raise OutputError(f"{path}: is being written by another process")
        os.ftruncate(self._fd, 0)

    def _is_ours(self) -> bool:
        """Lock the file, unless another process has it or has just finished and renamed it."""
        if lock(self._fd) is False:
            return False
        try:
            return os.stat(self.partial).st_ino == os.fstat(self._fd).st_ino
        except OSError:
            return False

    def check(self) -> None:
        """Raise what went wrong while writing."""
        if self._error is not None:
            raise OutputError(f"{self.path}: cannot be written: {self._error.strerror}")

    def commit(self) -> None:
        """Give the file its name, once all of it is safely on disk."""
        self.check()
        os.fsync(self._fd)
        os.replace(self.partial, self.path)
        self.close()

    def discard(self) -> None:
        """Remove what was written, unless it has been committed."""
        if not self.closed:
            self.partial.unlink(missing_ok=True)
            self.close()

    def close(self) -> None:
        if not self.closed:
            os.close(self._fd)  # and let go of the lock
        super().close()

    # The stream interface that h5py's file-object driver calls.

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        end = os.fstat(self._fd).st_size
        self._position = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: end}[whence]
        self._position += offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer) -> int:
        count = os.preadv(self._fd, [buffer], self._position)
        self._position += count
        return count

    def write(self, buffer) -> int:
        data = memoryview(buffer).cast("B")
        written = 0
        try:
            while written < len(data) and self._error is None:
                written += os.pwrite(self._fd, data[written:], self._position + written)
        except OSError as error:
            self._error = error
        self._position += len(data)
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        size = self._position if size is None else size
        try:
            os.ftruncate(self._fd, size)
        except OSError as error:
            self._error = self._error or error
        return size
