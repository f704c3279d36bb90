"""Many recordings as one: a corpus with an index on disk, or plain files of episodes.

corpus.json       what there is, with checksums (see `episodes.corpus.manifest`)
index/…           a row for every recording (see `episodes.corpus.index`)
shards/….h5       files of episodes (see `episodes.storage.merge`)
report.json       what conversion could not use, and why
"""

import os
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, Shaped

from firsthand.common import uri
from firsthand.common.errors import UserError
from firsthand.common.progress import track
from firsthand.common.uri import Uri
from firsthand.episodes.corpus import remote_files
from firsthand.episodes.corpus.index import Index, check_index, load_index
from firsthand.episodes.corpus.index_writer import IndexBuilder
from firsthand.episodes.corpus.manifest import NAME, Content, Manifest, Shard, read_manifest
from firsthand.episodes.corpus.strings import StringTable
from firsthand.episodes.episode import Narration
from firsthand.episodes.storage.header import Header
from firsthand.episodes.storage.reader import EpisodeFile

SUFFIXES = (".hdf5", ".h5")
_OPEN = 16  # shards that a process keeps open
_VERIFIED_AT_ONCE = 4  # shards


class Corpus:
    """Recordings, numbered from 0 on, in shards that are opened when something asks for them.

    `recordings` is a structured array with a row for each (`episodes.corpus.index.RECORDING`), in
    the order of the shards. Make one with `Corpus.open` or `Corpus.of`. It may be handed to other
    processes by fork or by pickle.

    Attributes:
        folder: of its `corpus.json`; None when it consists of plain files.
        manifest: what `corpus.json` says, likewise.
    """

    def __init__(
        self,
        shards: tuple[Shard, ...],
        index: Index,
        contents: tuple[Content, ...],
        splits: tuple[str, ...],
        manifest: Manifest | None = None,
        folder: str | None = None,
    ) -> None:
        self.shards, self.contents, self.splits = shards, contents, splits
        self.manifest, self.folder = manifest, folder
        self._index = index
        self._members: dict[str, np.ndarray] = {}  # recordings of splits that may overlap
        self._files: OrderedDict[int, EpisodeFile] = OrderedDict()
        self._pid = os.getpid()

    @classmethod
    def open(cls, location: Uri | Sequence[Uri]) -> "Corpus":
        """A folder or URL with a `corpus.json`, a file of episodes, a folder of such files, or a
        list of files and folders.

        Raises:
            UserError: nothing of the kind is there, or its index is damaged.
        """
        if not isinstance(location, str | Path):
            return cls.of([file for one in location for file in _files_at(one)])
        manifest = None if _is_file(location) else read_manifest(location)
        if manifest is None:
            return cls.of(_files_at(location))
        index = load_index(location, manifest.index)
        corpus = cls(
            manifest.shards,
            index,
            manifest.contents,
            tuple(sorted(manifest.splits)),
            manifest,
            str(location),
        )
        per_shard = np.array([shard.recordings for shard in manifest.shards], np.int64)
        try:
            check_index(index, len(corpus.contents), len(corpus.splits), per_shard)
        except UserError as error:
            raise UserError(f"{location}: {error}") from None
        return corpus

    @classmethod
    def of(cls, files: Sequence[EpisodeFile | Uri]) -> "Corpus":
        """Plain files of episodes, one after the other; each recording is a group of its own.

        Raises:
            UserError: there are none, or one cannot be read.
        """
        builder, shards, members = IndexBuilder(), [], {}
        first = 0
        for given in files:
            file = given if isinstance(given, EpisodeFile) else EpisodeFile(uri.local(given))
            split_of: dict[str, str] = {}
            number = {name: first + episode for episode, name in enumerate(file.names())}
            for split in file.splits:
                names = file.names(split)
                split_of = dict.fromkeys(names, split) | split_of
                members.setdefault(split, []).extend(number[name] for name in names)
            groups = [f"{file.path}/{name}" for name in file.names()]
            builder.add(file.headers, groups, [split_of.get(name) for name in file.names()])
            size = os.path.getsize(file.path)
            shards.append(Shard(str(file.path), size, file.fingerprint, len(file)))
            first += len(file)
        if not first:
            raise UserError("name at least one file of episodes")
        index, contents, splits = builder.finish()
        names = tuple(sorted(members))
        rows = index.recordings
        rows["split"] = np.array([*map(names.index, splits), -1])[rows["split"]]
        corpus = cls(tuple(shards), index, contents, names)
        corpus._members = {split: np.array(sorted(set(n))) for split, n in members.items()}
        return corpus

    def __len__(self) -> int:
        return len(self._index.recordings)

    @property
    def recordings(self) -> Shaped[np.ndarray, "n"]:
        return self._index.recordings

    @property
    def narration_table(self) -> Shaped[np.ndarray, "m"]:
        """All narrations (`episodes.corpus.index.NARRATION`), in the order of the recordings."""
        return self._index.narrations

    @property
    def texts(self) -> StringTable:
        """All different instructions and narrations; "" is one if a recording has none."""
        return self._index.texts

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.folder or ", ".join(shard.name for shard in self.shards)

    @property
    def fingerprint(self) -> str:
        """Changes with any byte of any shard, and with their order."""
        return sha256("\n".join(shard.fingerprint for shard in self.shards).encode()).hexdigest()

    def split(self, name: str | None) -> Int64[np.ndarray, "n"]:
        """The recordings in a split, or all of them."""
        if name is None:
            return np.arange(len(self))
        if name not in self.splits:
            raise UserError(
                f"{self.name}: has no split {name!r}, only {', '.join(self.splits) or 'none'}"
            )
        if name in self._members:
            return self._members[name]
        return np.flatnonzero(self.recordings["split"] == self.splits.index(name))

    def header(self, recording: int) -> Header:
        content = self.contents[self._row(recording)["content"]]
        return self._index.header(recording, content)

    def narrations(self, recording: int) -> tuple[Narration, ...]:
        self._row(recording)
        return self._index.narrations_of(recording)

    def narration_rows(self, recording: int) -> Shaped[np.ndarray, "m"]:
        """The same as rows of `episodes.corpus.index.NARRATION`, for who asks often."""
        row = self._row(recording)
        return self._index.narrations[row["narration"] :][: row["narrations"]]

    def group(self, recording: int) -> str:
        """What a split does not cut: a video, a child, a participant."""
        return self._index.groups[int(self._row(recording)["group"])]

    def _row(self, recording: int) -> Any:
        if not 0 <= recording < len(self):
            raise UserError(f"{self.name}: has {len(self)} recordings, none of number {recording}")
        return self.recordings[recording]

    def file(self, recording: int) -> tuple[EpisodeFile, int]:
        """The shard that a recording is in, and its number there.

        Raises:
            UserError: the shard is missing, or not the one that the index was made of.
        """
        row = self._row(recording)
        return self.shard(int(row["shard"])), int(row["episode"])

    def shard(self, number: int) -> EpisodeFile:
        """A file of episodes, fetched first if it is elsewhere. The newest few stay open."""
        if self._pid != os.getpid():  # the files of the process that forked this one
            self._files, self._pid = OrderedDict(), os.getpid()
        if number in self._files:
            self._files.move_to_end(number)
            return self._files[number]
        self._files[number] = file = self._open(number)
        if len(self._files) > _OPEN:
            self._files.popitem(last=False)[1].close()
        return file

    def _open(self, number: int) -> EpisodeFile:
        shard = self.shards[number]
        path = Path(shard.name)
        if self.folder is not None:
            path = remote_files.fetch_shard(uri.join(self.folder, shard.name), shard)
        file = EpisodeFile(path)
        remote_files.check_fingerprint(file, shard)
        return file

    def problems(self) -> list[str]:
        """What is wrong with the shards, every byte of which is read; nothing if all is well.

        The bytes of the index were checked on opening; here, whether it says what the shards say.
        """
        numbers = range(len(self.shards))
        alone = len(numbers) == 1
        with ThreadPoolExecutor(_VERIFIED_AT_ONCE) as pool:  # checksums leave the interpreter lock
            found = pool.map(partial(self._problem, progress=alone), numbers)
            return [p for p in track(found, "verifying", len(numbers), visible=not alone) if p]

    def _problem(self, number: int, progress: bool) -> str:
        first = int(np.searchsorted(self.recordings["shard"], number))
        try:
            with self._open(number) as file:
                file.verify(progress)
                for episode, header in enumerate(file.headers):
                    if self.header(first + episode) != header:
                        return f"{file.path}: the index says something else of {header.name}"
        except UserError as error:
            return str(error)
        return ""

    def verify(self) -> None:
        """Raise `UserError` if there are problems: it names the shards, the recordings in them
        and the bytes that are damaged."""
        if problems := self.problems():
            more = f"; and {len(problems) - 1} more files are damaged" if problems[1:] else ""
            raise UserError(problems[0] + more)

    def close(self) -> None:
        while self._files:
            self._files.popitem()[1].close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": OrderedDict()}


def _is_file(location: Uri) -> bool:
    if uri.is_remote(location):
        return str(location).endswith(SUFFIXES)
    return uri.local(location).is_file()


def _files_at(location: Uri) -> list[Path]:
    """A file of episodes, or those in a folder."""
    if uri.is_remote(location):
        raise UserError(f"{location}: holds no {NAME}; plain files are read from this machine only")
    path = uri.local(location)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"no episodes at {path}: there is no such file or folder")
    if (path / NAME).is_file():
        raise UserError(f"{path}: is a corpus with an index: name it alone")
    found = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    if not found:
        raise UserError(f"{path} holds no file of episodes ({' or '.join(SUFFIXES)})")
    return found
