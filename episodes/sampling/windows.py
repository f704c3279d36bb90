"""Training samples cut from recordings: a window starts at every frame of every recording, but for
those that a window shows whole, which it then does.
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64, Shaped, UInt8

from firsthand.common.errors import UserError
from firsthand.common.progress import track
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.corpus.features import StoredFeatures
from firsthand.episodes.episode import INTERVENTION, Course, Window, WindowSpec
from firsthand.episodes.sampling.buffered_shuffle import BufferedShuffle
from firsthand.episodes.sampling.frame_cache import Decoded, FrameCache
from firsthand.episodes.sampling.order import Order, Shuffled
from firsthand.episodes.sampling.segments import Segments, cut
from firsthand.episodes.storage.merge import EpisodeFile


@lru_cache
def to_frames(seconds: float, fps: float) -> int:
    """The nearest whole number of frames, at least one (halves round up)."""
    return max(1, math.floor(seconds * fps + 0.5))


@dataclass(frozen=True)
class FrameCacheConfig:
    """How windows are read whose images do not fit in memory (see `sampling.buffered_shuffle`)."""

    megabytes: int = 256
    """Decoded images of which a lane draws its batches, in MiB: more mix better."""
    lanes: int = 8
    """Runs into which an epoch is cut, each read by one process at a time: as many as there are
    processes that read, over all ranks, or a multiple. Each lane keeps up to twice `megabytes`."""

    def __post_init__(self) -> None:
        if self.megabytes < 1 or self.lanes < 1:
            raise UserError(
                "pools need at least 1 megabyte and 1 lane, "
                f"not megabytes={self.megabytes} lanes={self.lanes}"
            )

    @property
    def bytes(self) -> int:
        return self.megabytes * 2**20


def _advice(theirs: str, ours: str) -> str:
    return f": convert it with source.cameras=[{ours}={theirs}] (the dataset's name of {theirs})"


class Windows:
    """All windows of the recordings in a corpus, as a map-style data set.

    A few numbers for every recording are held in memory, and shards are opened anew in each worker
    process (fork, spawn or pickle). Without a pool, a window reads and decodes each picture it
    shows once.

    Args:
        corpus: recordings; or files of episodes, read one after the other.
        spec: what a window shows. Seconds become frames by rounding at each recording's own rate.
        split: recordings of this split only.
        in_memory: decode all pictures now and keep them (`decoded_bytes` of them). Workers that
            are forked share them; spawned ones copy them.
        pool: decode recordings as they are first needed and keep the last ones; `order` is then one
            in which that pays.
        verify: check every byte of plain files first. Without it a damaged byte is found when
            something reads it, as it is in a corpus with an index.

    Raises:
        UserError: a file is damaged, no recording is in the split, one shows none of the cameras,
            or the pool is too small for a window.
    """

    def __init__(
        self,
        corpus: Corpus | Sequence[EpisodeFile | str | Path],
        spec: WindowSpec,
        split: str | None = None,
        in_memory: bool = False,
        pool: FrameCacheConfig | None = None,
        verify: bool = True,
    ) -> None:
        self.corpus = corpus if isinstance(corpus, Corpus) else Corpus.of(corpus)
        self.spec = spec
        if verify and self.corpus.folder is None:
            self.corpus.verify()
        known = split is None or split in self.corpus.splits
        self._chosen = self.corpus.split(split) if known else np.arange(0)
        if not len(self._chosen):
            raise UserError(
                f"{self.corpus.name}: no recording in split {split!r}, only in "
                f"{', '.join(self.corpus.splits) or 'none'}"
            )
        self._check_cameras()
        self._ends = np.cumsum(np.where(self._uncut > 0, self._uncut, self._lengths))
        self._config = None if in_memory else pool
        self._pool: FrameCache | None = None
        if in_memory:
            self._pool = FrameCache()
            self._decode_all(self._pool)
        elif pool is not None:
            self._pool = FrameCache()
            self.keep_for(pool.lanes)

    def _check_cameras(self) -> None:
        content = self._column("content")
        for number in np.unique(content).tolist():
            cameras = self.corpus.contents[number].cameras
            if not any(camera in cameras for camera in self.spec.cameras):
                recording = int(self._chosen[np.argmax(content == number)])
                shard = self.corpus.shards[self.corpus.recordings["shard"][recording]].name
                raise UserError(
                    f"{shard}: {self.corpus.header(recording).name} shows "
                    f"{', '.join(cameras) or 'no camera'}, none of {', '.join(self.spec.cameras)}"
                    + (_advice(min(cameras), self.spec.cameras[0]) if cameras else "")
                )

    def __len__(self) -> int:
        return int(self._ends[-1])

    @property
    def recordings(self) -> int:
        return len(self._chosen)

    @property
    def decoded_bytes(self) -> int:
        """What `in_memory` takes."""
        return int((self._lengths * self._frame_bytes).sum())

    @property
    def lanes(self) -> int:
        """Into how many its order is cut."""
        return self._config.lanes if self._config is not None else 1

    def order(self, seed: int, lanes: int | None = None) -> Order:
        """An order in which reading is fast: any at all, unless windows come from a pool."""
        lanes = lanes or self.lanes
        if self._config is None:
            return Shuffled(len(self), seed, lanes)
        shards = self.corpus.recordings["shard"][self._chosen[self._segments.recording]]
        return BufferedShuffle(
            self._segments, shards.astype(np.int64), seed, self._config.bytes, lanes
        )

    def keep_for(self, lanes: int) -> None:
        """Keep pictures for so many lanes of the order: those that this process reads."""
        if self._config is not None and self._pool is not None:
            self._pool.limit = 2 * self._config.bytes * lanes

    def _column(self, name: str) -> Shaped[np.ndarray, "r"]:
        """A column of the index, for the chosen recordings."""
        return self.corpus.recordings[name][self._chosen]

    @property
    def _lengths(self) -> Int64[np.ndarray, "r"]:
        return self._column("length").astype(np.int64)

    def _frames_in(self, seconds: float) -> Int64[np.ndarray, "r"]:
        """`to_frames` at each recording's rate."""
        rates, which = np.unique(self._column("fps"), return_inverse=True)
        return np.array([to_frames(seconds, float(fps)) for fps in rates])[which]

    @cached_property
    def _uncut(self) -> Int64[np.ndarray, "r"]:
        """Windows of each recording that a window can show whole (of every `stride`-th frame), 0
        for the others.

        It is shown from each of its first `stride` frames on, `length` times: as often as others
        show a frame. Were a window to start at every frame, the last would be seen `length` times
        as often as the first, and half of all pictures would be padding.
        """
        stride, length = self._frames_in(self.spec.stride), self.spec.length
        phases = np.minimum(stride, self._lengths)
        return np.where(self._lengths <= length * stride, length * phases, 0)

    @property
    def _frame_bytes(self) -> Int64[np.ndarray, "r"]:
        """Of the pictures at one time, for each recording."""
        sizes = [
            sum(h * w * 3 for c, (h, w) in content.cameras.items() if c in self.spec.cameras)
            for content in self.corpus.contents
        ]
        return np.array(sizes)[self._column("content")]

    @cached_property
    def _segments(self) -> Segments:
        """What is decoded at a time: whole recordings unless they take too much of the pool."""
        largest = self._config.bytes // 4 if self._config else self.decoded_bytes
        future = 0 if self.spec.future is None else self._frames_in(self.spec.future)
        reach = (self.spec.length - 1) * self._frames_in(self.spec.stride) + future
        return cut(self._lengths, reach, self._frame_bytes, largest, self._uncut)

    def locate(self, index: int) -> tuple[int, int]:
        """Recording (its position among those chosen) and first frame of a window."""
        if not 0 <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")
        recording = int(np.searchsorted(self._ends, index, side="right"))
        number = index - (int(self._ends[recording - 1]) if recording else 0)
        if uncut := int(self._uncut[recording]):
            number %= uncut // self.spec.length
        return recording, number

    def course(self, index: int) -> Course:
        """The recording that a window is of."""
        chosen, _ = self.locate(index)
        frames, uncut = int(self._lengths[chosen]), int(self._uncut[chosen])
        first = int(self._ends[chosen - 1]) if chosen else 0
        begun = uncut // self.spec.length or frames
        fps = float(self._column("fps")[chosen])
        return Course(range(first, first + begun), frames, fps, self.spec)

    def frames_shown(self, index: int) -> tuple[int, Int64[np.ndarray, "t"]]:
        """The recording's number in the corpus, and which of its frames a window shows."""
        chosen, start = self.locate(index)
        number = int(self._chosen[chosen])
        row = self.corpus.recordings[number]
        return number, np.minimum(self._times(start, float(row["fps"])), row["length"] - 1)

    def _times(self, start: int, fps: float) -> Int64[np.ndarray, "t"]:
        """Frames that a window shows, if the recording goes on for so long."""
        return start + to_frames(self.spec.stride, fps) * np.arange(self.spec.length)

    def __getitem__(self, index: int) -> Window:
        chosen, start = self.locate(int(index))
        number = int(self._chosen[chosen])
        row = self.corpus.recordings[number]
        fps = float(row["fps"])
        times = self._times(start, fps)
        later = times[:0]
        last = int(row["length"]) - 1
        if self.spec.future is not None:
            later = times + to_frames(self.spec.future, fps)
        until = times[-1] if self.spec.chunk or self.spec.narrated or not later.size else later[-1]
        text = text_at(self.corpus, number, start, min(int(until), last))
        if self.spec.narrated and later.size:
            later = np.maximum(times, np.minimum(later, text.last_frame(last)))
        frame_numbers = np.minimum(np.concatenate([times, later]), last)
        if self._pool is None:
            decoded = self.read(chosen, frame_numbers)
            rows = np.arange(len(frame_numbers))
        else:
            decoded = self._pool.get(self._segments.at(int(index)), self._decode)
            rows = frame_numbers - decoded.first
        now, then = {}, {}
        for camera, frames in decoded.frames.items():
            now[camera] = picked(frames, rows[: len(times)])
            then[camera] = picked(frames, rows[len(times) :])
        state, actions = decoded.state, decoded.actions
        ends = times[:, None] + np.arange(self.spec.chunk)
        rows_of = np.minimum(ends, last) - decoded.first
        return Window(
            frames=now,
            valid=times <= last,
            instruction=text.text,
            state=None if state is None else state[np.minimum(times, last) - decoded.first],
            actions=None if actions is None else actions[rows_of],
            actions_valid=None
            if actions is None
            else (ends <= last) & text.about(ends) & _led_to(decoded.intervention, rows_of),
            future=None if self.spec.future is None else then,
            future_valid=None if self.spec.future is None else (times < later) & (later <= last),
            narrated=(text.about(times) & bool(text.text)) if self.spec.narrated else None,
        )

    def _decode(self, segment: int) -> Decoded:
        start, count = int(self._segments.start[segment]), int(self._segments.frames[segment])
        return self.read(int(self._segments.recording[segment]), start + np.arange(count))

    def read(self, recording: int, frame_numbers: Int64[np.ndarray, "t"]) -> Decoded:
        """Some frames of one of the chosen recordings, and what was sensed and done meanwhile."""
        number = int(self._chosen[recording])
        file, episode = self.corpus.file(number)
        have = self.corpus.contents[self.corpus.recordings[number]["content"]].cameras
        frames = {c: file.frames(episode, c, frame_numbers) for c in self.spec.cameras if c in have}
        first, end = int(frame_numbers[0]), int(frame_numbers.max()) + 1
        state = file.state(episode) if self.spec.state else None
        actions = file.actions(episode) if self.spec.chunk else None
        intervention = None
        if state is not None:
            state = state[first:end].copy()
        if actions is not None:
            actions = actions[first : end + self.spec.chunk].copy()
            if INTERVENTION in file.header(episode).signals:
                intervention = file.signal(episode, INTERVENTION)[first : end + self.spec.chunk]
        return Decoded(first, frames, state, actions, intervention)

    def _decode_all(self, pool: FrameCache) -> None:
        with ThreadPoolExecutor(2) as threads:  # decoding leaves the interpreter lock
            count = len(self._segments)
            decoded = threads.map(self._decode, range(count))
            for segment in track(range(count), "decoding pictures", count):
                pool.add(segment, next(decoded))


