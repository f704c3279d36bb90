"""Which window comes when: pure functions of a seed, so that a run resumes from one number.

An order deals windows to a fixed number of lanes. Batch `number` is the next one of lane
`number % lanes`, whoever reads it: how many processes share the work, and where a run was
interrupted, changes nothing. A lane is an endless stream, epoch after epoch; over all lanes every
epoch shows every window once.
"""

from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64, Int64

from firsthand.common.errors import UserError

Position = tuple[int, int]  # epoch, index of the window


@runtime_checkable
class Order(Protocol):
    """See the top of this file. As a text it says everything about it but the seed."""

    @property
    def lanes(self) -> int: ...

    def lane(self, lane: int, start: int, stop: int) -> list[Position]:
        """The windows from the `start`-th to before the `stop`-th of a lane's stream."""
        ...

    def batch(self, number: int, size: int) -> list[Position]:
        """Any batch of the run, found without going through the earlier ones."""
        ...


class Shuffled:
    """All windows in a random permutation every epoch, as numpy's generator draws it.

    For windows that can be read in any order at the same price. It holds the permutation of one
    epoch or two: 8 bytes a window.

    Raises:
        UserError: there is nothing to order.
    """

    def __init__(self, count: int, seed: int, lanes: int = 1) -> None:
        if count < 1 or seed < 0 or lanes < 1:
            raise UserError(
                "an order needs windows, a seed >= 0 and lanes, "
                f"not {count} windows, seed={seed}, lanes={lanes}"
            )
        self.count, self.seed, self.lanes = count, seed, lanes
        self._indices = lru_cache(maxsize=2)(self.indices)

    def __str__(self) -> str:
        return f"all windows shuffled, {self.lanes} lanes"

    def indices(self, epoch: int) -> Int64[np.ndarray, "n"]:
        """The windows of an epoch; lane l takes every `lanes`-th from the l-th on."""
        return np.random.default_rng((self.seed, epoch)).permutation(self.count)

    def lane(self, lane: int, start: int, stop: int) -> list[Position]:
        positions = []
        for number in range(start, stop):
            epoch, offset = divmod(number * self.lanes + lane, self.count)
            positions.append((epoch, int(self._indices(epoch)[offset])))
        return positions

    def batch(self, number: int, size: int) -> list[Position]:
        return nth_batch(self, number, size)


class Weighted(Shuffled):
    """Windows as often as their weights say, none twice in an epoch.

    The heaviest come in every epoch, one of half their weight in every other, by systematic
    sampling (Madow 1949) in an order drawn anew.

    Raises:
        UserError: a weight is negative or not finite, or all are zero.
    """

    def __init__(self, weights: Float64[np.ndarray, " n"], seed: int, lanes: int = 1) -> None:
        if not (np.isfinite(weights).all() and (weights >= 0).all() and (weights > 0).any()):
            raise UserError("weights must be finite, not negative, and not all zero")
        self._shares = weights / weights.max()
        super().__init__(max(1, int(self._shares.sum())), seed, lanes)

    def __str__(self) -> str:
        return f"about {self.count} of {len(self._shares)} windows, by weight, {self.lanes} lanes"

    def indices(self, epoch: int) -> Int64[np.ndarray, "n"]:
        """The windows of an epoch."""
        random = np.random.default_rng((self.seed, epoch))
        windows = random.permutation(np.flatnonzero(self._shares))
        ends = np.cumsum(self._shares[windows])
        marks = (random.random() + np.arange(self.count)) * (ends[-1] / self.count)
        drawn = np.searchsorted(ends, marks, side="right").clip(max=len(windows) - 1)
        return random.permutation(windows[drawn])


def nth_batch(order: Order, number: int, size: int) -> list[Position]:
    """Batches are dealt to the lanes in turn."""
    turn, lane = divmod(number, order.lanes)
    return order.lane(lane, turn * size, (turn + 1) * size)


def some_windows(count: int, most: int, seed: int) -> list[int]:
    """A fixed random choice of at most `most` of `count` windows, in random order."""
    generator = np.random.default_rng((seed, 0))
    return generator.choice(count, min(count, most), replace=False).tolist()


def split_names(n: int, held_out_fraction: float, seed: int) -> list[str]:
    """ "train" or "valid" for each of `n` recordings.

    At least one is held out when a fraction is asked for, and at least one stays.
    """
    if not 0 <= held_out_fraction < 1:
        raise UserError(f"the held-out fraction must be in [0, 1), not {held_out_fraction}")
    held_out = round(n * held_out_fraction)
    if held_out_fraction > 0:
        held_out = min(max(held_out, 1), n - 1)
    chosen = set(np.random.default_rng(seed).permutation(n)[: max(0, held_out)].tolist())
    return ["valid" if index in chosen else "train" for index in range(n)]
