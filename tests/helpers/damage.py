"""Ways to damage a file, and what must become of a dataset that holds one."""

import io
import os
import pickle
import resource
import shutil
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from firsthand.common.errors import UserError
from firsthand.episodes.convert.convert import ConvertSettings, convert
from firsthand.episodes.convert.source import Source
from firsthand.episodes.corpus.corpus import Corpus

SECONDS, MEGABYTES = 20, 500  # that a damaged input may cost


@dataclass(frozen=True)
class Outcome:
    """What a conversion said: either why there is none, or what was lost and noted."""

    refused: str = ""
    recordings: int = 0
    lost: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        lost = [f"{name}: {reason}" for name, reason in self.lost.items()]
        return "\n".join([self.refused, *lost, *self.notes])


class _Runs:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.canary}",)


def hostile_pickle(folder: Path) -> bytes:
    """What leaves a file called canary in the folder above a dataset when it is believed."""
    return pickle.dumps(_Runs(folder.parent / "canary"))


def outcome(source: Source, root: Path) -> Outcome:
    """Convert a damaged dataset in `root`, check what holds of every conversion, tell its outcome.

    Nothing may run, take long or take much memory; what fails is a `UserError` or a named item;
    and items are used or lost, never neither. What was made is whole.
    """
    started, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = _convert(source, root)
    assert time.process_time() - started < SECONDS
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < MEGABYTES * 1024
    assert not (root.parent / "canary").exists()
    return found


def _convert(source: Source, root: Path) -> Outcome:
    out = root.parent / "out"
    shutil.rmtree(out, ignore_errors=True)
    try:
        report = convert(source, out, ConvertSettings(max_lost=1.0, held_out=0.0))
    except UserError as error:
        return Outcome(refused=str(error))
    lost = dict(report.lost)
    assert len(lost) == len(report.lost) < report.items
    assert all(lost.values())
    assert not [reason for reason in lost.values() if reason.startswith("unexpected")]
    with_parts = Corpus.open(out)
    with_parts.verify()
    named = {with_parts.header(n).source["item"] for n in range(len(with_parts))}
    assert len(named) + len(lost) == report.items
    assert not named & lost.keys()
    for number in range(len(with_parts)):
        file, episode = with_parts.file(number)
        file.read(episode)
    with_parts.close()
    told = report.lines()[len(lost) :]  # of parts, and what is odd
    return Outcome("", len(with_parts), lost, tuple(told))


def _replace(content: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.write_bytes(content(path.read_bytes()))

    return damage


def _noise(size: int) -> bytes:
    return np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8).tobytes()


def _flipped(data: bytes) -> bytes:
    changed = bytearray(data)
    for place in np.random.default_rng(len(data)).integers(0, len(data), 5):
        changed[place] ^= 0xFF
    return bytes(changed)


def _bomb(_: bytes) -> bytes:
    """50 kB that unpack to 50 MB."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rgb_static.npy", bytes(50_000_000))
    return stream.getvalue()


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe_instead(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def pickle_instead(path: Path) -> None:
    root = next(parent for parent in path.parents if parent.name == "root")
    path.write_bytes(hostile_pickle(root))


def unreadable_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


# What leaves nothing of a file's content, so that something must be said.
DESTROY: dict[str, Callable[[Path], None]] = {
    "empty": _replace(lambda _: b""),
    "noise": _replace(lambda data: _noise(len(data))),
    "zeros": _replace(lambda data: bytes(len(data))),
    "text": _replace(lambda _: b"<html>404: not found</html>\n"),
    "bomb": _replace(_bomb),
    "pickle": pickle_instead,
    "folder": folder_instead,
    "pipe": pipe_instead,
    "link to itself": unreadable_link,
}
# What leaves some of it: the rest may be right.
HURT: dict[str, Callable[[Path], None]] = {
    "half": _replace(lambda data: data[: len(data) // 2]),
    "end missing": _replace(lambda data: data[:-3]),
    "flipped bytes": _replace(_flipped),
    "longer": _replace(lambda data: data + _noise(64)),
}
