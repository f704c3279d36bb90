"""A unit of conversion: some items of a dataset, made into one file of episodes.

    shards/<key>.h5      the recordings (`episodes.storage.merge`), absent when no item can be used
    shards/<key>.json    written after it: which items it holds, what was lost and why, and what an
                         index needs to know, so that nobody has to read the recordings again

The key says what a shard is made of, so one that is there need not be made, whoever made it.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from firsthand.common import uri
from firsthand.common.errors import OutputError, UserError
from firsthand.episodes.convert.source import Item, Source, recordings
from firsthand.episodes.corpus.index_writer import describe
from firsthand.episodes.storage.header import to_json
from firsthand.episodes.storage.reader import EpisodeFile
from firsthand.episodes.storage.writer import FORMAT_VERSION, EpisodeWriter
from firsthand.episodes.tally import Tally

_VERSION = 2  # of what this file makes of the same items: a new one makes them again


@dataclass(frozen=True)
class ShardRecord:
    """What became of a shard's items: what its JSON holds.

    Attributes:
        counts: every item's name and how many recordings it became.
        lost: the names of those that became none, and why.
        bytes: size of the shard's file, 0 if there is none.
        summary: what `episodes.corpus.index_writer` says of the file, None if there is none.
        tally: parts of the items that are used, and of those the parts that are lost.
    """

    counts: tuple[tuple[str, int], ...]
    lost: tuple[tuple[str, str], ...]
    bytes: int
    summary: dict[str, Any] | None
    tally: Tally = field(default_factory=Tally)

    @classmethod
    def read(cls, folder: str, key: str) -> "ShardRecord | None":
        """A finished shard's record; None unless it and its file are there."""
        data = uri.read(uri.join(folder, f"{key}.json"))
        if data is None:
            return None
        try:
            values = json.loads(data)
            values["counts"] = tuple((str(name), int(count)) for name, count in values["counts"])
            values["lost"] = tuple((str(name), str(reason)) for name, reason in values["lost"])
            return cls(**values | {"tally": Tally.from_json(values["tally"])})
        except (ValueError, TypeError, LookupError):
            return None  # not ours, or damaged: the shard is made again


@dataclass(frozen=True)
class ShardJob:
    """Items to be made into a file in `folder`.

    `barred` items are not tried, for the reason that is given.
    """

    source: Source
    items: tuple[Item, ...]
    folder: str
    barred: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """Changes with whatever decides the bytes, and with nothing else."""
        items = [[item.name, item.version, item.detail] for item in self.items]
        made_by = [_VERSION, FORMAT_VERSION, self.source.origin, settings_of(self.source)]
        return sha256(to_json([made_by, items]).encode()).hexdigest()[:20]


def settings_of(source: Source) -> dict[str, Any]:
    """A source's settings. Where a dataset lies decides nothing; what is in it, its items say."""
    values = {f.name: getattr(source, f.name) for f in fields(source)}  # pyright: ignore
    return {name: value for name, value in values.items() if not isinstance(value, Path)}


def make_shard(shard: ShardJob) -> ShardRecord:
    """The shard's record (without its summary), after making the shard if it is not there.

    Raises:
        OutputError: it cannot be written.
    """
    file = uri.join(shard.folder, f"{shard.key}.h5")
    record = ShardRecord.read(shard.folder, shard.key)
    if record is not None and (not record.bytes or uri.size(file) == record.bytes):
        return replace(record, summary=None)
    with _file_for(file) as path:
        counts, lost, tally = _write(shard, path)
        made = any(count for _, count in counts)
        summary = describe(EpisodeFile(path)) if made else None
        record = ShardRecord(counts, lost, path.stat().st_size if made else 0, summary, tally)
    facts = asdict(record) | {"tally": tally.to_json()}
    uri.write(uri.join(shard.folder, f"{shard.key}.json"), to_json(facts).encode())
    return replace(record, summary=None)


def _write(
    shard: ShardJob, path: Path
) -> tuple[tuple[tuple[str, int], ...], tuple[tuple[str, str], ...], Tally]:
    """Write the recordings to `path`; returns a record's counts, lost and tally."""
    counts, lost, whole = [], [], Tally()
    source = {"origin": shard.source.origin, "key": shard.key}
    with suppress(_NothingLeftError), EpisodeWriter(path, source=source) as writer:
        for item in shard.items:
            before, tally = len(writer), Tally()
            if reason := shard.barred.get(item.name) or _add(writer, shard.source, item, tally):
                writer.take_back(before)
                lost.append((item.name, reason))
            else:
                whole.add(tally)
            counts.append((item.name, len(writer) - before))
        if not len(writer):
            raise _NothingLeftError
    return tuple(counts), tuple(lost), whole


class _NothingLeftError(Exception):
    """No item of a shard can be used, so there is no file."""


def _add(writer: EpisodeWriter, source: Source, item: Item, tally: Tally) -> str:
    """Store an item's recordings; returns why that cannot be done, or ""."""
    before = len(writer)
    try:
        for episode in recordings(source, item, tally):
            writer.add(episode)
    except OutputError:
        raise
    except UserError as error:
        return str(error)
    except Exception as error:  # damage that the reader did not foresee costs its item alone
        return str(UserError(f"unexpected {type(error).__name__}: {error}"))
    return "" if len(writer) > before else "holds nothing to record"


@contextmanager
def _file_for(target: str) -> Iterator[Path]:
    """Where to write what is to appear at `target`; a file for a URL goes there in the end."""
    if not uri.is_remote(target):
        yield uri.local(target)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "shard.h5")
        yield path
        if path.exists():
            uri.upload(path, target)
