"""numpy's .npy files, believed only as far as their bytes go.

Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

import ast
import math
import struct
from pathlib import Path

import numpy as np

from firsthand.common.errors import UserError
from firsthand.episodes.untrusted.trust import LARGE, load_bytes
from firsthand.episodes.untrusted.unpickler import unpickle

_MAGIC = b"\x93NUMPY"
_MAX_HEADER = 10_000  # bytes, numpy's own limit
_KINDS = "biufSU"  # numbers and texts


def load_npy(path: str | Path, objects: bool = False, max_bytes: int = LARGE) -> np.ndarray:
    """A read-only array.

    Args:
        objects: read arrays of Python objects as well: plain data, see `untrusted.unpickler`.

    Raises:
        UserError: naming the file, which is damaged or holds something else.
    """
    try:
        return parse_npy(load_bytes(path, max_bytes), objects)
    except UserError as error:
        raise UserError(str(error) if str(path) in str(error) else f"{path}: {error}") from None


def parse_npy(data: bytes, objects: bool = False) -> np.ndarray:
    """The array in the bytes of a .npy file, which it shares.

    Raises:
        UserError: without the name of the file.
    """
    dtype, shape, columns_first, start = _header(data)
    if dtype.hasobject:
        if not objects:
            raise UserError("holds Python objects, not numbers")
        array = unpickle(data[start:])
        if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != object:
            raise UserError("holds something else than its header says")
        return array
    if dtype.kind not in _KINDS or not dtype.itemsize:
        raise UserError(f"holds {dtype}, neither numbers nor texts")
    needed, there = math.prod(shape) * dtype.itemsize, len(data) - start
    if needed != there:
        raise UserError(f"claims {needed:,} bytes of {dtype} {shape}, but {there:,} are there")
    flat = np.frombuffer(data, dtype, offset=start) if needed else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if columns_first else "C")


def _header(data: bytes) -> tuple[np.dtype, tuple[int, ...], bool, int]:
    """Type, shape, Fortran order, and where the content begins."""
    version = tuple(data[6:8])
    if data[:6] != _MAGIC or version not in [(1, 0), (2, 0), (3, 0)]:
        raise UserError("is no .npy file")
    length = struct.Struct("<H" if version == (1, 0) else "<I")
    start = 8 + length.size
    size = length.unpack_from(data, 8)[0] if len(data) >= start else len(data)
    if size > _MAX_HEADER or start + size > len(data):
        raise UserError(f"has no header of {size:,} bytes")
    try:
        text = data[start : start + size].decode("utf-8" if version == (3, 0) else "latin1")
        header = ast.literal_eval(text.strip())
        dtype, shape = np.dtype(header.pop("descr")), header.pop("shape")
        columns_first = header.pop("fortran_order")
    except (ValueError, SyntaxError, TypeError, LookupError, AttributeError,
            RecursionError, MemoryError) as error:  # fmt: skip
        raise UserError(f"has a header that cannot be read: {error!s:.100}") from None
    if header or not isinstance(columns_first, bool) or not isinstance(shape, tuple):
        raise UserError("has a header that says too much or too little")
    if len(shape) > 32 or not all(type(n) is int and 0 <= n < 1 << 60 for n in shape):
        raise UserError(f"has the impossible shape {str(shape):.100}")
    return dtype, shape, columns_first, start + size
