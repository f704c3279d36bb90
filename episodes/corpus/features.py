"""What an encoder made of the pictures of a corpus, stored beside its shards.

    features/<identity>/<fingerprint of a shard>.h5   made of that very shard by that very encoder
        attrs: identity, shard
        <recording>/<camera>    (t, k, c) float16 or float32: k tokens of every picture
    features/<identity>.json    kind of number, and cameras with the size their pictures had

`features` lies beside a corpus's `shards`, or beside plain files. Files are sealed and appear under
their name when they are whole.
"""

import json
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float, UInt8

from firsthand.common import uri
from firsthand.common.atomic import PartialFile
from firsthand.common.errors import UserError
from firsthand.episodes.corpus import remote_files
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.storage.checked_file import SealedFile
from firsthand.episodes.storage.checksum import seal
from firsthand.episodes.storage.header import to_json
from firsthand.episodes.storage.reader import EpisodeFile

KINDS = ("float16", "float32")
_AT_ONCE = 32  # pictures; a fixed number, as the last bits of a result may depend on it
_OPEN = 16  # files that a process keeps open

Encode = Callable[[UInt8[np.ndarray, "n h w 3"], str], Float[np.ndarray, "n k c"]]


def folder_of(corpus: Corpus) -> str:
    """Where its features are.

    Raises:
        UserError: its files lie in several folders.
    """
    if corpus.folder is not None:
        return uri.join(corpus.folder, "features")
    folders = {str(Path(shard.name).parent) for shard in corpus.shards}
    if len(folders) > 1:
        raise UserError(f"the files {corpus.name} lie in several folders: name them one by one")
    return uri.join(folders.pop(), "features")


def write_features(
    file: EpisodeFile, out: Path, identity: str, cameras: Sequence[str], kind: str, encode: Encode
) -> None:
    """Encode all pictures of some cameras of a file of episodes.

    Raises:
        UserError: a value is too large for the kind of number.
    """
    stream = PartialFile(out)
    try:
        with h5py.File(stream, "w", libver=("v110", "v110")) as store:
            store.attrs["identity"], store.attrs["shard"] = identity, file.fingerprint
            for header in file.headers:
                group = store.create_group(header.name)
                for camera in cameras:
                    if camera in header.cameras:
                        tokens = _encoded(file, header.name, camera, header.length, encode)
                        _write(group, camera, header.length, kind, tokens)
                        stream.check()
        stream.check()
        seal(stream.partial)
        stream.commit()
    finally:
        stream.discard()


def _encoded(
    file: EpisodeFile, episode: str, camera: str, length: int, encode: Encode
) -> Iterator[Float[np.ndarray, "n k c"]]:
    for first in range(0, length, _AT_ONCE):
        indices = np.arange(first, min(first + _AT_ONCE, length))
        yield encode(file.frames(episode, camera, indices), camera)


def _write(
    group: h5py.Group,
    camera: str,
    length: int,
    kind: str,
    parts: Iterator[Float[np.ndarray, "n k c"]],
) -> None:
    dataset, done = None, 0
    for tokens in parts:
        if dataset is None:
            dataset = group.create_dataset(camera, (length, *tokens.shape[1:]), kind)
        if np.abs(tokens).max() > np.finfo(kind).max:
            raise UserError(f"{camera} has features too large for {kind}: use kind=float32")
        dataset[done : done + len(tokens)] = tokens.astype(kind)
        done += len(tokens)


def begin(folder: str, identity: str, kind: str, cameras: Mapping[str, int]) -> None:
    """Say what features there will be.

    Raises:
        UserError: there are others of the same encoder.
    """
    if kind not in KINDS:
        raise UserError(f"kind must be {' or '.join(KINDS)}, not {kind}")
    path = uri.join(folder, f"{identity}.json")
    about = {"kind": kind, "cameras": dict(cameras)}
    found = uri.read(path)
    if found is None:
        uri.write(path, to_json(about).encode())
    elif (there := _about(found, folder)) != about:
        raise UserError(
            f"{folder}/{identity}: holds features of {there}, not {about}: remove it to make others"
        )


def _about(data: bytes, folder: str) -> dict[str, Any]:
    try:
        about = json.loads(data)
        return {"kind": str(about["kind"]), "cameras": dict(about["cameras"])}
    except (ValueError, LookupError, TypeError, RecursionError):
        raise UserError(f"{folder}: what it says of its features is damaged: remove it") from None


