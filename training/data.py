"""What a recipe learns from: corpora, and how to read their windows on this machine."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from firsthand.common.errors import UserError
from firsthand.common.ranks import processes_here, rank
from firsthand.episodes.episode import Course, Window, WindowSpec
from firsthand.episodes.sampling.mixture import Mixture, Part
from firsthand.episodes.sampling.order import Order
from firsthand.episodes.sampling.windows import FrameCacheConfig, Windows
from firsthand.training.loader import WindowSource

SHARE = 0.5  # of the machine's memory that decoded pictures may take
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class WindowLoading:
    """How windows are read.

    in_memory: decode all pictures now and keep them; None: if they fit, with those of the other
        processes of this machine, else read through pools.
    pool: what is kept otherwise.
    workers: processes that read ahead, each of which keeps a copy of what is in memory.
    """

    in_memory: bool | None
    pool: FrameCacheConfig
    workers: int

    def windows(
        self, parts: Sequence[Part], learned: WindowSpec, held_out: WindowSpec
    ) -> tuple[WindowSource, WindowSource]:
        """The windows of the splits `train` and `valid`.

        Held-out windows are the same few all the time, chosen at random: if there is no memory for
        all, those few are kept, as far as a lane's pool would reach.

        Raises:
            UserError: a file cannot be read, a split is empty, or a part has nothing to learn from.
        """
        for part in parts:
            if "train" not in part.corpus.splits:
                raise UserError(
                    f"{part.corpus.name}: nothing of it would be learned, it has no split 'train', "
                    f"only {', '.join(part.corpus.splits) or 'none'}: leave it out or split it anew"
                )
            if part.corpus.folder is None:
                part.corpus.verify()
        train, valid = _open(parts, learned, "train"), _open(parts, held_out, "valid")
        needed = train.decoded_bytes * (1 + self.workers) + valid.decoded_bytes
        needed *= processes_here()
        room = int(SHARE * memory_bytes())
        in_memory = needed <= room if self.in_memory is None else self.in_memory
        if in_memory:
            train = _open(parts, learned, "train", in_memory=True)
            return train, _open(parts, held_out, "valid", in_memory=True)
        if self.in_memory is None and rank() == 0:
            print(
                f"decoded pictures would take {needed / 1e9:.1f} GB, and may take "
                f"{room / 1e9:.1f} GB ({SHARE:.0%} of memory): reading them through pools of "
                f"{self.pool.megabytes} MB in {self.pool.lanes} lanes",
                flush=True,
            )
        train = _open(parts, learned, "train", pool=self.pool)
        return train, CachedWindows(valid, 2 * self.pool.bytes)


def windows_one_by_one(parts: Sequence[Part], spec: WindowSpec) -> WindowSource:
    """The windows of the split `train`, each read on its own: for who wants a few of them."""
    return _open(parts, spec, "train")


class CachedWindows:
    """Windows of which the first that are asked for are kept, `limit` bytes of them."""

    def __init__(self, windows: WindowSource, limit: int) -> None:
        self._windows, self._room = windows, limit
        self._kept: dict[int, Window] = {}

    def __len__(self) -> int:
        return len(self._windows)

    def order(self, seed: int) -> Order:
        return self._windows.order(seed)

    def keep_for(self, lanes: int) -> None:
        self._windows.keep_for(lanes)

    def course(self, index: int) -> Course:
        return self._windows.course(index)

    def __getitem__(self, index: int) -> Window:
        if index in self._kept:
            return self._kept[index]
        window = self._windows[index]
        images = [*window.frames.values(), *(window.future or {}).values()]
        size = sum(frames.nbytes for frames in images)
        if size <= self._room:
            self._room -= size
            self._kept[index] = window
        return window


def _open(
    parts: Sequence[Part],
    spec: WindowSpec,
    split: str,
    in_memory: bool = False,
    pool: FrameCacheConfig | None = None,
) -> Windows | Mixture:
    """The windows of those parts that have the split, or of the first if none has it: a part may
    have nothing held out."""
    parts = [part for part in parts if split in part.corpus.splits] or parts[:1]
    opened = [
        Windows(part.corpus, spec, split, in_memory=in_memory, pool=pool, verify=False)
        for part in parts
    ]
    if len(opened) == 1:
        return opened[0]
    weights = [
        part.weight or float(len(windows)) for part, windows in zip(parts, opened, strict=True)
    ]
    return Mixture(opened, weights)


def memory_bytes() -> int:
    """The machine's memory, or what the container may use of it."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _LIMITS:
        try:
            limits.append(int(Path(path).read_text()))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return min(limits)


def sequence_spec(spec: WindowSpec, sequence: int | None) -> WindowSpec:
    """The same windows, or sequences of `sequence` frames to cut them from.

    Raises:
        UserError: a sequence is shorter than a window.
    """
    if sequence is None:
        return spec
    if sequence < spec.length:
        raise UserError(
            f"sequence={sequence} frames are fewer than policy.n_obs_steps={spec.length}"
        )
    return replace(spec, length=sequence)