def _led_to(
    intervention: Bool[np.ndarray, " a"] | None, rows: Int64[np.ndarray, "t k"]
) -> Bool[np.ndarray, "t k"]:
    """Whether every action of a chunk answers a state that those before it in the chunk led to.
    Where a policy acted otherwise, the next ones answer what it did, and are no way to go on."""
    if intervention is None:
        return np.ones(rows.shape, np.bool_)
    first = np.ones((len(rows), 1), np.bool_)
    return np.hstack([first, np.logical_and.accumulate(intervention[rows[:, :-1]], axis=1)])


def picked(
    frames: UInt8[np.ndarray, "n h w 3"], rows: Int64[np.ndarray, "t"]
) -> UInt8[np.ndarray, "t h w 3"]:
    """frames[rows] for increasing rows; evenly spaced ones are not copied."""
    step = int(rows[1] - rows[0]) if len(rows) > 1 else 1
    if len(rows) and step and rows[-1] - rows[0] == step * (len(rows) - 1):
        return frames[int(rows[0]) : int(rows[-1]) + 1 : step]
    return frames[rows]


@dataclass(frozen=True)
class WindowText:
    """A sentence, and which frames of its recording it is about: from `first` to before `end`."""

    text: str
    first: float
    end: float

    def about(self, frames: Int64[np.ndarray, "*n"]) -> Bool[np.ndarray, "*n"]:
        return (self.first <= frames) & (frames < self.end)

    def last_frame(self, last: int) -> int:
        """The last that it is about of those up to `last`; `last` if it has no end."""
        return last if math.isinf(self.end) else min(last, math.ceil(self.end) - 1)