class StoredFeatures:
    """Reads the features of a corpus's pictures by one encoder.

    It may be handed to other processes by fork or by pickle.

    Args:
        corpus: whose features they are.
        identity: of the encoder.
        cameras: those wanted, with the size that the encoder is to have seen their pictures in.

    Raises:
        UserError: they are not there, but perhaps others, by name; or not all of them.
    """

    def __init__(self, corpus: Corpus, identity: str, cameras: Mapping[str, int]) -> None:
        self._corpus, self._identity = corpus, identity
        self._folder = folder_of(corpus)
        self._files: OrderedDict[str, FeatureFile] = OrderedDict()
        self._pid = os.getpid()
        found = uri.read(uri.join(self._folder, f"{identity}.json"))
        if found is None:
            raise UserError(f"{self._folder}: {self._what_else()}")
        have = _about(found, self._folder)["cameras"]
        for camera, size in cameras.items():
            if have.get(camera) != size:
                of = f"of {have[camera]} pixels" if camera in have else "none"
                raise UserError(
                    f"{self._folder}: features of encoder {identity} are for {camera} {of}, "
                    f"the policy looks at {size} pixels: make them with `firsthand features`"
                )
        there = uri.sizes(uri.join(self._folder, identity))
        missing = [s.name for s in corpus.shards if f"{s.fingerprint}.h5" not in there]
        if missing:
            raise UserError(
                f"{self._folder}: {len(missing)} of {len(corpus.shards)} shards have no features "
                f"of encoder {identity}, {missing[0]} for one: make them with `firsthand features`"
            )

    def _what_else(self) -> str:
        names = sorted(name.removesuffix(".json") for name in uri.sizes(self._folder))
        others = f", only of {', '.join(names)}" if names else ""
        return (
            f"there are no features of the policy's encoder {self._identity}{others}: "
            "make them with `firsthand features`, or set features=false"
        )

    def read(
        self, recording: int, camera: str, indices: Sequence[int] | np.ndarray
    ) -> Float[np.ndarray, "t k c"]:
        """The tokens of a camera's pictures."""
        row = self._corpus.recordings[recording]
        shard = self._corpus.shards[int(row["shard"])]
        name = self._corpus.header(recording).name
        return self._file(shard.fingerprint).read(name, camera, indices)

    def _file(self, shard: str) -> "FeatureFile":
        if self._pid != os.getpid():  # the files of the process that forked this one
            self._files, self._pid = OrderedDict(), os.getpid()
        if shard not in self._files:
            file = uri.join(self._folder, self._identity, f"{shard}.h5")
            path = uri.local(file)
            if uri.is_remote(file):
                path = remote_files.fetch(file, shard, lambda path: FeatureFile(path).close())
            self._files[shard] = FeatureFile(path, self._identity, shard)
            if len(self._files) > _OPEN:
                self._files.popitem(last=False)[1].close()
        self._files.move_to_end(shard)
        return self._files[shard]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": OrderedDict()}


class FeatureFile(SealedFile):
    """The features of one shard.

    Raises:
        UserError: naming the file: it is damaged, or of another encoder or shard than it should be.
    """

    def __init__(self, path: str | Path, identity: str | None = None, shard: str | None = None):
        super().__init__(path)
        with self._reading("what it is") as file:
            for name, wanted in (("identity", identity), ("shard", shard)):
                found = file.attrs[name]
                if wanted is not None and found != wanted:
                    what = "encoder" if name == "identity" else "shard"
                    raise UserError(f"holds features of {what} {found}, not {wanted}")

    def read(
        self, episode: str, camera: str, indices: Sequence[int] | np.ndarray
    ) -> Float[np.ndarray, "t k c"]:
        """The tokens of some pictures of a camera."""
        with self._reading(f"{camera} of {episode}") as file:
            wanted, back = np.unique(np.asarray(indices, np.int64), return_inverse=True)
            dataset = file[episode][camera]
            if len(wanted) == wanted[-1] - wanted[0] + 1:
                return dataset[int(wanted[0]) : int(wanted[-1]) + 1][back]
            return np.stack([dataset[int(index)] for index in wanted])[back]
