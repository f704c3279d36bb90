"""What is known of every recording of a corpus without opening a shard, as memory-mapped arrays.

    recordings                 one row a recording, in the order of the shards and of their episodes
    narrations                 one row a narration, in the order of the recordings
    texts, text_ends           all different instructions and narrations (see `corpus.strings`)
    groups, group_ends         what a split does not cut: videos, children, participants
    sources, source_ends       where recordings came from, as JSON

Each is a file `index/<name>.<start of its sha256>.npy`. The names change with the content, so a
corpus that is being remade stays whole until its new manifest is in place.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import Int64, Shaped

from firsthand.common import uri
from firsthand.common.errors import UserError
from firsthand.common.uri import Uri
from firsthand.episodes.corpus import remote_files
from firsthand.episodes.corpus.manifest import Content, IndexFile
from firsthand.episodes.corpus.strings import StringTable
from firsthand.episodes.episode import Narration
from firsthand.episodes.storage.header import Header

RECORDING = np.dtype(
    [
        ("fps", "<f8"),
        ("narration", "<i8"),  # the first of its rows
        ("narrations", "<i4"),  # how many
        ("shard", "<i4"),
        ("episode", "<i4"),  # in its shard
        ("length", "<i4"),  # frames
        ("content", "<i4"),  # see `Manifest.contents`
        ("split", "<i4"),  # its place in the sorted names; -1: in none
        ("group", "<i4"),
        ("instruction", "<i4"),  # a text
        ("source", "<i4"),
    ]
)
NARRATION = np.dtype([("start", "<f8"), ("end", "<f8"), ("text", "<i4")])
_BYTES, _ENDS = np.dtype("u1"), np.dtype("<i8")
ARRAYS = {
    "recordings": RECORDING,
    "narrations": NARRATION,
    "texts": _BYTES,
    "text_ends": _ENDS,
    "groups": _BYTES,
    "group_ends": _ENDS,
    "sources": _BYTES,
    "source_ends": _ENDS,
}
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Index:
    """The arrays. One that was loaded travels to other processes as the names of its files."""

    recordings: Shaped[np.ndarray, "n"]
    narrations: Shaped[np.ndarray, "m"]
    texts: StringTable
    groups: StringTable
    sources: StringTable
    loaded_from: tuple[Uri, Mapping[str, IndexFile]] | None = field(default=None, compare=False)

    @property
    def arrays(self) -> dict[str, Shaped[np.ndarray, "..."]]:
        arrays = {"recordings": self.recordings, "narrations": self.narrations}
        for name in ("text", "group", "source"):
            strings: StringTable = getattr(self, f"{name}s")
            arrays |= {f"{name}s": strings.data, f"{name}_ends": strings.ends}
        return arrays

    def __reduce__(self):
        if self.loaded_from is None:
            return Index, (self.recordings, self.narrations, self.texts, self.groups, self.sources)
        return load_index, (*self.loaded_from, False)

    def header(self, recording: int, content: Content) -> Header:
        """What the shard says of a recording, in the same words."""
        row = self.recordings[recording]
        return Header(
            name=f"demo_{row['episode']}",
            length=int(row["length"]),
            fps=float(row["fps"]),
            instruction=self.texts[int(row["instruction"])],
            narrations=self.narrations_of(recording),
            cameras=content.cameras,
            has_state=content.has_state,
            has_actions=content.has_actions,
            has_executed=content.has_executed,
            source=json.loads(self.sources[int(row["source"])]),
            signals=content.signals,
        )

    def narrations_of(self, recording: int) -> tuple[Narration, ...]:
        row = self.recordings[recording]
        first = int(row["narration"])
        return tuple(
            Narration(float(n["start"]), float(n["end"]), self.texts[int(n["text"])])
            for n in self.narrations[first : first + int(row["narrations"])]
        )


def load_index(folder: Uri, files: Mapping[str, IndexFile], verify: bool = True) -> Index:
    """Memory-map the arrays of the corpus at `folder`, fetching them first if that is a URL.

    Raises:
        UserError: one is missing, damaged or not what it should be.
    """
    if set(files) != set(ARRAYS):
        raise UserError(f"{folder}: its index has the parts {sorted(files)}, not {sorted(ARRAYS)}")
    arrays = {name: _load(folder, files[name], ARRAYS[name], verify) for name in ARRAYS}
    strings = {
        f"{name}s": StringTable(arrays[f"{name}s"], arrays[f"{name}_ends"])
        for name in ("text", "group", "source")
    }
    return Index(arrays["recordings"], arrays["narrations"], **strings, loaded_from=(folder, files))


def _load(folder: Uri, file: IndexFile, dtype: np.dtype, verify: bool) -> np.ndarray:
    def check(path: Path) -> None:
        found = path.stat().st_size
        if found != file.bytes:
            raise UserError(f"{path}: is {found} bytes long, not {file.bytes}: it is damaged")
        if digest(path) != file.sha256:
            raise UserError(f"{path}: is damaged: its checksum is wrong; make the index again")

    whole = uri.join(folder, file.name)
    try:
        if uri.is_remote(folder):
            path = remote_files.fetch(whole, file.sha256, check)
        else:
            path = uri.local(whole)
            if verify:
                check(path)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"{whole}: is missing, so the corpus cannot be read") from None
    except (OSError, ValueError, EOFError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{whole}: cannot be read: {error}") from None
    if array.dtype != dtype or array.ndim != 1:
        raise UserError(f"{whole}: holds {array.dtype} of shape {array.shape}, not rows of {dtype}")
    return array


def digest(path: Path) -> str:
    """SHA-256 of a file, read piece by piece so that no more of it stays in memory."""
    result = sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            result.update(piece)
    return result.hexdigest()


def check_index(
    index: Index, contents: int, splits: int, per_shard: Int64[np.ndarray, "shards"]
) -> None:
    """Every number in the index must name something that is there.

    Args:
        contents, splits: how many the manifest names.
        per_shard: recordings of each shard.

    Raises:
        UserError: one does not.
    """
    for problem in _problems(index, contents, splits, per_shard):
        raise UserError(f"its index {problem}; make it again")


def _problems(
    index: Index, contents: int, splits: int, per_shard: Int64[np.ndarray, "shards"]
) -> Iterator[str]:
    rows, texts = index.recordings, index.narrations["text"]
    for name in ("texts", "groups", "sources"):
        strings: StringTable = getattr(index, name)
        size = int(strings.ends[-1]) if len(strings) else 0
        if size != len(strings.data) or (np.diff(strings.ends, prepend=0) < 0).any():
            yield f"has {name} that do not end where they should"
    if not len(rows) == per_shard.sum() > 0:
        yield f"has {len(rows)} recordings, the shards {per_shard.sum()}"
        return
    shards = np.repeat(np.arange(len(per_shard)), per_shard)
    starts = np.cumsum(per_shard) - per_shard
    if (rows["shard"] != shards).any() or (
        rows["episode"] + starts[shards] != np.arange(len(rows))
    ).any():
        yield "does not list the recordings in the order of the shards"
    limits = {
        "content": contents,
        "split": splits,
        "group": len(index.groups),
        "instruction": len(index.texts),
        "source": len(index.sources),
    }
    for column, limit in limits.items():
        lowest = -1 if column == "split" else 0
        if not lowest <= rows[column].min() <= rows[column].max() < limit:
            yield f"names {column}s that are not there"
    if rows["length"].min() < 1 or not 0 < rows["fps"].min() <= rows["fps"].max() < np.inf:
        yield "has a recording without length or rate"
    ends = np.cumsum(rows["narrations"], dtype=np.int64)
    if rows["narrations"].min() < 0 or ends[-1] != len(texts):
        yield f"has {len(texts)} narrations, its recordings {ends[-1]}"
    if (rows["narration"] != ends - rows["narrations"]).any():
        yield "does not list the narrations in the order of the recordings"
    if len(texts) and not 0 <= texts.min() <= texts.max() < len(index.texts):
        yield "names a text that is not there"
