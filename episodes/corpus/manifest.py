"""`corpus.json`: what a corpus consists of. Whoever has read it knows whether the rest is whole."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

from firsthand.common import uri
from firsthand.common.errors import UserError
from firsthand.common.uri import Uri
from firsthand.episodes.storage.header import SignalSpec, to_json

NAME = "corpus.json"
FORMAT_VERSION = 1
_FILE = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*/)?[A-Za-z0-9_-][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Shard:
    """A file of episodes that belongs to a corpus; `name` is its path from there."""

    name: str
    bytes: int
    fingerprint: str  # see `EpisodeFile.fingerprint`
    recordings: int


@dataclass(frozen=True)
class IndexFile:
    """An array of the index; `name` is its path from the corpus."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Content:
    """What a recording holds. Recordings differ in this far less often than in anything else."""

    cameras: Mapping[str, tuple[int, int]]  # height, width
    has_state: bool
    has_actions: bool
    has_executed: bool
    signals: Mapping[str, SignalSpec] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """Everything about a corpus that is not said of each recording.

    Attributes:
        origin, settings: how it was made.
        contents, splits: names of the numbers in the columns of the index; `splits` says how many
            recordings are in each.
        totals: recordings, frames, seconds, bytes.
        statistics: of each signal and camera, see `episodes.corpus.statistics`.
        index: the arrays of the index by name, see `episodes.corpus.index`.
    """

    origin: str
    settings: Mapping[str, Any]
    shards: tuple[Shard, ...]
    contents: tuple[Content, ...]
    splits: Mapping[str, int]
    totals: Mapping[str, int | float]
    statistics: Mapping[str, Any]
    index: Mapping[str, IndexFile]

    def write(self, folder: Uri) -> None:
        """Replace the manifest of the corpus at `folder` in one step."""
        facts = {"format_version": FORMAT_VERSION, **asdict(self)}
        uri.write(uri.join(folder, NAME), to_json(facts | {"sha256": _sum(facts)}).encode())


def read_manifest(folder: Uri) -> Manifest | None:
    """The manifest of the corpus at `folder`, or None if there is none.

    Raises:
        UserError: it is damaged, or of a format that cannot be read.
    """
    path = uri.join(folder, NAME)
    data = uri.read(path)
    if data is None:
        return None
    try:
        facts = json.loads(data)
        version = facts.pop("format_version")
        checksum = facts.pop("sha256")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: is damaged: {error}; convert the data again") from None
    if version != FORMAT_VERSION:
        raise UserError(f"{path}: has format version {version}; {FORMAT_VERSION} can be read")
    if checksum != _sum({"format_version": version, **facts}):
        raise UserError(f"{path}: is damaged: its checksum is wrong; convert the data again")
    try:
        return _manifest(facts)
    except (LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: is not as it should be: {error!r}") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _manifest(facts: dict[str, Any]) -> Manifest:
    facts["shards"] = tuple(Shard(**shard) for shard in facts["shards"])
    facts["contents"] = tuple(content_of(content) for content in facts["contents"])
    facts["index"] = {name: IndexFile(**file) for name, file in facts["index"].items()}
    for file in (*facts["shards"], *facts["index"].values()):
        if not _FILE.fullmatch(file.name):
            raise UserError(f"{file.name!r} does not name a file of a corpus")
    return Manifest(**facts)


def content_of(fields: Mapping[str, Any]) -> Content:
    """A content as it was before it became JSON."""
    cameras = {camera: tuple(size) for camera, size in fields["cameras"].items()}
    signals = {
        name: SignalSpec(tuple(spec["shape"]), spec["dtype"])
        for name, spec in fields["signals"].items()
    }
    return Content(**{**fields, "cameras": cameras, "signals": signals})


def _sum(facts: Mapping[str, Any]) -> str:
    return sha256(to_json(facts).encode()).hexdigest()
