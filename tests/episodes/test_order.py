import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from episodes.errors import UserError
from episodes.order import EpochOrder, batches, split_names

sizes = st.integers(1, 60)
seeds = st.integers(0, 2**40)


@given(sizes, seeds, st.integers(0, 1000), st.booleans())
def test_every_epoch_is_a_permutation(n, seed, epoch, shuffle):
    order = EpochOrder(n, seed, shuffle)
    assert sorted(order.indices(epoch)) == list(range(n))


@given(sizes, seeds, st.lists(st.integers(0, 9), min_size=1, max_size=5))
def test_order_depends_on_seed_and_epoch_alone(n, seed, epochs):
    order = EpochOrder(n, seed)
    in_this_order = {epoch: order.indices(epoch) for epoch in epochs}
    for epoch in sorted(epochs):
        assert np.array_equal(EpochOrder(n, seed).indices(epoch), in_this_order[epoch])


def test_epochs_and_seeds_differ():
    orders = [EpochOrder(1000, seed).indices(epoch) for seed in range(3) for epoch in range(3)]
    assert len({order.tobytes() for order in orders}) == 9
    assert np.array_equal(EpochOrder(5, 1, shuffle=False).indices(3), np.arange(5))


@given(sizes, st.integers(1, 7), st.integers(0, 3), st.data())
def test_two_integers_resume_an_epoch(n, batch_size, epoch, data):
    order = EpochOrder(n, 7)
    whole = list(batches(order, batch_size, epoch, drop_last=False))
    assert np.array_equal(np.concatenate(whole), order.indices(epoch))
    offset = data.draw(st.integers(0, len(whole)))
    rest = list(batches(order, batch_size, epoch, offset, drop_last=False))
    assert len(rest) == len(whole) - offset
    for left, right in zip(rest, whole[offset:], strict=True):
        assert np.array_equal(left, right)


@given(st.integers(12, 60), st.integers(1, 3), st.integers(1, 4))
def test_ranks_share_the_batches_of_one_rank(n, batch_size, world):
    order = EpochOrder(n, 3)
    for drop_last in (True, False):
        one = list(batches(order, batch_size * world, 5, drop_last=drop_last))
        ranks = [
            list(batches(order, batch_size, 5, rank=r, world=world, drop_last=drop_last))
            for r in range(world)
        ]
        if drop_last:
            assert {len(rank) for rank in ranks} == {len(one)}
        for step, batch in enumerate(one):
            shares = [rank[step] for rank in ranks if step < len(rank)]
            assert sorted(np.concatenate(shares)) == sorted(batch)


def test_impossible_batches_are_refused():
    with pytest.raises(UserError, match="5 samples do not fill one batch of 8"):
        next(batches(EpochOrder(5, 0), 4, 0, world=2))
    with pytest.raises(UserError, match="rank 2 of 2"):
        next(batches(EpochOrder(5, 0), 1, 0, rank=2, world=2))
    with pytest.raises(UserError, match="n=0"):
        EpochOrder(0, 0)


@given(sizes, st.floats(0, 0.99), seeds)
def test_split_keeps_something_on_both_sides(n, fraction, seed):
    names = split_names(n, fraction, seed)
    assert names == split_names(n, fraction, seed)
    held_out = names.count("valid")
    assert len(names) == n
    assert set(names) <= {"train", "valid"}
    assert held_out < n
    if fraction > 0 and n > 1:
        assert held_out >= 1
        assert abs(held_out - n * fraction) <= 1
