"""The order for corpora that do not fit in memory: every picture is decoded about once an epoch.

A permutation of all windows would decode every frame once for each window that shows it, and jump
from shard to shard. Here segments of recordings come in random order, and the windows of a segment
are spread evenly, at random positions, over the stretch in which the next `pool` bytes of segments
come. So at any moment a batch is drawn from the windows of `pool` bytes of recordings, a few of
which are replaced after every batch: decoding is spread evenly too. The stretch of the last
segments goes round to the epoch's start, so that all batches are alike.

Segments are permuted within groups of shards, so that few shards are open, or fetched, at a time.
Each lane reads a run of the epoch of its own, so that no two processes decode the same pictures
but where runs meet.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float64, Int64

from firsthand.common.errors import UserError
from firsthand.episodes.sampling.order import Position, nth_batch
from firsthand.episodes.sampling.segments import Segments

TOGETHER = 16  # shards from which the segments of one stretch come


@dataclass(frozen=True)
class _Epoch:
    """How an epoch is laid out. The stretch of all segments is cut into blocks of one pool each.

    Attributes:
        order: the segments as they come.
        block, within: where a segment begins: in which block, and how far into it (0 to 1).
        jitter: by what part of their distance a segment's windows are moved, 0 to 1.
        here: how many of its windows fall into that block; the others fall into the next.
        ends: windows in all blocks up to the end of each.
    """

    order: Int64[np.ndarray, "p"]
    block: Int64[np.ndarray, "p"]
    within: Float64[np.ndarray, "p"]
    jitter: Float64[np.ndarray, "p"]
    here: Int64[np.ndarray, "p"]
    ends: Int64[np.ndarray, "blocks"]


class BufferedShuffle:
    """See the top of this file.

    An epoch costs a sort of the segments, and a batch of it a look at a few blocks, wherever it
    begins; memory is a few numbers for every segment.

    Args:
        shards: the file that each segment is in.
        pool: bytes of decoded pictures from which a lane draws at any moment.
        lanes: runs into which an epoch is cut.

    Raises:
        UserError: there are fewer windows than lanes.
    """

    def __init__(
        self, segments: Segments, shards: Int64[np.ndarray, "p"], seed: int, pool: int, lanes: int
    ) -> None:
        if not 1 <= lanes <= segments.count:
            raise UserError(f"{segments.count} windows cannot be dealt to {lanes} lanes")
        self.segments, self.shards = segments, shards
        self.seed, self.pool, self.lanes = seed, pool, lanes
        self._starts = [lane * segments.count // lanes for lane in range(lanes + 1)]
        self._epoch = lru_cache(maxsize=2)(self._lay_out)
        self._block = lru_cache(maxsize=2 * lanes)(self._fill)

    def __str__(self) -> str:
        return f"recordings shuffled, pools of {self.pool} bytes, {self.lanes} lanes"

    def batch(self, number: int, size: int) -> list[Position]:
        return nth_batch(self, number, size)

    def lane(self, lane: int, start: int, stop: int) -> list[Position]:
        first, length = self._starts[lane], self._starts[lane + 1] - self._starts[lane]
        positions = []
        while start < stop:
            epoch, offset = divmod(start, length)
            taken = min(stop - start, length - offset)
            positions += [(epoch, w) for w in self._run(epoch, first + offset, taken)]
            start += taken
        return positions

    def _run(self, epoch: int, start: int, count: int) -> list[int]:
        """`count` windows of an epoch from the `start`-th on."""
        ends = self._epoch(epoch).ends
        windows: list[int] = []
        while len(windows) < count:
            at = start + len(windows)
            block = int(np.searchsorted(ends, at, side="right"))
            inside = self._block(epoch, block)
            offset = at - (int(ends[block]) - len(inside))
            windows += inside[offset : offset + count - len(windows)].tolist()
        return windows

    def _lay_out(self, epoch: int) -> _Epoch:
        generator = np.random.default_rng((self.seed, epoch))
        segments, count = self.segments, len(self.segments)
        shards = generator.permutation(int(self.shards.max()) + 1)
        groups = shards[self.shards] // TOGETHER
        order = np.lexsort((generator.permutation(count), groups))
        size, windows = segments.size[order], segments.windows[order]
        begin = np.cumsum(size) - size
        blocks = -(-int(size.sum()) // self.pool)
        within, block = np.modf(begin / size.sum() * blocks)
        block = block.astype(np.int64)
        jitter = generator.random(count)
        here = np.ceil((1 - within) * windows - jitter).astype(np.int64).clip(0, windows)
        inside = np.bincount(block, here, blocks) + np.bincount(
            (block + 1) % blocks, windows - here, blocks
        )
        ends = np.cumsum(inside.astype(np.int64))
        return _Epoch(order, block, within, jitter, here, ends)

    def _fill(self, epoch: int, block: int) -> Int64[np.ndarray, "n"]:
        """The windows of a block in their order."""
        laid = self._epoch(epoch)
        before = (block - 1) % len(laid.ends)
        when, which = [], []
        for number, late in ((block, False), (before, True)):
            first, last = np.searchsorted(laid.block, [number, number + 1])
            for segment in range(first, last):
                times, windows = self._spread(epoch, laid, segment, late)
                when.append(times)
                which.append(windows)
        return np.concatenate(which)[np.argsort(np.concatenate(when), kind="stable")]

    def _spread(
        self, epoch: int, laid: _Epoch, segment: int, late: bool
    ) -> tuple[Float64[np.ndarray, "n"], Int64[np.ndarray, "n"]]:
        """A segment's windows in the block where it begins, or in the next: when, and which."""
        number, here = int(laid.order[segment]), int(laid.here[segment])
        count = int(self.segments.windows[number])
        ranks = np.arange(here, count) if late else np.arange(here)
        shuffled = np.random.default_rng((self.seed, epoch, number)).permutation(count)[ranks]
        times = laid.within[segment] + (ranks + laid.jitter[segment]) / count - late
        return times, self.segments.first[number] + shuffled
