"""Which items of a dataset share a file: a pure function of their names and sizes."""

import hashlib
from collections.abc import Iterable

from firsthand.episodes.convert.source import Item

_LEAST = 0.01  # megabytes that an item counts for, whatever it says


def pack(items: Iterable[Item], megabytes: float) -> list[tuple[Item, ...]]:
    """Items in their order, cut into shards of half to one and a half times `megabytes`.

    Within those bounds the name of an item decides whether a shard ends with it, so that one that
    is added, removed or changed moves only the ends nearby and the other shards stay what they are
    (content-defined chunking: Muthitacharoen et al. 2001). Only the last shard may be smaller, and
    those before an item that is too large for them; an item is never cut.
    """
    shards: list[tuple[Item, ...]] = []
    shard: list[Item] = []
    size = 0.0
    for item in items:
        added = max(item.megabytes, _LEAST)
        if shard and size + added > 1.5 * megabytes:
            shards.append(tuple(shard))
            shard, size = [], 0.0
        shard.append(item)
        size += added
        if size >= megabytes / 2 and draw(item.name) * megabytes / 2 < added:
            shards.append(tuple(shard))
            shard, size = [], 0.0
    return [*shards, tuple(shard)] if shard else shards


def draw(*of: object) -> float:
    """A number in [0, 1) that looks random and is always the same for the same arguments."""
    digest = hashlib.sha256(repr(of).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