def text_at(corpus: Corpus, recording: int, first: int, last: int) -> WindowText:
    """The narration that overlaps frames `first` to `last` most, else the recording's instruction.

    A narration is about the frames whose middle it covers. One without duration counts when it
    falls inside, after those that last; it is about the frames until the next begins. A recording's
    instruction is about all of it. Where nothing is said, nothing is to be learned to do, as in the
    failed attempts of play, unless no recording of the corpus has a sentence.
    """
    row = corpus.recordings[recording]
    narrations, fps = corpus.narration_rows(recording), row["fps"]
    if len(narrations):
        start, end = first / fps, (last + 1) / fps
        begin, over = narrations["start"], narrations["end"]
        overlap = np.minimum(over, end) - np.maximum(begin, start)
        inside = (begin == over) & (start <= begin) & (begin < end)
        score = np.where(inside | (overlap > 0), overlap, -1.0)
        if score[best := int(np.argmax(score))] >= 0:
            text = corpus.texts[int(narrations["text"][best])]
            from_, to = float(begin[best]), float(over[best])
            if from_ < to:
                return WindowText(text, float(from_ * fps - 0.5), float(to * fps - 0.5))
            later = begin[begin > from_]
            until = later.min() * fps - 0.5 if later.size else np.inf
            return WindowText(text, float(np.floor(from_ * fps)), float(until))
    text = corpus.texts[int(row["instruction"])]
    silent = not text and any(corpus.texts[i] for i in range(min(2, len(corpus.texts))))
    return WindowText(text, np.inf if silent else -np.inf, np.inf)


class FeaturedWindows:
    """The windows of one corpus; what its futures show stays pictures: they are to be predicted."""

    def __init__(self, windows: Windows, features: StoredFeatures) -> None:
        self._windows, self._features = windows, features
        self.lanes = windows.lanes

    def __len__(self) -> int:
        return len(self._windows)

    @property
    def decoded_bytes(self) -> int:
        return self._windows.decoded_bytes

    def order(self, seed: int, lanes: int | None = None) -> Order:
        return self._windows.order(seed, lanes)

    def keep_for(self, lanes: int) -> None:
        self._windows.keep_for(lanes)

    def course(self, index: int) -> Course:
        return self._windows.course(index)

    def __getitem__(self, index: int) -> Window:
        window = self._windows[index]
        recording, frame_numbers = self._windows.frames_shown(index)
        features = {c: self._features.read(recording, c, frame_numbers) for c in window.frames}
        return replace(window, frames={}, features=features)
