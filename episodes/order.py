"""Which sample comes when: pure functions of a seed, so that a run resumes from two integers."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from episodes.errors import UserError


@dataclass(frozen=True)
class EpochOrder:
    """The order of `n` samples in every epoch; nothing but (seed, epoch) decides it."""

    n: int
    seed: int
    shuffle: bool = True

    def __post_init__(self) -> None:
        if self.n < 1 or self.seed < 0:
            raise UserError(f"an order needs n >= 1 and seed >= 0, not n={self.n} seed={self.seed}")

    def indices(self, epoch: int) -> Int64[np.ndarray, "n"]:
        if not self.shuffle:
            return np.arange(self.n)
        return np.random.default_rng((self.seed, epoch)).permutation(self.n)


def batches(
    order: EpochOrder,
    batch_size: int,
    epoch: int,
    offset: int = 0,
    rank: int = 0,
    world: int = 1,
    drop_last: bool = True,
) -> Iterator[Int64[np.ndarray, "b"]]:
    """This rank's batches of an epoch from the `offset`-th on.

    `world` ranks together take the same samples in the same steps as one rank with batches `world`
    times as large. What is left over at the end is dropped, or shared out when `drop_last` is off.

    Raises:
        UserError: the epoch is too short for a single batch.
    """
    step = batch_size * world
    if batch_size < 1 or not 0 <= rank < world:
        raise UserError(f"there is no batch of {batch_size} samples for rank {rank} of {world}")
    if drop_last and order.n < step:
        raise UserError(
            f"{order.n} samples do not fill one batch of {step}: use smaller batches or more data"
        )
    indices = order.indices(epoch)
    whole = order.n // step
    for batch in range(offset, whole):
        start = batch * step + rank * batch_size
        yield indices[start : start + batch_size]
    if not drop_last and offset <= whole and len(share := indices[whole * step + rank :: world]):
        yield share


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
