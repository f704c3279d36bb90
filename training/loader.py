"""From windows of recordings to batches on the device, in an order that needs no memory.

Training consumes one endless sequence of batches, numbered from 0 over all processes. The number
decides which windows a batch holds (see `episodes.sampling.order`) and how their pictures are
changed, and the step decides the number. Resuming, accumulating and sharing work between
processes are therefore cuts of the same sequence, and there is nothing to save.
"""

import atexit
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from firsthand.common.errors import UserError
from firsthand.episodes.episode import Course, Window
from firsthand.episodes.sampling.order import Order, Position, some_windows
from firsthand.policy.batch import Batch
from firsthand.training.augment import UNCHANGED, Augment, ImageChange
from firsthand.training.config import TrainConfig
from firsthand.training.distributed import Distributed

Encode = Callable[[list[str]], Tensor]
Collated = tuple[list[str], dict[str, Any]]  # instructions, and a Batch's other fields


@runtime_checkable
class WindowSource(Protocol):
    """Windows by number; numpy only, picklable, files opened on first use in each process."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Window: ...

    def order(self, seed: int) -> Order:
        """The order in which to learn from them."""
        ...

    def course(self, index: int) -> Course:
        """The recording that a window is of."""
        ...

    def keep_for(self, lanes: int) -> None:
        """Said in each process that reads: how many lanes of the order it will read."""
        ...


def collate(windows: Sequence[Window], changes: Sequence[ImageChange]) -> Collated:
    """Stacks windows. Pictures come out as (b, t, 3, h, w), channels last in memory.

    Raises:
        UserError: the windows disagree in cameras, picture sizes or in what they hold.
    """
    fields: dict[str, Any] = {
        "images": _pictures([w.frames for w in windows], changes),
        "valid": torch.from_numpy(np.stack([w.valid for w in windows])),
    }
    for name in ("state", "actions", "actions_valid", "future_valid", "narrated"):
        if (values := _all_or_none(windows, name)) is not None:
            fields[name] = torch.from_numpy(np.stack(values))
    if (stored := _all_or_none(windows, "features")) is not None:
        fields["features"] = _features(stored)
    if (futures := _all_or_none(windows, "future")) is not None:
        fields["future"] = _pictures(futures, changes)
    return [w.instruction for w in windows], fields


def _all_or_none(windows: Sequence[Window], name: str) -> list[Any] | None:
    values = [getattr(w, name) for w in windows]
    present = [value for value in values if value is not None]
    if present and len(present) < len(values):
        raise UserError(
            f"{len(values) - len(present)} of the {len(values)} windows of a batch have no {name}; "
            "train on recordings that agree in what they hold"
        )
    return present or None


def _pictures(
    frames: Sequence[Mapping[str, UInt8[np.ndarray, "t h w 3"]]],
    changes: Sequence[ImageChange],
) -> dict[str, Tensor]:
    stacked = {}
    for camera, first in frames[0].items():
        target = np.empty((len(frames), *first.shape), np.uint8)
        for row, (window, change) in enumerate(zip(frames, changes, strict=True)):
            if window.keys() != frames[0].keys() or window[camera].shape != first.shape:
                raise UserError(
                    "the recordings of a batch differ in cameras or picture sizes: "
                    f"{_sizes(frames[0])} and {_sizes(window)}; convert them to the same"
                )
            change.into(target[row], window[camera], camera)
        stacked[camera] = torch.from_numpy(target).permute(0, 1, 4, 2, 3)
    return stacked


def _features(stored: Sequence[Mapping[str, Float[np.ndarray, "t k c"]]]) -> dict[str, Tensor]:
    for window in stored:
        if _sizes(window) != _sizes(stored[0]):
            raise UserError(
                "the recordings of a batch differ in cameras or features: "
                f"{_sizes(stored[0])} and {_sizes(window)}"
            )
    return {
        camera: torch.from_numpy(np.stack([window[camera] for window in stored]))
        for camera in stored[0]
    }


def _sizes(frames: Mapping[str, np.ndarray]) -> dict[str, str]:
    return {camera: "x".join(map(str, f.shape)) for camera, f in frames.items()}


class _Batches(Dataset[Collated]):
    """Batches by their positions: item = ((epoch, index), ...). Runs inside reader processes."""

    def __init__(self, windows: WindowSource, augment: Augment, lanes: int) -> None:
        self._windows, self._augment, self._lanes = windows, augment, lanes

    def __getitem__(self, positions: list[Position]) -> Collated:
        self._windows.keep_for(self._lanes)
        changes = [self._augment(epoch, index) for epoch, index in positions]
        return collate([self._windows[index] for _, index in positions], changes)


class Embedder:
    """Instructions to embeddings, each sentence encoded once.

    One sentence at a time, so that an embedding never depends, not even in its last bit, on which
    sentences happened to arrive together.
    """

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        self._known: dict[str, Tensor] = {}

    def __call__(self, sentences: Sequence[str]) -> Float[Tensor, "b d"]:
        for sentence in sentences:
            if sentence not in self._known:
                with torch.no_grad():
                    self._known[sentence] = self._encode([sentence])[0].detach()
        return torch.stack([self._known[sentence] for sentence in sentences])


class TrainLoader:
    """This process's share of the stream from a given step on, as batches on its device."""

    def __init__(
        self,
        windows: WindowSource,
        embed: Embedder,
        config: TrainConfig,
        team: Distributed,
        done: int,
    ) -> None:
        self._embed, self._team = embed, team
        if len(windows) < 1:
            raise UserError("there is no window to train on: the recordings are all too short")
        order = windows.order(config.order_seed)
        lanes = _lanes_read(order, team.size, max(1, config.workers))
        augment = Augment(config.order_seed, config.shift, config.color)
        self._batches = DataLoader(
            _Batches(windows, augment, lanes),
            sampler=_Places(order, config, team, done),
            batch_size=None,
            pin_memory=team.device.type == "cuda",
            **worker_options(config.workers),
        )

    def __iter__(self) -> Iterator[Batch]:
        for instructions, fields in self._batches:
            batch = Batch(instruction=self._embed(instructions), **fields)
            yield batch.to(self._team.device)


