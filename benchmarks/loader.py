"""Windows a second out of our shards and out of the formats that others use: the same recordings,
the same windows in the same order, by turns in one run.

In three ways: in random order, each window read on its own; in the order in which we read a corpus
that does not fit in memory, each window on its own; and in that order with decoded recordings kept
in a pool, which is how we train, with the same pool around every format. Files are in the operating
system's cache: what is compared is decoding. Raw and mp4 get states and actions for nothing.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from firsthand.benchmarks.formats import Format, rivals
from firsthand.benchmarks.machine import resident
from firsthand.benchmarks.world import random_walk
from firsthand.envs.options import CAMERAS_CALVIN as CAMERAS
from firsthand.envs.playtable.env import PlayTable
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.episode import Episode, WindowSpec
from firsthand.episodes.sampling.frame_cache import Decoded
from firsthand.episodes.sampling.order import Shuffled
from firsthand.episodes.sampling.windows import FrameCacheConfig, Windows
from firsthand.episodes.storage.merge import EpisodeWriter

OURS = "ours"
FPS = 30.0
SPEC = WindowSpec(length=10, stride=0.1, cameras=tuple(CAMERAS), future=0.1, chunk=10)  # GR-1's
POOL = FrameCacheConfig(megabytes=64, lanes=2)
TURN = 16  # windows of one format before the next one's
WARM_UP = 192  # windows that fill the pools
WAYS = {
    "random": "in random order, each window read on its own",
    "blocked": "in the order of pools, each window read on its own",
    "pooled": "in the order of pools, decoded recordings kept",
}


@dataclass(frozen=True)
class Rate:
    """How fast windows came out of a format.

    milliseconds: of CPU time a window; wall: of wall-clock time; megabytes: on disk.
    """

    way: str
    format: str
    milliseconds: float
    wall: float
    megabytes: float

    @property
    def windows(self) -> float:
        """A second of CPU time."""
        return 1000 / self.milliseconds


class Foreign(Windows):
    """Windows whose pictures come from another format."""

    def __init__(
        self,
        format: Format,
        folder: Path,
        signals: Sequence[Episode],
        corpus: Corpus,
        pool: FrameCacheConfig | None,
    ) -> None:
        super().__init__(corpus, SPEC, pool=pool, verify=False)
        self._format, self._folder, self._signals = format, folder, signals

    def read(self, recording: int, shown: Int64[np.ndarray, "t"]) -> Decoded:
        wanted, back = np.unique(shown, return_inverse=True)
        frames = self._format.read(self._folder, recording, wanted)
        if len(back) > len(wanted):
            frames = {camera: pictures[back] for camera, pictures in frames.items()}
        signals = self._signals[recording]
        assert signals.state is not None
        assert signals.actions is not None
        first, end = int(wanted[0]), int(wanted[-1]) + 1
        actions = signals.actions[first : end + SPEC.chunk]
        return Decoded(first, frames, signals.state[first:end], actions)


def recordings(episodes: int, length: int) -> Iterator[Episode]:
    """An arm that moves at random on the PlayTable, at CALVIN's picture sizes: the same recordings
    every time."""
    world = PlayTable(cameras=CAMERAS)
    for number in range(episodes):
        world.reset(seed=number)
        actions = random_walk(length, number).astype(np.float32)
        seen = [world.step(action)[0] for action in actions]
        yield Episode(
            {camera: np.stack([s["rgb_obs"][camera] for s in seen]) for camera in CAMERAS},
            FPS,
            instruction=f"do what is done in recording {number}",
            state=np.stack([s["robot_obs"] for s in seen]).astype(np.float32),
            actions=actions,
        )
    world.close()


class Library:
    """The same made-up recordings in all formats, below one folder."""

    def __init__(self, folder: Path, episodes: int, length: int) -> None:
        self._folder = folder
        self._rivals = rivals(list(CAMERAS), FPS, length)
        self._signals = []
        for format in self._rivals:
            (folder / format.name).mkdir()
        (folder / OURS).mkdir()
        self.shard = folder / OURS / "shard.h5"
        with EpisodeWriter(self.shard) as writer:
            for number, episode in enumerate(recordings(episodes, length)):
                writer.add(episode, "train" if number else "valid")
                for format in self._rivals:
                    format.write(folder / format.name, number, episode)
                self._signals.append(Episode({}, FPS, state=episode.state, actions=episode.actions))
        self.corpus = Corpus.of([self.shard])

    def open(self, pool: FrameCacheConfig | None) -> dict[str, Windows]:
        """The windows of all recordings, by format."""
        found = {OURS: Windows(self.corpus, SPEC, pool=pool, verify=False)}
        for format in self._rivals:
            place = self._folder / format.name
            found[format.name] = Foreign(format, place, self._signals, self.corpus, pool)
        return found

    def megabytes(self, format: str) -> float:
        """On disk."""
        return sum(path.stat().st_size for path in (self._folder / format).iterdir()) / 1e6


def rates(library: Library, windows: int, seed: int) -> Iterator[Rate]:
    """Every way and format, all by turns.

    Args:
        windows: measured of each.
        seed: of the orders.
    """
    ours = library.open(POOL)
    blocked = ours[OURS].order(seed)
    random = Shuffled(len(ours[OURS]), seed)
    runs = [
        (way, name, random if way == "random" else blocked, opened)
        for way in WAYS
        for name, opened in (ours if way == "pooled" else library.open(None)).items()
    ]
    spent = [np.zeros(2) for _ in runs]
    for turn in range(-WARM_UP // TURN, windows // TURN):
        for (way, _, order, opened), total in zip(runs, spent, strict=True):
            if turn < -1 and way != "pooled":
                continue
            begun = np.array([time.process_time(), time.perf_counter()])
            for _, index in order.batch(turn + WARM_UP // TURN, TURN):
                opened[index]
            if turn >= 0:
                total += np.array([time.process_time(), time.perf_counter()]) - begun
    for (way, name, *_), total in zip(runs, spent, strict=True):
        cpu, wall = (1000 * total / (windows // TURN * TURN)).tolist()
        yield Rate(way, name, cpu, wall, library.megabytes(name))


def growth(library: Library, windows: int, seed: int) -> float:
    """Megabytes by which this process grew at most while it read `windows` windows out of pools,
    after an epoch that filled them."""
    opened = Windows(library.corpus, SPEC, pool=POOL, verify=False)
    order, filled = opened.order(seed), len(opened) // TURN
    before = largest = 0.0
    for turn in range(filled + windows // TURN):
        for _, index in order.batch(turn, TURN):
            opened[index]
        if turn < filled:
            before = largest = _megabytes_held()
        else:
            largest = max(largest, _megabytes_held())
    return largest - before


def _megabytes_held() -> float:
    """By this process, on Linux."""
    held = resident()
    assert held is not None
    return held / 1e6
