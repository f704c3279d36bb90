"""Training samples cut from recordings: a window starts at every frame of every recording."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64, UInt8
from rich.progress import track

from episodes.episode import Window, WindowSpec
from episodes.errors import UserError
from episodes.order import EpochOrder, batches, split_names
from episodes.store import EpisodeFile, Header

__all__ = ["EpochOrder", "Windows", "batches", "split_names"]

Key = tuple[int, int, str]  # file, episode in the file, camera
Signals = tuple[np.ndarray | None, np.ndarray | None]  # states and actions of a whole recording


def to_frames(seconds: float, fps: float) -> int:
    """The nearest whole number of frames, at least one (halves round up)."""
    return max(1, int(np.floor(seconds * fps + 0.5)))


class Windows:
    """All windows of the recordings in some files, as a map-style data set.

    Only the files' headers are held in memory, and a file is opened anew in each worker process
    (fork, spawn or pickle). A window reads and decodes each picture it shows once.

    Args:
        files: stores, or paths of stores, read one after the other.
        spec: what a window shows. Seconds become frames by rounding at each recording's own rate.
        split: recordings of this split only; files without it contribute nothing.
        in_memory: decode all pictures now and keep them (`decoded_bytes` of them). Workers that
            are forked share them; spawned ones copy them.
        verify: check every byte of the files first. Without it a damaged byte is found when
            something reads it.

    Raises:
        UserError: a file is damaged, no recording is in the split, or one shows none of the
            cameras.
    """

    def __init__(
        self,
        files: Sequence[EpisodeFile | str | Path],
        spec: WindowSpec,
        split: str | None = None,
        in_memory: bool = False,
        verify: bool = True,
    ) -> None:
        self.files = [f if isinstance(f, EpisodeFile) else EpisodeFile(f) for f in files]
        self.spec = spec
        self._where: list[tuple[int, int]] = []  # recording -> file, episode in the file
        lengths = []
        for number, file in enumerate(self.files):
            if verify:
                file.verify()
            names = set(file.names(split) if split is None or split in file.splits else ())
            for episode, name in enumerate(file.names()):
                if name in names:
                    self._check(file, file.header(episode))
                    self._where.append((number, episode))
                    lengths.append(file.header(episode).length)
        if not lengths:
            paths = ", ".join(str(file.path) for file in self.files) or "no files"
            raise UserError(f"{paths}: no recording in split {split!r}")
        self._ends = np.cumsum(lengths)
        self._decoded: dict[Key, UInt8[np.ndarray, "t h w 3"]] = {}
        self._recorded: dict[tuple[int, int], Signals] = {}
        if in_memory:
            self._decode_all()

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
        return sum(
            header.length * height * width * 3
            for header in self._headers()
            for camera, (height, width) in header.cameras.items()
            if camera in self.spec.cameras
        )

    def _headers(self) -> Iterator[Header]:
        return (self.files[file].header(episode) for file, episode in self._where)

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
        later = None
        if self.spec.future is not None:
            later = times + to_frames(self.spec.future, header.fps)
        frames, future = self._pictures(number, episode, times, later)
        state, actions = self._signals(number, episode, times)
        ends = times[:, None] + np.arange(self.spec.chunk)
        return Window(
            frames=frames,
            valid=times < header.length,
            instruction=instruction_of(header, start, int(times[-1])),
            state=state,
            actions=actions,
            actions_valid=None if actions is None else ends < header.length,
            future=future,
            future_valid=None if later is None else later < header.length,
        )

    def _pictures(
        self,
        number: int,
        episode: int,
        times: Int64[np.ndarray, "t"],
        later: Int64[np.ndarray, "t"] | None,
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray] | None]:
        """Pictures now and later for each camera the recording has, the last one repeated."""
        header = self.files[number].header(episode)
        both = times if later is None else np.concatenate([times, later])
        both = np.minimum(both, header.length - 1)
        now, then = {}, {}
        for camera in self.spec.cameras:
            if camera not in header.cameras:
                continue
            if (decoded := self._decoded.get((number, episode, camera))) is not None:
                pictures = decoded[both]
            else:
                pictures = self.files[number].frames(episode, camera, both)
            now[camera], then[camera] = pictures[: len(times)], pictures[len(times) :]
        return now, None if later is None else then

    def _signals(
        self, number: int, episode: int, times: Int64[np.ndarray, "t"]
    ) -> tuple[Float32[np.ndarray, "t 15"] | None, Float32[np.ndarray, "t k 7"] | None]:
        """States at the frames and the actions from each frame on, the last ones repeated."""
        last = self.files[number].header(episode).length - 1
        recorded = self._recorded.get((number, episode))
        state, actions = recorded or self._read_signals(number, episode)
        if state is not None:
            state = state[np.minimum(times, last)]
        if actions is not None:
            chunks = times[:, None] + np.arange(self.spec.chunk)
            actions = actions[np.minimum(chunks, last)]
        return state, actions

    def _read_signals(self, number: int, episode: int) -> Signals:
        file = self.files[number]
        return file.state(episode), file.actions(episode) if self.spec.chunk else None

    def _decode_all(self) -> None:
        self._recorded = {where: self._read_signals(*where) for where in self._where}
        keys = [
            (number, episode, camera)
            for number, episode in self._where
            for camera in self.spec.cameras
            if camera in self.files[number].header(episode).cameras
        ]

        def decode(key: Key) -> UInt8[np.ndarray, "t h w 3"]:
            number, episode, camera = key
            file = self.files[number]
            return file.frames(episode, camera, np.arange(file.header(episode).length))

        with ThreadPoolExecutor(2) as pool:  # decoding leaves the interpreter lock
            arrays = track(pool.map(decode, keys), "Decoding pictures", len(keys), transient=True)
            self._decoded = dict(zip(keys, arrays, strict=True))


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
