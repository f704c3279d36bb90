"""Checksums for every byte of a file, kept in a footer behind its content.

A sealed file is the original bytes, then one CRC-32 for each block of them, then a fixed footer:

    payload | crc32 of block 0, 1, … (uint32) | magic, block, size, table's crc, footer's crc

HDF5 allows bytes behind its end, so a sealed HDF5 file still opens in any HDF5 program. Reading it
through `SealedReader` hands out no byte whose block has not passed its checksum, which is why a
damaged file cannot crash the HDF5 library or turn into wrong numbers.
"""

import io
import os
import stat
import struct
import zlib
from pathlib import Path

import numpy as np

from firsthand.common.errors import UserError

BLOCK = 16384  # bytes a checksum covers: small enough that a stray 8-byte read stays cheap
MAGIC = b"FHSEAL1\n"
_FIELDS = struct.Struct("<8sIQI")  # magic, block size, payload size, crc of the table
_FOOTER_SIZE = _FIELDS.size + 4  # and the crc of those fields


class DamagedError(Exception):
    """Bytes that fail their checksum; the message says which."""


def seal(path: Path) -> None:
    """Append checksums to a finished file, replacing those of an earlier seal.

    Call it after editing a store with another HDF5 program (robomimic's split script, say).
    """
    payload_size = _payload_size(path)
    with open(path, "r+b") as file:
        file.truncate(payload_size)
        table = bytearray()
        while block := file.read(BLOCK):
            table += struct.pack("<I", zlib.crc32(block))
        fields = _FIELDS.pack(MAGIC, BLOCK, payload_size, zlib.crc32(table))
        file.write(table + fields + struct.pack("<I", zlib.crc32(fields)))
        file.flush()
        os.fsync(file.fileno())


def _payload_size(path: Path) -> int:
    """Size without the footer of an earlier seal, if there is one."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        file.seek(max(0, size - _FOOTER_SIZE))
        footer = file.read()
    if len(footer) < _FOOTER_SIZE or not footer.startswith(MAGIC):
        return size
    _, block, payload, _ = _FIELDS.unpack_from(footer)
    table_size = 4 * -(-payload // block) if block else 0
    return payload if payload + table_size + _FOOTER_SIZE == size else size


class SealedReader(io.RawIOBase):
    """The content of a sealed file as a read-only stream that checks every block it reads.

    Raises:
        UserError: the file does not exist, is not sealed, or its checksum table is damaged.
        DamagedError: on reading bytes that fail their checksum.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = 0
        self.damage = ""  # what the last failed check found
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # do not wait for a pipe
        except OSError as error:
            raise UserError(f"{path}: cannot be opened: {error.strerror}") from None
        try:
            if not stat.S_ISREG(os.fstat(self._fd).st_mode):
                raise UserError(f"{path}: is no file but a folder, pipe or device")
            self._read_footer()
        except BaseException:
            self.close()
            raise

    def _read_footer(self) -> None:
        try:
            size = os.fstat(self._fd).st_size
            footer = os.pread(self._fd, _FOOTER_SIZE, max(0, size - _FOOTER_SIZE))
        except OSError as error:
            raise UserError(f"{self.path}: cannot be read: {error.strerror}") from None
        fields, checksum = footer[:-4], footer[-4:]
        if len(footer) < _FOOTER_SIZE or struct.pack("<I", zlib.crc32(fields)) != checksum:
            raise UserError(
                f"{self.path}: the checksums at its end are missing or damaged: the file was cut "
                "short, edited by another program, or not written by firsthand"
            )
        magic, self._block, self.size, table_crc = _FIELDS.unpack(fields)
        table_size = size - _FOOTER_SIZE - self.size
        if magic != MAGIC or self._block < 1 or table_size != 4 * -(-self.size // self._block):
            raise UserError(f"{self.path}: is {size} bytes long, which its footer contradicts")
        table = os.pread(self._fd, table_size, self.size)
        if zlib.crc32(table) != table_crc:
            raise UserError(f"{self.path}: its checksum table is damaged; make the file again")
        self._table = np.frombuffer(table, "<u4")
        self.fingerprint = f"{self.size:x}-{table_crc:08x}"

    def pread(self, size: int, offset: int) -> memoryview:
        """`size` checked bytes from `offset` on (fewer at the end of the content)."""
        size = max(0, min(size, self.size - offset))
        first, last = offset // self._block, -(-(offset + size) // self._block)
        start, end = first * self._block, min(last * self._block, self.size)
        data = memoryview(os.pread(self._fd, end - start, start))
        for block in range(first, last):
            at = (block - first) * self._block
            if zlib.crc32(data[at : at + self._block]) != self._table[block]:
                self.damage = f"bytes {start + at} to {start + at + self._block} are damaged"
                raise DamagedError(self.damage)
        return data[offset - start : offset - start + size]

    def damaged_blocks(self, first: int, count: int) -> list[int]:
        """Which of the blocks `first` … `first + count - 1` fail their checksum."""
        damaged = []
        for block in range(first, min(first + count, len(self._table))):
            try:
                self.pread(self._block, block * self._block)
            except DamagedError:
                damaged.append(block)
        return damaged

    @property
    def blocks(self) -> int:
        return len(self._table)

    # The stream interface that h5py's file-object driver calls.

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer) -> int:
        target = memoryview(buffer).cast("B")
        data = self.pread(len(target), self._position)
        target[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            os.close(self._fd)
        super().close()
