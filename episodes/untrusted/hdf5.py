"""HDF5 files of others: nothing outside the file is opened, and no more read than was expected.

HDF5 lets a file point at data in other files (external links, external storage, virtual datasets),
name filters that are loaded as plugins, and declare datasets of any size that take no room on disk.
Recordings need none of that. And the library can stall or crash on a file that was damaged, so that
each is first walked through in another process (`episodes.untrusted.hdf5_probe`).
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np

from firsthand.common.errors import UserError
from firsthand.episodes.untrusted.trust import regular_file

MAX_BYTES = 4 << 30  # unpacked; an hour of two cameras of 84 x 84 pixels at 20 Hz takes 3 GB
PROBE_SECONDS = 60  # of computing, for looking at all names and attributes of a file
_PROBE = Path(__file__).with_name("hdf5_probe.py")
_KINDS = "biufS"
_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 4: "szip", 32000: "lzf"}  # part of h5py


@contextmanager
def open_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """The file, for reading. What goes wrong while it is read becomes a `UserError` that names it.

    Raises:
        UserError: it is no HDF5 file, is damaged, or points outside itself.
    """
    regular_file(path)
    try:
        _check(Path(path))
        with h5py.File(path, "r") as file:
            yield file
    except UserError as error:
        raise UserError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    except (OSError, RuntimeError, ValueError, LookupError, TypeError, MemoryError,
            SystemError) as error:  # fmt: skip
        raise UserError(f"{path}: is no readable HDF5 file: {error!s:.200}") from None


def _check(path: Path) -> None:
    """Raise `UserError` if the file cannot be read without harm; look only once at each file."""
    status = path.stat()
    _probe(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1024)
def _probe(path: Path, size: int, modified: int) -> None:
    """A few wrong bytes can make the HDF5 library run for ever or crash: let it try elsewhere."""
    command = [sys.executable, "-P", str(_PROBE), str(path.absolute()), str(PROBE_SECONDS)]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    if done.returncode < 0:
        how = signal.Signals(-done.returncode).name
        raise UserError(f"is damaged: the HDF5 library stalls or crashes on it ({how})")
    if done.returncode:
        error = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise UserError(f"is no readable HDF5 file: {error:.200}")
    if problem := done.stdout.decode(errors="replace"):
        raise UserError(problem)


def load_dataset(group: h5py.Group, name: str, max_bytes: int = MAX_BYTES) -> np.ndarray:
    """All numbers (or fixed-length texts, as bytes) of a dataset.

    Raises:
        UserError: it is missing, no dataset, larger than `max_bytes`, or not stored in the file
            itself in the ordinary way. The message names the dataset, not the file.
    """
    dataset = check_dataset(group, name, max_bytes)
    try:
        return dataset[()] if dataset.shape else np.asarray(dataset[()])
    except (OSError, RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise UserError(f"{dataset.name} cannot be read: {error!s:.200}") from None


def load_texts(group: h5py.Group, name: str, errors: str = "strict") -> list[str]:
    """The texts of a dataset, of a fixed or of variable length, in one row.

    Args:
        errors: what to make of bytes that are no text, see `bytes.decode`.

    Raises:
        UserError: it holds something else, or see `load_dataset`.
    """
    dataset = check_dataset(group, name, variable=True)
    try:
        if h5py.check_string_dtype(dataset.dtype) is None:
            raise ValueError(f"it is {dataset.dtype}")
        return [text.decode(errors=errors) for text in np.ravel(dataset[()]).tolist()]
    except (OSError, RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise UserError(f"{dataset.name} holds no texts: {error!s:.100}") from None


def check_dataset(
    group: h5py.Group, name: str, max_bytes: int = MAX_BYTES, variable: bool = False
) -> h5py.Dataset:
    """A dataset that `load_dataset` would read, so that it can be read in parts.

    With `variable`, also one of texts or bytes of variable length, for whose sizes nobody vouches.
    """
    dataset = group.get(name)
    if not isinstance(dataset, h5py.Dataset):
        raise UserError(f"{group.name} holds no dataset {name!r}")
    kinds = _KINDS + ("O" if variable and _is_variable(dataset.dtype) else "")
    if dataset.shape is None or dataset.dtype.kind not in kinds or not dataset.dtype.itemsize:
        raise UserError(f"{dataset.name} holds {dataset.dtype}, neither numbers nor plain texts")
    if dataset.is_virtual or dataset.external:
        raise UserError(f"{dataset.name} lies in other files")
    chunk = np.prod(dataset.chunks or (0,), dtype=object) * dataset.dtype.itemsize
    needed = max(int(np.prod(dataset.shape, dtype=object)) * dataset.dtype.itemsize, int(chunk))
    if needed > max_bytes:
        shape = f"{dataset.dtype} {dataset.shape}"
        raise UserError(f"{dataset.name}: {shape} is more than {max_bytes:,} bytes")
    properties = dataset.id.get_create_plist()
    for number in range(properties.get_nfilters()):
        if (code := properties.get_filter(number)[0]) not in _FILTERS:
            raise UserError(f"{dataset.name} is packed by filter {code}, a plugin")
    if needed and not dataset.id.get_storage_size():
        raise UserError(f"{dataset.name}: {dataset.dtype} {dataset.shape} was never written")
    return dataset


def _is_variable(dtype: np.dtype) -> bool:
    return bool(h5py.check_string_dtype(dtype)) or h5py.check_vlen_dtype(dtype) == np.uint8
