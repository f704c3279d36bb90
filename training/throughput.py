"""How fast training goes and what the processor makes of its time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TypeVar

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from firsthand.training.distributed import Distributed
from firsthand.training.precision import MixedPrecision
from firsthand.training.task import TrainBatch


def matmul_peak(arithmetic: MixedPrecision, size: int | None = None, tries: int = 5) -> float:
    """Floating-point operations a second of a large square product, the best of some tries.

    size: of the matrices; None: so large that a product takes longer than its launch.
    """
    device, dtype = arithmetic.device, arithmetic.dtype
    size = size or (8192 if device.type == "cuda" else 1024)
    a = torch.ones(size, size, dtype=dtype, device=device)
    best = float("inf")
    for _ in range(tries + 1):
        settle(device)
        begun = time.perf_counter()
        torch.mm(a, a)
        settle(device)
        best = min(best, time.perf_counter() - begun)
    return 2 * size**3 / best


def count_flops(policy: nn.Module, batch: TrainBatch, arithmetic: MixedPrecision) -> float:
    """Floating-point operations of a window's forward and backward pass (matrix products and
    convolutions; a multiplication and its addition are two). Leaves no trace in the policy."""
    policy.eval()  # so that nothing that a policy does only when learning happens twice
    try:
        with FlopCounterMode(display=False) as counter, arithmetic.autocast():
            policy(batch).total.backward()
    finally:
        policy.zero_grad(set_to_none=True)
        policy.train()
    return counter.get_total_flops() / batch.size


def settle(device: torch.device) -> None:
    """Wait until the device is done, so that a clock can be read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


_Batch = TypeVar("_Batch", bound=TrainBatch)


def timed(
    policy: nn.Module, batches: Iterator[_Batch], arithmetic: MixedPrecision, team: Distributed
) -> tuple["Stopwatch", Iterator[_Batch]]:
    """A stopwatch for training on these batches, and the batches.

    The operations are counted on the first of them, whole: how many a window costs depends on what
    is learned of it, on stored features, on the length of sequences and on `video.batch_fraction`.
    """
    first = next(batches, None)
    if first is None:
        return Stopwatch(0.0, 1.0, team.size), batches
    flops = count_flops(policy, first, arithmetic)
    return Stopwatch(flops, matmul_peak(arithmetic), team.size), chain([first], batches)


class Stopwatch:
    """Seconds spent on training steps, and how many of them passed waiting for data.

    windows: windows of a step over all processes; flops: operations of one window, per process
    peak: operations a second that one process could do.
    """

    def __init__(self, flops: float, peak: float, processes: int) -> None:
        self._flops, self._peak, self._processes = flops, peak * processes, processes
        self.total_seconds = self.total_windows = 0.0
        self._seconds = self._waited = self._windows = 0.0

    @contextmanager
    def running(self, windows: int) -> Iterator[None]:
        """Around a training step over this many windows."""
        begun = time.perf_counter()
        yield
        self._seconds += time.perf_counter() - begun
        self._windows += windows

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around the wait for a batch, inside `running`."""
        begun = time.perf_counter()
        yield
        self._waited += time.perf_counter() - begun

    def read(self) -> dict[str, float]:
        """The rates since the last reading."""
        rate = self._windows / self._seconds if self._seconds else 0.0
        share = self._waited / self._seconds if self._seconds else 0.0
        self.total_seconds += self._seconds
        self.total_windows += self._windows
        self._seconds = self._waited = self._windows = 0.0
        return {
            "windows_per_second": rate,
            "data_share": share,
            "utilisation": rate * self._flops / self._peak,
        }
