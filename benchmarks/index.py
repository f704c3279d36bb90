"""What opening a corpus costs: an index of a million made-up clips, and a new process."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firsthand.benchmarks.machine import MEBIBYTE, in_processes, resident
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.corpus.index import NARRATION, RECORDING, Index
from firsthand.episodes.corpus.index_writer import write_arrays
from firsthand.episodes.corpus.manifest import Content, Manifest, Shard
from firsthand.episodes.corpus.strings import StringTable

CLIPS = 1_000_000
_PER_SHARD, _PER_GROUP = 140, 20  # 3 s at 10 Hz and 224 pixels in 64 MB; clips cut from one video
_VERBS = ("opens", "picks up", "puts down", "washes", "cuts", "pours", "turns", "looks at")


@dataclass(frozen=True)
class IndexCost:
    """Seconds until a corpus is open, and MiB by which the process grew, mapped files included."""

    clips: int
    seconds: float
    mebibytes: float
    bytes_on_disk: int


def write_clips(folder: Path, clips: int = CLIPS) -> None:
    """The index of a corpus of short narrated clips, without its shards.

    Each clip has a sentence and a source that no other has, the worst case for an index.
    """
    numbers = np.arange(clips)
    rows = np.zeros(clips, RECORDING)
    rows["fps"], rows["length"] = 10.0, 30 + numbers % 7
    rows["shard"], rows["episode"] = numbers // _PER_SHARD, numbers % _PER_SHARD
    rows["group"] = numbers // _PER_GROUP
    rows["split"] = rows["group"] % 10 == 0
    rows["narration"], rows["narrations"], rows["source"] = numbers, 1, numbers
    said = np.zeros(clips, NARRATION)
    said["end"], said["text"] = 3.0, 1 + numbers
    texts = [f"#C C {_VERBS[n % 8]} the object {n} on the counter" for n in range(clips)]
    index = Index(
        rows,
        said,
        StringTable.of(["", *texts]),
        StringTable.of([f"video {n}" for n in range(-(-clips // _PER_GROUP))]),
        StringTable.of(
            [f'{{"origin": "clips", "start": {n}, "video": {n // 20}}}' for n in numbers]
        ),
    )
    shards = [
        Shard(f"shards/{n:05}.h5", 64_000_000, f"{n:x}-00000000", min(_PER_SHARD, clips - first))
        for n, first in enumerate(range(0, clips, _PER_SHARD))
    ]
    held_out = int(rows["split"].sum())
    Manifest(
        origin="clips",
        settings={},
        shards=tuple(shards),
        contents=(Content({"rgb_static": (224, 224)}, False, False, False),),
        splits={"train": clips - held_out, "valid": held_out},
        totals={
            "recordings": clips,
            "frames": int(rows["length"].sum()),
            "seconds": float(rows["length"].sum() / 10),
            "bytes": sum(shard.bytes for shard in shards),
        },
        statistics={},
        index=write_arrays(folder, index),
    ).write(folder)


def measure(folder: Path) -> IndexCost | None:
    """Open a corpus in a process of its own and ask what a loader asks of every recording.

    None where the system does not tell what a process holds.
    """
    if resident() is None:
        return None
    clips, seconds, grown = in_processes([_open], folder)[0]
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return IndexCost(clips, seconds, grown / MEBIBYTE, size)


def _open(folder: Path) -> Iterator[Any]:
    yield "ready"
    before, start = resident() or 0, time.perf_counter()
    corpus = Corpus.open(folder)
    seconds = time.perf_counter() - start
    learned = corpus.split("train")
    for recording in learned[:: max(1, len(learned) // 1000)]:
        corpus.header(int(recording))
    lengths = corpus.recordings["length"].cumsum()
    yield len(lengths), seconds, (resident() or 0) - before