def worker_options(workers: int) -> dict[str, Any]:
    """What a `DataLoader` is told about the processes that read ahead for it; 0 starts none."""
    if not workers:
        return {}
    return {
        "num_workers": workers,
        # A forked process may not decode: FFmpeg's threads do not survive the fork.
        "multiprocessing_context": "spawn",
        "prefetch_factor": 4,
        "worker_init_fn": _end_at_once,
    }


def _end_at_once(worker: int) -> None:
    """Makes this process end, when its work is done, without tearing the interpreter down.

    A loader that is dropped before its last batch stops its processes while a thread of theirs may
    be handing over a tensor. A spawned process then tears the interpreter down around that thread,
    in the midst of C++, and aborts ("terminate called without an active exception"); a forked one
    ends by `os._exit`, and so does this one.
    """
    atexit.register(os._exit, 0)


def _lanes_read(order: Order, processes: int, workers: int) -> int:
    """How many lanes each process that reads will see.

    Raises:
        UserError: several would read the same lanes, each decoding all pictures of them.
    """
    readers = processes * workers
    if order.lanes > 1 and order.lanes % readers:
        raise UserError(
            f"lanes={order.lanes} cannot be shared out among {readers} processes that read "
            f"({processes} that train, {workers} workers each): set pool.lanes to a multiple of "
            f"{readers} or change workers"
        )
    return max(1, order.lanes // readers)


class _Places:
    """For each pass still to come, the windows that this process reads."""

    def __init__(self, order: Order, config: TrainConfig, team: Distributed, done: int) -> None:
        self._order, self._size, self._team = order, config.batch_size, team
        self._passes = range(done * config.accumulate, config.steps * config.accumulate)

    def __len__(self) -> int:
        return len(self._passes)

    def __iter__(self) -> Iterator[list[Position]]:
        for number in self._passes:
            yield self._order.batch(number * self._team.size + self._team.rank, self._size)


def held_out_order(windows: WindowSource, count: int, seed: int) -> list[int]:
    """A fixed random choice of at most `count` windows.

    Raises:
        UserError: there are none.
    """
    if len(windows) < 1:
        raise UserError("there is no held-out window: hold out more recordings or longer ones")
    return some_windows(len(windows), count, seed)


def unshifted(windows: Sequence[Window], embed: Embedder, device: torch.device) -> Batch:
    """Windows as a batch, their pictures as they are."""
    instructions, fields = collate(windows, [UNCHANGED] * len(windows))
    return Batch(instruction=embed(instructions), **fields).to(device)
