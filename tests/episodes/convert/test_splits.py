"""Splits go by group, hold somebody out when asked, and hardly move when a dataset grows."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from firsthand.episodes.convert.source import Item
from firsthand.episodes.convert.splits import held_out_units, split_recordings


def counted(groups: list[int], split: str = "") -> list[tuple[Item, int]]:
    return [
        (Item(f"item {n}", f"group {group}", "1", split=split), 1 + n % 3)
        for n, group in enumerate(groups)
    ]


def sides(items: list[tuple[Item, int]], splits: list[str]) -> dict[str, set[str]]:
    """The splits in which each group is."""
    groups = [item.group for item, count in items for _ in range(count)]
    found = defaultdict(set)
    for group, split in zip(groups, splits, strict=True):
        found[group].add(split)
    return found


GROUPS = st.lists(st.integers(0, 12), min_size=1, max_size=40)


@given(GROUPS, st.floats(0, 0.95), st.integers(0, 5))
def test_no_group_is_cut_and_enough_are_held_out(
    groups: list[int], held_out: float, seed: int
) -> None:
    items = counted(groups)
    found = sides(items, split_recordings(items, held_out, seed))
    assert all(len(splits) == 1 for splits in found.values())
    valid = sum(splits == {"valid"} for splits in found.values())
    assert valid < len(found)
    if held_out == 0 or len(found) == 1:
        assert valid == 0
    else:
        assert valid == min(max(round(len(found) * held_out), 1), len(found) - 1)


@given(st.sets(st.integers(0, 1000), min_size=2, max_size=60), st.floats(0.01, 0.9))
def test_a_new_group_changes_the_side_of_one_other_at_most(known: set[int], share: float) -> None:
    units = [(str(number), 0) for number in known]
    before = held_out_units(units, share, seed=3)
    after = held_out_units([*units, ("new", 0)], share, seed=3)
    assert len((before ^ after) - {("new", 0)}) <= 1


def test_another_seed_holds_out_others() -> None:
    items = counted(list(range(100)))
    assert split_recordings(items, 0.1, seed=0) != split_recordings(items, 0.1, seed=1)


def test_groups_are_cut_only_when_asked() -> None:
    items = counted([0] * 30)
    assert set(split_recordings(items, 0.2)) == {"train"}
    cut = split_recordings(items, 0.2, by="recording")
    assert cut.count("valid") == round(0.2 * len(cut))


def test_a_datasets_own_splits_are_kept() -> None:
    items = [*counted([0, 0], "train"), *counted([1], "valid"), *counted([0], "test")]
    own = [item.split for item, count in items for _ in range(count)]
    assert split_recordings(items, 0.5) == own


def test_what_a_dataset_leaves_open_joins_its_group_or_is_divided() -> None:
    items = counted([0], "test") + counted([0]) + counted(list(range(1, 11)))
    found = sides(items, split_recordings(items, 0.2))
    assert found.pop("group 0") == {"test"}
    assert sorted(split for splits in found.values() for split in splits) == (
        ["train"] * 8 + ["valid"] * 2
    )


def test_a_dataset_that_is_all_train_has_no_splits() -> None:
    splits = split_recordings(counted(list(range(10)), "train"), 0.2)
    assert set(splits) == {"train", "valid"}
    assert set(split_recordings(counted(list(range(10)), "train"), 0.0)) == {"train"}
