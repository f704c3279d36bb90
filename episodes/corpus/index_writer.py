"""Making the index of a corpus (its layout: `episodes.corpus.index`)."""

import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from firsthand.common import uri
from firsthand.common.errors import UserError
from firsthand.common.uri import Uri
from firsthand.episodes.corpus.index import NARRATION, RECORDING, Index
from firsthand.episodes.corpus.manifest import Content, IndexFile, Manifest, Shard, content_of
from firsthand.episodes.corpus.statistics import merge_statistics, statistics_of
from firsthand.episodes.corpus.strings import StringInterner, StringTable
from firsthand.episodes.storage.header import Header, headers_from_json, headers_to_json, to_json
from firsthand.episodes.storage.reader import EpisodeFile

FOLDER = "index"


@dataclass(frozen=True)
class IndexedShard:
    """A shard of a corpus to be: what `describe` says of it, and a group and a split a recording.

    `name` is its path from the corpus.
    """

    name: str
    summary: Mapping[str, Any]
    groups: Sequence[str]
    splits: Sequence[str]


class IndexBuilder:
    """Collects recordings, shard by shard."""

    def __init__(self) -> None:
        self._rows = [np.empty(0, RECORDING)]
        self._narrations = [np.empty(0, NARRATION)]
        self._narration_count = 0
        self._texts, self._groups, self._sources = (
            StringInterner(),
            StringInterner(),
            StringInterner(),
        )
        self._contents, self._splits = StringInterner(), StringInterner()

    def add(
        self,
        headers: Sequence[Header],
        groups: Sequence[str],
        splits: Sequence[str | None],
    ) -> None:
        """The recordings of the next shard, with a group and a split (None: in no split) each."""
        if not len(headers) == len(groups) == len(splits):
            raise UserError(
                f"a shard has {len(headers)} recordings, "
                f"but {len(groups)} groups and {len(splits)} splits"
            )
        rows = np.zeros(len(headers), RECORDING)
        for episode, (header, group, split) in enumerate(zip(headers, groups, splits, strict=True)):
            content = Content(
                header.cameras,
                header.has_state,
                header.has_actions,
                header.has_executed,
                header.signals,
            )
            rows[episode] = (
                header.fps,
                self._narration_count,
                len(header.narrations),
                len(self._rows) - 1,
                episode,
                header.length,
                self._contents.number(to_json(asdict(content))),
                -1 if split is None else self._splits.number(split),
                self._groups.number(group),
                self._texts.number(header.instruction),
                self._sources.number(to_json(header.source)),
            )
            self._narration_count += len(header.narrations)
        self._rows.append(rows)
        texts = [
            (n.start, n.end, self._texts.number(n.text)) for h in headers for n in h.narrations
        ]
        self._narrations.append(np.array(texts, NARRATION))

    def finish(self) -> tuple[Index, tuple[Content, ...], tuple[str, ...]]:
        """The index, and what its numbers for contents and splits mean."""
        rows = np.concatenate(self._rows)
        splits = sorted(self._splits.texts)
        renumbered = np.array([splits.index(name) for name in self._splits.texts] + [-1])
        rows["split"] = renumbered[rows["split"]]
        texts, groups, sources = (
            StringTable.of(table.texts) for table in (self._texts, self._groups, self._sources)
        )
        index = Index(rows, np.concatenate(self._narrations), texts, groups, sources)
        contents = tuple(content_of(json.loads(text)) for text in self._contents.texts)
        return index, contents, tuple(splits)


def describe(file: EpisodeFile) -> dict[str, Any]:
    """All that an index needs of a shard, as plain JSON values.

    Raises:
        UserError: something in the file cannot be read.
    """
    return {
        "bytes": os.path.getsize(file.path),
        "fingerprint": file.fingerprint,
        "headers": json.loads(headers_to_json(list(file.headers))),
        "statistics": statistics_of(file),
    }


def write_index(
    out: Uri, shards: Iterable[IndexedShard], origin: str, settings: Mapping[str, Any]
) -> Manifest:
    """Make a corpus of shards that lie at `out`: its index, then its manifest, which is returned.

    The same shards in the same order give the same bytes. Arrays of an earlier index stay until
    the new manifest is in place, and at a URL for good.

    Raises:
        UserError: there is no recording, or `out` cannot be written.
    """
    builder, listed, statistics = IndexBuilder(), [], []
    for shard in shards:
        headers = headers_from_json(json.dumps(shard.summary["headers"]).encode())
        builder.add(headers, shard.groups, shard.splits)
        size, fingerprint = shard.summary["bytes"], shard.summary["fingerprint"]
        listed.append(Shard(shard.name, size, fingerprint, len(headers)))
        statistics.append(shard.summary["statistics"])
    index, contents, splits = builder.finish()
    rows = index.recordings
    if not len(rows):
        raise UserError(f"{out}: a corpus needs at least one recording")
    manifest = Manifest(
        origin=origin,
        settings=settings,
        shards=tuple(listed),
        contents=contents,
        splits={name: int((rows["split"] == n).sum()) for n, name in enumerate(splits)},
        totals={
            "recordings": len(rows),
            "frames": int(rows["length"].sum()),
            "seconds": float((rows["length"] / rows["fps"]).sum()),
            "bytes": sum(shard.bytes for shard in listed),
        },
        statistics=merge_statistics(statistics),
        index=write_arrays(out, index),
    )
    manifest.write(out)
    if not uri.is_remote(out):  # where another process may be about to name them
        _remove_stale(out, {file.name for file in manifest.index.values()})
    return manifest


def _remove_stale(out: Uri, used: set[str]) -> None:
    for name in uri.sizes(uri.join(out, FOLDER)):
        if f"{FOLDER}/{name}" not in used:
            uri.remove(uri.join(out, FOLDER, name))


def write_arrays(out: Uri, index: Index) -> dict[str, IndexFile]:
    """Put the arrays of an index beside the shards; returns what a manifest says of them."""
    files = {}
    for name, array in index.arrays.items():
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        data = buffer.getvalue()
        checksum = sha256(data).hexdigest()
        files[name] = IndexFile(f"{FOLDER}/{name}.{checksum[:12]}.npy", len(data), checksum)
        uri.write(uri.join(out, files[name].name), data)
    return files
