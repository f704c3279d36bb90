"""From windows of recordings to batches on the device, in an order that needs no memory.

Training consumes one endless stream of windows: epoch 0's order, epoch 1's, and so on. A window's
place in that stream decides which window it is and how its pictures are shifted, and the step
decides the place. Resuming, accumulating and sharing work between processes are therefore cuts of
the same stream, and there is nothing to save.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from episodes.episode import Window
from episodes.errors import UserError
from episodes.order import EpochOrder
from policy.batch import Batch
from training.config import TrainConfig
from training.distributed import Team

Encode = Callable[[list[str]], Tensor]
Collated = tuple[list[str], dict[str, Any]]  # instructions, and a Batch's other fields


@runtime_checkable
class WindowSource(Protocol):
    """Windows by number; numpy only, picklable, files opened on first use in each process."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Window: ...


class Stream:
    """The endless sequence of (epoch, index) that training consumes."""

    def __init__(self, count: int, seed: int) -> None:
        if count < 1:
            raise UserError("there is no window to train on: the recordings are all too short")
        self._count = count
        self._indices = lru_cache(maxsize=2)(EpochOrder(count, seed).indices)

    def __getitem__(self, place: int) -> tuple[int, int]:
        epoch, offset = divmod(place, self._count)
        return epoch, int(self._indices(epoch)[offset])


def shift_of(seed: int, epoch: int, index: int, limits: Sequence[int]) -> list[tuple[int, int]]:
    """Rows and columns by which a window's pictures move this time, one pair a camera."""
    random = np.random.default_rng((seed, epoch, index, 0x5417))
    return [tuple(random.integers(-limit, limit + 1, 2).tolist()) for limit in limits]


def shifted_into(
    target: UInt8[np.ndarray, "t h w 3"], frames: UInt8[np.ndarray, "t h w 3"], rows: int, cols: int
) -> None:
    """Writes `frames` moved by whole pixels into `target`, the border pixels repeated.

    target[:, y, x] = frames[:, clip(y + rows), clip(x + cols)]: DrQ's pad-and-crop (Kostrikov et
    al. 2020) for one offset, the same in all frames (as GR-1 shifts whole clips).
    """
    height, width = frames.shape[1:3]
    top, bottom = max(-rows, 0), height - max(rows, 0)
    left, right = max(-cols, 0), width - max(cols, 0)
    target[:, top:bottom, left:right] = frames[
        :, top + rows : bottom + rows, left + cols : right + cols
    ]
    target[:, :top, left:right] = target[:, top : top + 1, left:right]
    target[:, bottom:, left:right] = target[:, bottom - 1 : bottom, left:right]
    target[:, :, :left] = target[:, :, left : left + 1]
    target[:, :, right:] = target[:, :, right - 1 : right]


def collate(windows: Sequence[Window], shifts: Sequence[Mapping[str, tuple[int, int]]]) -> Collated:
    """Stacks windows. Pictures come out as (b, t, 3, h, w), channels last in memory.

    Raises:
        UserError: the windows disagree in cameras, picture sizes or in what they hold.
    """
    fields: dict[str, Any] = {
        "images": _pictures([w.frames for w in windows], shifts),
        "valid": torch.from_numpy(np.stack([w.valid for w in windows])),
    }
    for name in ("state", "actions", "actions_valid", "future_valid"):
        if (values := _all_or_none(windows, name)) is not None:
            fields[name] = torch.from_numpy(np.stack(values))
    if (futures := _all_or_none(windows, "future")) is not None:
        fields["future"] = _pictures(futures, shifts)
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
    shifts: Sequence[Mapping[str, tuple[int, int]]],
) -> dict[str, Tensor]:
    stacked = {}
    for camera, first in frames[0].items():
        target = np.empty((len(frames), *first.shape), np.uint8)
        for row, (window, shift) in enumerate(zip(frames, shifts, strict=True)):
            if window.keys() != frames[0].keys() or window[camera].shape != first.shape:
                raise UserError(
                    "the recordings of a batch differ in cameras or picture sizes: "
                    f"{_sizes(frames[0])} and {_sizes(window)}; convert them to the same"
                )
            shifted_into(target[row], window[camera], *shift.get(camera, (0, 0)))
        stacked[camera] = torch.from_numpy(target).permute(0, 1, 4, 2, 3)
    return stacked


def _sizes(frames: Mapping[str, np.ndarray]) -> dict[str, str]:
    return {camera: "x".join(map(str, f.shape)) for camera, f in frames.items()}


class _Batches(Dataset[Collated]):
    """Batches by their places: item = ((epoch, index), ...). Runs inside reader processes."""

    def __init__(self, windows: WindowSource, seed: int, shift: Mapping[str, int]) -> None:
        self._windows, self._seed, self._shift = windows, seed, dict(shift)

    def __getitem__(self, places: list[tuple[int, int]]) -> Collated:
        shifts = [self._draw(epoch, index) for epoch, index in places]
        return collate([self._windows[index] for _, index in places], shifts)

    def _draw(self, epoch: int, index: int) -> dict[str, tuple[int, int]]:
        if not self._shift:
            return {}
        drawn = shift_of(self._seed, epoch, index, list(self._shift.values()))
        return dict(zip(self._shift, drawn, strict=True))


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
        self, windows: WindowSource, embed: Embedder, config: TrainConfig, team: Team, done: int
    ) -> None:
        self._embed, self._team = embed, team
        places = _Places(Stream(len(windows), config.seed), config, team, done)
        context = multiprocessing.get_context("spawn") if config.workers else None
        self._batches = DataLoader(
            _Batches(windows, config.seed, config.shift),
            sampler=places,
            batch_size=None,
            num_workers=config.workers,
            multiprocessing_context=context,
            pin_memory=team.device.type == "cuda",
            prefetch_factor=4 if config.workers else None,
        )

    def __iter__(self) -> Iterator[Batch]:
        for instructions, fields in self._batches:
            batch = Batch(instruction=self._embed(instructions), **fields)
            yield batch.to(self._team.device)


class _Places:
    """For each pass still to come, the places in the stream that this process reads."""

    def __init__(self, stream: Stream, config: TrainConfig, team: Team, done: int) -> None:
        self._stream, self._size, self._team = stream, config.batch_size, team
        self._passes = range(done * config.accumulate, config.steps * config.accumulate)

    def __len__(self) -> int:
        return len(self._passes)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for number in self._passes:
            start = (number * self._team.size + self._team.rank) * self._size
            yield [self._stream[place] for place in range(start, start + self._size)]


def held_out_order(windows: WindowSource, count: int, seed: int) -> list[int]:
    """A fixed random choice of at most `count` windows.

    Raises:
        UserError: there are none.
    """
    if len(windows) < 1:
        raise UserError("there is no held-out window: hold out more recordings or longer ones")
    return EpochOrder(len(windows), seed).indices(0)[:count].tolist()


def unshifted(windows: Sequence[Window], embed: Embedder, device: torch.device) -> Batch:
    """Windows as a batch, their pictures as they are."""
    instructions, fields = collate(windows, [{}] * len(windows))
    return Batch(instruction=embed(instructions), **fields).to(device)
