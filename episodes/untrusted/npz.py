"""numpy's .npz files: zip archives of .npy files, unpacked only as far as they may grow."""

import struct
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

import numpy as np

from firsthand.common.errors import UserError
from firsthand.episodes.untrusted.npy import parse_npy
from firsthand.episodes.untrusted.trust import regular_file

MAX_BYTES = 256 << 20  # unpacked; a frame of CALVIN with all its cameras takes 1 MB
_MAX_MEMBERS = 256
_BOMB_BYTES, _BOMB_RATIO = 16 << 20, 200  # what is larger and packed more tightly is no recording
_MAX_DIRECTORY = 256 << 10  # bytes of the list of members
_END = struct.Struct("<4s4H2IH")  # magic, disks, members, size and place of their list, comment
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what numpy writes


def load_npz(
    path: str | Path, names: Collection[str] | None = None, max_bytes: int = MAX_BYTES
) -> dict[str, np.ndarray]:
    """The arrays called `names` (None: all), read-only. Others are not unpacked.

    Raises:
        UserError: naming the file: it is damaged, lacks a name, holds anything but arrays of
            numbers and texts, or would unpack to more than `max_bytes`.
    """
    if (size := regular_file(path)) > max_bytes:
        raise UserError(f"{path}: has {size:,} bytes, more than the {max_bytes:,} expected at most")
    try:
        with open(path, "rb") as file:
            count = _check_directory(file, size)
            archive = zipfile.ZipFile(file)
            members = _members(archive, count, max_bytes)
            wanted = members if names is None else names
            if lacking := [name for name in wanted if name not in members]:
                raise UserError(f"lacks {lacking[0]!r}; it holds {', '.join(members):.200}")
            return {name: _array(archive, name, members[name]) for name in wanted}
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (OSError, zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError,
            NotImplementedError, ValueError, LookupError, MemoryError) as error:  # fmt: skip
        raise UserError(f"{path}: is no readable .npz: {error!s:.200}") from None


def _check_directory(file: BinaryIO, size: int) -> int:
    """Refuse what would fill the memory with names before any of them can be counted. Returns how
    many members there should be."""
    start = max(0, size - _END.size - 20)  # where numbers that need 64 bits would be announced
    file.seek(start)
    before, end = (tail := file.read())[: -_END.size], tail[-_END.size :]
    if len(end) < _END.size or not end.startswith(b"PK\5\6"):
        raise UserError("is no .npz, or cut short: its list of members is missing")
    *_, count, listed, _, _ = _END.unpack(end)
    if listed > _MAX_DIRECTORY or before.startswith(b"PK\6\7"):
        raise UserError(f"has a list of members larger than {_MAX_DIRECTORY:,} bytes")
    return count


def _members(archive: zipfile.ZipFile, count: int, max_bytes: int) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) != count:  # zipfile goes by the length of the list alone
        raise UserError(f"lists {len(infos):,} members, and should list {count:,}")
    if len(infos) > _MAX_MEMBERS:
        raise UserError(f"holds {len(infos):,} members, more than {_MAX_MEMBERS}")
    if (total := sum(info.file_size for info in infos)) > max_bytes:
        raise UserError(f"would unpack to {total:,} bytes, more than {max_bytes:,}")
    members = {}
    for info in infos:
        name = info.filename.removesuffix(".npy")
        if name == info.filename or not name or "/" in name or "\\" in name or ".." in name:
            raise UserError(f"holds {info.filename!r:.100}, which names no array")
        if name in members:
            raise UserError(f"holds {name!r:.100} twice")
        if info.compress_type not in _METHODS or info.flag_bits & 1:
            raise UserError(f"packs {name!r:.100} in a way that numpy does not")
        if info.file_size > max(_BOMB_BYTES, _BOMB_RATIO * info.compress_size):
            packed = f"{info.compress_size:,} bytes that claim to be {info.file_size:,}"
            raise UserError(f"packs {name!r:.100} into {packed}")
        members[name] = info
    return members


def _array(archive: zipfile.ZipFile, name: str, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as member:
        data = member.read(info.file_size + 1)  # at most; its checksum is checked at the end
    if len(data) != info.file_size:
        raise UserError(f"{name!r:.100} unpacks to {len(data):,} bytes, not {info.file_size:,}")
    try:
        return parse_npy(data)
    except UserError as error:
        raise UserError(f"{name!r:.100} {error}") from None
