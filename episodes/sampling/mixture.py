"""Several corpora learned from at once, each with its share of every batch."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np

from firsthand.common.errors import UserError
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.episode import Course, Window
from firsthand.episodes.sampling.order import Order, Position, nth_batch
from firsthand.episodes.sampling.windows import FeaturedWindows, Windows


@dataclass(frozen=True)
class Part:
    """A corpus, and its share of every batch if it is one of several."""

    corpus: Corpus
    """Its recordings."""
    weight: float | None = None
    """Only the ratios of the weights count. None, if it is so for all: by their numbers of
    windows."""


Corpora = Sequence[Part] | Sequence[Path] | Corpus


def parts_of(corpora: Corpora) -> list[Part]:
    """One corpus, several with weights, or files of episodes, one after the other.

    Raises:
        UserError: some parts have a weight and others have none.
    """
    if isinstance(corpora, Corpus):
        return [Part(corpora)]
    parts = [part for part in corpora if isinstance(part, Part)]
    files = [path for path in corpora if isinstance(path, Path)]
    if files or not parts:
        return [Part(Corpus.of(files))]
    if len({part.weight is None for part in parts}) > 1:
        raise UserError("give all corpora of a mixture a weight, or none of them")
    return parts


class Mixed:
    """Interleaves orders by weight, exactly: no share ever drifts from its weight.

    With cumulative weights c, the first k windows of a lane hold floor(k c[i+1]) - floor(k c[i]) of
    part i. That is its weight's share to within one window however long the run, and it is a
    function of k alone, so that any batch is found at once. A part repeats its epochs on its own.
    Which places of a batch a part's windows take is drawn anew for every batch, so that any share
    of a batch holds all parts in proportion.

    Args:
        parts: orders with equally many lanes, and how many windows each has; windows are numbered
            through, one part after the other.
        weights: one positive number a part; only their ratios count. A part worth less than one
            window of a batch comes in some of them.
        seed: of the places in a batch.

    Raises:
        UserError: a weight is not positive.
    """

    def __init__(
        self,
        parts: Sequence[Order],
        counts: Sequence[int],
        weights: Sequence[float],
        seed: int = 0,
    ) -> None:
        if not all(0 < weight < float("inf") for weight in weights):
            raise UserError(f"the weights of a mixture must be positive, not {list(weights)}")
        if len({part.lanes for part in parts}) != 1:
            raise ValueError("the parts of a mixture need equally many lanes")
        exact = [Fraction(repr(float(weight))) for weight in weights]
        self.shares = [weight / sum(exact) for weight in exact]
        self.lanes, self.seed = parts[0].lanes, seed
        self._parts = list(parts)
        self._first = [0, *accumulate(counts)]
        self._until = [Fraction(0), *accumulate(self.shares)]

    def __str__(self) -> str:
        parts = zip(self.shares, self._parts, strict=True)
        return "; ".join(f"{float(share):.6g} of {part}" for share, part in parts)

    def taken(self, windows: int, size: int) -> list[int]:
        """How many of the first `windows` windows of a lane, read `size` at a time, come from each
        part.

        Where a part is worth less than a window of a batch, the difference of two roundings could
        fall from one batch to the next. There each boundary is rounded within the one above it:
        no count ever falls, and none is further than the number of parts from its share.
        """
        until = self._until
        if min(self.shares) * size >= 1:
            before = [int(windows * c) for c in until]
        else:
            before = [windows]
            for lower, upper in reversed(list(pairwise(until))):
                before.insert(0, int(before[0] * lower / upper))
        return [after - ahead for ahead, after in pairwise(before)]

    def lane(self, lane: int, start: int, stop: int) -> list[Position]:
        size = stop - start
        ranges = list(zip(self.taken(start, size), self.taken(stop, size), strict=True))
        coming = [
            iter(part.lane(lane, first, last))
            for part, (first, last) in zip(self._parts, ranges, strict=True)
        ]
        turns = np.repeat(np.arange(len(ranges)), [last - first for first, last in ranges])
        positions = []
        for part in np.random.default_rng((self.seed, lane, start)).permutation(turns).tolist():
            epoch, index = next(coming[part])
            positions.append((epoch, self._first[part] + index))
        return positions

    def batch(self, number: int, size: int) -> list[Position]:
        return nth_batch(self, number, size)


class Mixture:
    """The windows of several corpora, numbered through, in an order that keeps their shares.

    weights: one a part.
    """

    def __init__(
        self, parts: Sequence[Windows | FeaturedWindows], weights: Sequence[float]
    ) -> None:
        self.parts, self.weights = list(parts), list(weights)
        self._ends = list(accumulate(len(part) for part in parts))

    def __len__(self) -> int:
        return self._ends[-1]

    @property
    def decoded_bytes(self) -> int:
        return sum(part.decoded_bytes for part in self.parts)

    def order(self, seed: int) -> Mixed:
        """Each part in its own order, in as many lanes as the part that needs most."""
        lanes = max(part.lanes for part in self.parts)
        orders = [part.order(seed, lanes) for part in self.parts]
        return Mixed(orders, [len(part) for part in self.parts], self.weights, seed)

    def keep_for(self, lanes: int) -> None:
        for part in self.parts:
            part.keep_for(lanes)

    def course(self, index: int) -> Course:
        """The recording that a window is of."""
        part, first = self._part(index)
        inside = self.parts[part].course(index - first)
        windows = range(first + inside.windows.start, first + inside.windows.stop)
        return replace(inside, windows=windows)

    def __getitem__(self, index: int) -> Window:
        part, first = self._part(index)
        return self.parts[part][index - first]

    def _part(self, index: int) -> tuple[int, int]:
        """The part that a window is of, and the number of that part's first window."""
        if not 0 <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")
        part = bisect_right(self._ends, index)
        return part, self._ends[part] - len(self.parts[part])
