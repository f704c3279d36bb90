"""Shards are a pure function of the listing, of about the size asked for, and stay when others
change."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firsthand.episodes.convert.source import Item
from firsthand.episodes.convert.splits import draw, pack


def item(name: str, megabytes: float = 1.0) -> Item:
    return Item(name, group=name, version="1", megabytes=megabytes)


ITEMS = st.lists(st.floats(0, 30), max_size=80).map(
    lambda sizes: [item(f"item {number}", size) for number, size in enumerate(sizes)]
)


@given(ITEMS, st.floats(0.5, 40))
def test_every_item_is_in_one_shard_in_order(items: list[Item], megabytes: float) -> None:
    shards = pack(items, megabytes)
    assert [item for shard in shards for item in shard] == items
    assert all(shards)
    assert pack(iter(items), megabytes) == shards


@given(ITEMS, st.floats(0.5, 40))
def test_shards_are_within_their_bounds(items: list[Item], megabytes: float) -> None:
    shards = pack(items, megabytes)
    sizes = [sum(max(item.megabytes, 0.01) for item in shard) for shard in shards]
    for shard, size in zip(shards, sizes, strict=True):
        assert size <= 1.5 * megabytes * (1 + 1e-9) or len(shard) == 1
    for size, after in zip(sizes, shards[1:], strict=False):
        large_enough = size >= megabytes / 2 * (1 - 1e-9)
        assert large_enough or size + after[0].megabytes > 1.5 * megabytes * (1 - 1e-9)


def test_the_mean_is_about_what_was_asked() -> None:
    shards = pack([item(str(n), 0.5) for n in range(20000)], 16.0)
    assert 0.8 * 16 < 10000 / len(shards) < 1.1 * 16


def named(items: list[Item]) -> set[tuple[str, ...]]:
    return {tuple(item.name for item in shard) for shard in pack(items, 16.0)}


@pytest.mark.parametrize("place", [0, 100, 500, 900, 1000])
def test_a_change_moves_only_ends_nearby(place: int) -> None:
    items = [item(f"{n:04}", 0.5 + draw(n)) for n in range(1000)]
    before = named(items)
    assert len(before) > 50
    inserted = [*items[:place], item("new", 3.0), *items[place:]]
    assert len(before - named(inserted)) <= 5
    removed = items[:place] + items[place + 1 :]
    assert len(before - named(removed)) <= 5
    grown = [replace(i, megabytes=9.0) if i.name == f"{place:04}" else i for i in items]
    assert len(before - named(grown)) <= 5


@given(st.text(), st.integers())
def test_draws_are_in_range_and_fixed(name: str, number: int) -> None:
    assert 0 <= draw(name, number) < 1
    assert draw(name, number) == draw(name, number)
    assert draw("ab", "c") != draw("a", "bc")
