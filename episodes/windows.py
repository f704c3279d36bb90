"""Training samples cut from recordings: a window starts at every frame of every recording."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int64
from rich.progress import track

from episodes.blocked import Blocked
from episodes.episode import Window, WindowSpec
from episodes.errors import UserError
from episodes.order import Order, Shuffled
from episodes.pieces import Pieces, cut
from episodes.pool import Decoded, Pool
from episodes.store import EpisodeFile, Header


def to_frames(seconds: float, fps: float) -> int:
    """The nearest whole number of frames, at least one (halves round up)."""
    return max(1, int(np.floor(seconds * fps + 0.5)))


@dataclass(frozen=True)
class PoolConfig:
    """How windows are read when their pictures do not fit in memory (see `episodes.blocked`).

    megabytes: decoded pictures of which a lane draws its batches: more mix better.
    lanes: runs into which an epoch is cut, each read by one process at a time: as many as there are
        processes that read, over all ranks, or a multiple. Each lane keeps up to twice `megabytes`.
    """

    megabytes: int = 256
    lanes: int = 8

    def __post_init__(self) -> None:
        if self.megabytes < 1 or self.lanes < 1:
            raise UserError(
                "pools need at least 1 megabyte and 1 lane, "
                f"not megabytes={self.megabytes} lanes={self.lanes}"
            )

    @property
    def bytes(self) -> int:
        return self.megabytes * 2**20


class Windows:
    """All windows of the recordings in some files, as a map-style data set.

    Only the files' headers are held in memory, and a file is opened anew in each worker process
    (fork, spawn or pickle). Without a pool, a window reads and decodes each picture it shows once.

    Args:
        files: stores, or paths of stores, read one after the other.
        spec: what a window shows. Seconds become frames by rounding at each recording's own rate.
        split: recordings of this split only; files without it contribute nothing.
        in_memory: decode all pictures now and keep them (`decoded_bytes` of them). Workers that
            are forked share them; spawned ones copy them.
        pool: decode recordings as they are first needed and keep the last ones; `order` is then one
            in which that pays.
        verify: check every byte of the files first. Without it a damaged byte is found when
            something reads it.

    Raises:
        UserError: a file is damaged, no recording is in the split, one shows none of the cameras,
            or the pool is too small for a window.
    """

    def __init__(
        self,
        files: Sequence[EpisodeFile | str | Path],
        spec: WindowSpec,
        split: str | None = None,
        in_memory: bool = False,
        pool: PoolConfig | None = None,
        verify: bool = True,
    ) -> None:
        self.files = [f if isinstance(f, EpisodeFile) else EpisodeFile(f) for f in files]
        self.spec = spec
        self._where: list[tuple[int, int]] = []  # recording -> file, episode in the file
        for number, file in enumerate(self.files):
            if verify:
                file.verify()
            names = set(file.names(split) if split is None or split in file.splits else ())
            for episode, name in enumerate(file.names()):
                if name in names:
                    self._check(file, file.header(episode))
                    self._where.append((number, episode))
        if not self._where:
            paths = ", ".join(str(file.path) for file in self.files) or "no files"
            raise UserError(f"{paths}: no recording in split {split!r}")
        self._ends = np.cumsum([header.length for header in self._headers()])
        self._config = None if in_memory else pool
        self._pool: Pool | None = None
        if in_memory:
            self._pool = Pool()
            self._decode_all(self._pool)
        elif pool is not None:
            self._pool = Pool()
            self.keep_for(pool.lanes)

    def _check(self, file: EpisodeFile, header: Header) -> None:
        if not any(camera in header.cameras for camera in self.spec.cameras):
            raise UserError(
                f"{file.path}: {header.name} shows {', '.join(header.cameras) or 'no camera'}, "
                f"none of {', '.join(self.spec.cameras)}"
            )

    def __len__(self) -> int:
        return int(self._ends[-1])

    @property
    def recordings(self) -> int:
        return len(self._where)

    @property
    def instructions(self) -> tuple[str, ...]:
        """Every text that a window may carry, sorted."""
        texts = {""}
        for header in self._headers():
            texts.update([header.instruction, *(n.text for n in header.narrations)])
        return tuple(sorted(texts))

    @property
    def decoded_bytes(self) -> int:
        """What `in_memory` takes."""
        return sum(header.length * self._frame_bytes(header) for header in self._headers())

    @property
    def lanes(self) -> int:
        """Into how many its order is cut."""
        return self._config.lanes if self._config is not None else 1

    def order(self, seed: int, lanes: int | None = None) -> Order:
        """An order in which reading is fast: any at all, unless windows come from a pool."""
        lanes = lanes or self.lanes
        if self._config is None:
            return Shuffled(len(self), seed, lanes)
        shards = np.array([number for number, _ in self._where])[self._pieces.recording]
        return Blocked(self._pieces, shards, seed, self._config.bytes, lanes)

    def keep_for(self, lanes: int) -> None:
        """Keep pictures for so many lanes of the order: those that this process reads."""
        if self._config is not None and self._pool is not None:
            self._pool.limit = 2 * self._config.bytes * lanes

    def _headers(self) -> Iterator[Header]:
        return (self.files[file].header(episode) for file, episode in self._where)

    def _frame_bytes(self, header: Header) -> int:
        sizes = [size for camera, size in header.cameras.items() if camera in self.spec.cameras]
        return sum(height * width * 3 for height, width in sizes)

    def _reach(self, header: Header) -> int:
        """How many frames past its first one a window shows."""
        future = 0 if self.spec.future is None else to_frames(self.spec.future, header.fps)
        return (self.spec.length - 1) * to_frames(self.spec.stride, header.fps) + future

    @cached_property
    def _pieces(self) -> Pieces:
        """What is decoded at a time: whole recordings unless they take too much of the pool."""
        headers = list(self._headers())
        lengths = np.array([header.length for header in headers])
        reach = np.array([self._reach(header) for header in headers])
        frame = np.array([self._frame_bytes(header) for header in headers])
        everything = int((lengths * frame).sum())
        return cut(lengths, reach, frame, self._config.bytes // 4 if self._config else everything)

    def locate(self, index: int) -> tuple[int, int]:
        """Recording (its position among those chosen) and first frame of a window."""
        if not 0 <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")
        recording = int(np.searchsorted(self._ends, index, side="right"))
        before = int(self._ends[recording - 1]) if recording else 0
        return recording, index - before

    def __getitem__(self, index: int) -> Window:
        recording, start = self.locate(int(index))
        number, episode = self._where[recording]
        header = self.files[number].header(episode)
        times = start + to_frames(self.spec.stride, header.fps) * np.arange(self.spec.length)
        later = times[:0]
        if self.spec.future is not None:
            later = times + to_frames(self.spec.future, header.fps)
        last = header.length - 1
        shown = np.minimum(np.concatenate([times, later]), last)
        if self._pool is None:
            decoded = self._read(recording, shown)
            rows = np.arange(len(shown))
        else:
            decoded = self._pool.get(self._pieces.at(int(index)), self._decode)
            rows = shown - decoded.first
        now, then = {}, {}
        for camera, frames in decoded.frames.items():
            now[camera], then[camera] = frames[rows[: len(times)]], frames[rows[len(times) :]]
        state, actions = decoded.state, decoded.actions
        ends = times[:, None] + np.arange(self.spec.chunk)
        return Window(
            frames=now,
            valid=times <= last,
            instruction=instruction_of(header, start, int(times[-1])),
            state=None if state is None else state[np.minimum(times, last) - decoded.first],
            actions=None if actions is None else actions[np.minimum(ends, last) - decoded.first],
            actions_valid=None if actions is None else ends <= last,
            future=None if self.spec.future is None else then,
            future_valid=None if self.spec.future is None else later <= last,
        )

    def _decode(self, piece: int) -> Decoded:
        start, count = int(self._pieces.start[piece]), int(self._pieces.frames[piece])
        return self._read(int(self._pieces.recording[piece]), start + np.arange(count))

    def _read(self, recording: int, shown: Int64[np.ndarray, "t"]) -> Decoded:
        """Some frames of a recording, and the states and actions of that stretch."""
        number, episode = self._where[recording]
        file = self.files[number]
        have = file.header(episode).cameras
        frames = {c: file.frames(episode, c, shown) for c in self.spec.cameras if c in have}
        first, end = int(shown[0]), int(shown.max()) + 1
        state, actions = file.state(episode), file.actions(episode) if self.spec.chunk else None
        if state is not None:
            state = state[first:end].copy()
        if actions is not None:
            actions = actions[first : end + self.spec.chunk].copy()
        return Decoded(first, frames, state, actions)

    def _decode_all(self, pool: Pool) -> None:
        with ThreadPoolExecutor(2) as threads:  # decoding leaves the interpreter lock
            pieces = range(len(self._pieces))
            decoded = threads.map(self._decode, pieces)
            for piece in track(pieces, "Decoding pictures", transient=True):
                pool.add(piece, next(decoded))


def instruction_of(header: Header, first: int, last: int) -> str:
    """The narration that overlaps frames `first` to `last` most, else the recording's instruction.

    A narration without duration counts when it falls inside, after those that last.
    """
    start, end = first / header.fps, (min(last, header.length - 1) + 1) / header.fps
    best, most = header.instruction, -1.0
    for narration in header.narrations:
        overlap = min(narration.end, end) - max(narration.start, start)
        inside = narration.start == narration.end and start <= narration.start < end
        if (overlap > 0 or inside) and overlap > most:
            best, most = narration.text, overlap
    return best
