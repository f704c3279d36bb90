"""Which recordings are learned from and which are measured on."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal

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


By = Literal["group", "recording"]
Unit = tuple[str, int]  # a group and 0, or an item and the number of a recording in it


def split_recordings(
    counted: Sequence[tuple[Item, int]], held_out: float, seed: int = 0, by: By = "group"
) -> list[str]:
    """The split of every recording, in order: "train", "valid", or what the dataset says.

    A dataset that has splits keeps them (one that calls everything "train" has none). What it
    leaves open is divided by group, whole groups going one way: to the side where the dataset put
    others of the group, else as `held_out_units` says.

    Args:
        counted: the items and how many recordings each became.
        held_out: the share of the groups, or of the recordings if they are cut `by` those.
    """
    own = {item.split for item, _ in counted} - {""}
    keep = bool(own - {"train"})
    side = {item.group: item.split for item, _ in reversed(counted) if keep and item.split}

    def unit(item: Item, number: int) -> Unit:
        return (item.name, number) if by == "recording" else (item.group, 0)

    units = [
        unit(item, number)
        for item, count in counted
        for number in range(count)
        if item.group not in side
    ]
    valid = held_out_units(units, held_out, seed)
    return [
        (keep and item.split)
        or side.get(item.group)
        or ("valid" if unit(item, number) in valid else "train")
        for item, count in counted
        for number in range(count)
    ]


def cut_by(
    counted: Sequence[tuple[Item, int]], held_out: float, by: By
) -> tuple[By, tuple[str, ...]]:
    """What to divide by, and a word about it: a single group, such as one long video, is cut."""
    groups = {item.group for item, count in counted if count}
    own = any(item.split for item, _ in counted)
    if by == "recording" or own or not held_out or len(groups) != 1:
        return by, ()
    (group,) = groups
    if sum(count for _, count in counted) == 1:
        return by, (
            f"nothing is held out: {group} is one recording (a smaller `seconds` makes more)",
        )
    word = f"{group} alone is there: some of its recordings are held out (split_by=recording)"
    return "recording", (word,)


def held_out_units(units: Iterable[Unit], share: float, seed: int) -> set[Unit]:
    """A share of the different units, at least one if any is asked for and two are there.

    Each unit draws a number, and the lowest are held out: adding a unit changes the side of at most
    one other.
    """
    drawn = sorted(set(units), key=lambda unit: (draw(seed, unit), unit))
    count = round(len(drawn) * share)
    if share > 0:
        count = min(max(count, 1), len(drawn) - 1)
    return set(drawn[: max(count, 0)])
