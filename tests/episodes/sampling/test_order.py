import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.episodes.sampling.buffered_shuffle import BufferedShuffle
from firsthand.episodes.sampling.mixture import Mixed
from firsthand.episodes.sampling.order import Shuffled, Weighted, some_windows, split_names
from firsthand.episodes.sampling.segments import cut

sizes = st.integers(1, 60)
seeds = st.integers(0, 2**40)
BIG = 10**6


@given(sizes, seeds, st.integers(0, 1000))
def test_every_epoch_is_a_permutation(n, seed, epoch):
    assert sorted(Shuffled(n, seed).indices(epoch)) == list(range(n))


def test_epochs_and_seeds_differ():
    orders = [Shuffled(1000, seed).indices(epoch) for seed in range(3) for epoch in range(3)]
    assert len({order.tobytes() for order in orders}) == 9


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), seeds, st.integers(0, 1000))
def test_weighted_windows_come_once_an_epoch_at_most(weights, seed, epoch):
    weights = np.array([*weights, 1.0])
    order = Weighted(weights, seed)
    drawn = order.indices(epoch)
    assert len(drawn) == order.count == max(1, int(weights.sum()))
    assert len(set(drawn)) == len(drawn)
    assert (weights[drawn] > 0).all()


def test_windows_come_as_often_as_their_weights_say():
    weights = np.array([4.0, 2.0, 1.0, 0.0, 1.0])
    order = Weighted(weights, 3)
    drawn = [window for number in range(2000) for _, window in order.batch(number, 4)]
    assert np.bincount(drawn, minlength=5) / len(drawn) == pytest.approx(weights / 8, abs=0.02)
    assert Weighted(np.ones(50), 0).count == 50


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -1.0], [1.0, np.nan], [np.inf, 1.0], []])
def test_weights_that_say_nothing_are_refused(weights):
    with pytest.raises(UserError, match="weights must be finite"):
        Weighted(np.array(weights), 0)


def test_what_cannot_be_ordered_is_refused():
    with pytest.raises(UserError, match="not 0 windows"):
        Shuffled(0, 0)
    with pytest.raises(UserError, match="3 windows cannot be dealt to 4 lanes"):
        blocked([3], lanes=4)


@given(st.lists(st.integers(1, 90), min_size=1, max_size=9), st.data())
def test_pieces_tile_every_recording(lengths, data):
    reach = data.draw(st.lists(st.integers(0, 9), min_size=len(lengths), max_size=len(lengths)))
    frame = data.draw(st.lists(st.integers(1, 5), min_size=len(lengths), max_size=len(lengths)))
    pieces = cut(*(np.array(values) for values in (lengths, reach, frame)), largest=50)
    windows = [(r, t) for r, length in enumerate(lengths) for t in range(length)]
    covered = []
    for p in range(len(pieces)):
        r, start = int(pieces.recording[p]), int(pieces.start[p])
        stop = start + int(pieces.windows[p])
        assert pieces.first[p] == len(covered)
        covered += [(r, t) for t in range(start, stop)]
        shown = min(stop - 1 + reach[r], lengths[r] - 1) + 1 - start
        assert pieces.frames[p] == shown
        assert pieces.size[p] == shown * frame[r] <= 50
        assert {pieces.at(w) for w in range(pieces.first[p], len(covered))} == {p}
    assert covered == windows
    assert pieces.count == len(windows)


def test_a_window_larger_than_a_piece_is_refused():
    with pytest.raises(UserError, match="spans 11 MB of pictures, a piece of a pool may take 9 MB"):
        cut(np.array([4, 50]), np.array([10, 10]), np.array([BIG, BIG]), largest=9 * BIG)


def blocked(lengths, seed=0, pool=400, lanes=1, reach=3, shards=1):
    lengths = np.array(lengths)
    pieces = cut(lengths, np.full(len(lengths), reach), np.full(len(lengths), 10), pool // 4)
    return BufferedShuffle(pieces, pieces.recording % shards, seed, pool, lanes)


corpora = st.lists(st.integers(1, 70), min_size=2, max_size=40).filter(lambda n: sum(n) >= 8)


@given(corpora, seeds, st.integers(1, 5), st.integers(1, 40))
def test_blocked_shows_every_window_once_an_epoch(lengths, seed, lanes, shards):
    order = blocked(lengths, seed, lanes=lanes, shards=shards)
    seen: dict[int, list[int]] = {}
    for lane in range(lanes):
        mine = (lane + 1) * sum(lengths) // lanes - lane * sum(lengths) // lanes
        for epoch, window in order.lane(lane, 0, 3 * mine):
            seen.setdefault(epoch, []).append(window)
    assert [sorted(seen[epoch]) for epoch in range(3)] == [list(range(sum(lengths)))] * 3


@given(corpora, st.integers(1, 4), st.integers(1, 9), st.integers(0, 200))
def test_blocked_begins_anywhere(lengths, lanes, size, start):
    whole, late = blocked(lengths, lanes=lanes), blocked(lengths, lanes=lanes)
    batches = [whole.batch(number, size) for number in range(start + 9)]
    assert [late.batch(number, size) for number in range(start, start + 9)] == batches[start:]


@pytest.mark.parametrize("seed", range(3))
def test_blocked_draws_from_little_at_a_time(seed):
    """What windows are in use at any moment are of at most a pool and a piece of pictures."""
    random = np.random.default_rng(seed)
    order = blocked(random.integers(1, 300, 400), seed, pool=40_000, shards=7)
    pieces = order.segments
    sequence = [pieces.at(window) for _, window in order.lane(0, 0, pieces.count)]
    # Turned so that it begins where no piece that comes later is in use.
    last = {piece: place for place, piece in enumerate(sequence)}
    first = {piece: place for place, piece in reversed(list(enumerate(sequence)))}
    alive = []
    for place in range(0, len(sequence), 50):
        inside = [p for p in first if first[p] <= place <= last[p] and last[p] - first[p] < BIG]
        round_the_end = {p for p in inside if last[p] - first[p] > len(sequence) // 2}
        alive.append(sum(int(pieces.size[p]) for p in inside if p not in round_the_end))
    assert max(alive) <= order.pool + pieces.size.max()
    assert np.median(alive) > 0.5 * order.pool  # and not much less, or it would not mix


def test_blocked_mixes_recordings_and_epochs():
    order = blocked([50] * 200, pool=20_000, lanes=2)
    batches = [order.batch(number, 32) for number in range(20)]
    recordings = [len({window // 50 for _, window in batch}) for batch in batches]
    assert min(recordings) > 10  # of 40 in a pool
    starts = np.array([window % 50 for batch in batches for _, window in batch])
    assert abs(starts.mean() - 24.5) < 3
    epochs = [order.lane(0, epoch * 5000, (epoch + 1) * 5000) for epoch in range(2)]
    same = sum(one[1] == other[1] for one, other in zip(*epochs, strict=True))
    assert same < 20


def test_few_shards_are_in_use_at_a_time():
    order = blocked([30] * 640, pool=4000, shards=64)
    shards = [int(order.shards[order.segments.at(w)]) for _, w in order.lane(0, 0, 30 * 640)]
    for start in range(0, len(shards) - 100, 100):
        assert len(set(shards[start : start + 100])) <= 16 * 2


weights = st.lists(st.floats(0.2, 5), min_size=1, max_size=4)


@given(weights, st.integers(1, 3), st.integers(21, 40), st.data())
def test_shares_of_a_mixture_are_exact(weights, lanes, size, data):
    size *= len(weights)
    counts = data.draw(st.lists(st.integers(3, 80), min_size=len(weights), max_size=len(weights)))
    orders = [Shuffled(count, 3, lanes) for count in counts]
    mixed = Mixed(orders, counts, weights)
    batches = [mixed.batch(number, size) for number in range(8 * lanes)]
    assert all(len(batch) == size for batch in batches)
    first = np.cumsum([0, *counts])
    for lane in range(lanes):
        windows = [window for batch in batches[lane::lanes] for _, window in batch]
        for part, weight in enumerate(weights):
            mine = [w for w in windows if first[part] <= w < first[part + 1]]
            assert abs(len(mine) - len(windows) * weight / sum(weights)) < 1
            expected = [w for _, w in orders[part].lane(lane, 0, len(mine))]
            assert [w - first[part] for w in mine] == expected


@settings(max_examples=40)
@given(st.lists(st.floats(1e-4, 1), min_size=2, max_size=5), st.integers(1, 9), st.data())
def test_a_part_worth_less_than_a_window_comes_in_some_batches(weights, size, data):
    """What small corpora are worth, whatever the size of a batch: nothing is refused or lost."""
    counts = data.draw(st.lists(st.integers(1, 30), min_size=len(weights), max_size=len(weights)))
    orders = [Shuffled(count, 3) for count in counts]
    mixed = Mixed(orders, counts, weights)
    windows = [window for n in range(25) for _, window in mixed.batch(n, size)]
    assert len(windows) == 25 * size
    first = np.cumsum([0, *counts])
    for part, weight in enumerate(weights):
        mine = [w - first[part] for w in windows if first[part] <= w < first[part + 1]]
        assert abs(len(mine) - len(windows) * weight / sum(weights)) < len(weights)
        assert mine == [w for _, w in orders[part].lane(0, 0, len(mine))]


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize("weights", [[1.0, 1.0], [1.0, 2.0, 5.0], [1.0, 47.0]])
def test_any_part_of_a_batch_holds_all_corpora_in_proportion(weights, lanes):
    """The video loss of fine-tuning looks at the first quarter of a batch."""
    counts = [5000] * len(weights)
    mixed = Mixed([Shuffled(n, 0, lanes) for n in counts], counts, weights)
    batches = [mixed.batch(number, 48) for number in range(400)]
    for rows in (slice(0, 12), slice(12, 24), slice(-1, None), slice(0, None, 4)):
        seen = np.array([index // 5000 for batch in batches for _, index in batch[rows]])
        for part, weight in enumerate(weights):
            share = weight / sum(weights)
            spread = (share * (1 - share) / len(seen)) ** 0.5  # of independent draws: more
            assert abs((seen == part).mean() - share) < 4 * spread


def test_weights_of_a_mixture_are_positive():
    with pytest.raises(UserError, match="must be positive"):
        Mixed([Shuffled(9, 0)], [9], [0.0])


def test_a_choice_of_windows_is_fixed_and_without_repetition():
    assert some_windows(10, 99, 3) == some_windows(10, 99, 3)
    assert sorted(some_windows(10, 99, 3)) == list(range(10))
    assert len(set(some_windows(10**12, 50, 0))) == 50


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
