import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from firsthand.episodes.corpus.running_stats import RunningStats
from firsthand.episodes.corpus.statistics import merge_statistics, statistics_of
from firsthand.episodes.episode import Episode
from firsthand.episodes.storage.merge import EpisodeFile, EpisodeWriter


def assert_equals_numpy(running: RunningStats, values: np.ndarray) -> None:
    exact = values.astype(np.float64)
    assert running.count == len(values)
    scale = max(1.0, np.abs(exact).max())
    np.testing.assert_allclose(running.mean, exact.mean(axis=0), rtol=1e-12, atol=1e-13 * scale)
    np.testing.assert_allclose(running.std, exact.std(axis=0), rtol=1e-9, atol=1e-12 * scale)
    assert np.array_equal(running.min, exact.min(axis=0))
    assert np.array_equal(running.max, exact.max(axis=0))


@settings(max_examples=100)
@given(
    hnp.arrays(
        np.float64, st.tuples(st.integers(1, 40), st.just(3)), elements=st.floats(-1e6, 1e6)
    ),
    st.lists(st.integers(0, 40), max_size=5),
)
def test_batches_and_merges_equal_numpy(values, cuts):
    parts = np.split(values, sorted(min(cut, len(values)) for cut in cuts))
    one_pass, merged = RunningStats((3,)), RunningStats((3,))
    for part in parts:
        one_pass.add(part)
        alone = RunningStats((3,))
        for row in part:
            alone.add(row[None])
        merged.merge(RunningStats.from_json(json.loads(json.dumps(alone.to_json()))))
    assert_equals_numpy(one_pass, values)
    assert_equals_numpy(merged, values)


def test_a_large_mean_does_not_drown_the_spread():
    """E[x²] - E[x]² would give a variance of 0 or even less."""
    values = 1e9 + np.array([[0.0], [0.1], [0.2]] * 1000)
    naive = (values**2).mean() - values.mean() ** 2
    assert abs(naive - values.var()) > 0.5 * values.var()
    running = RunningStats((1,))
    for row in values:
        running.add(row[None])
    np.testing.assert_allclose(running.std, values.std(), rtol=1e-6)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, ">f4"])
def test_every_type_of_number(dtype):
    values = np.random.default_rng(0).integers(0, 2, (50, 2, 2)).astype(dtype)
    running = RunningStats((2, 2))
    running.add(values[:20])
    running.add(values[20:])
    assert_equals_numpy(running, values)


def test_counted_values():
    values = np.random.default_rng(0).integers(3, 9, (500, 2))
    counts = np.stack([np.bincount(column, minlength=12) for column in values.T], axis=1)
    assert_equals_numpy(RunningStats.counted(np.arange(12.0), counts), values)


def test_nothing_changes_nothing():
    running = RunningStats(())
    running.add(np.zeros(0))
    running.merge(RunningStats(()))
    assert (running.count, float(running.std)) == (0, 0.0)
    running.add(np.array([2.0]))
    running.merge(RunningStats(()))
    assert (running.count, float(running.mean), float(running.std)) == (1, 2.0, 0.0)


def test_immense_numbers_are_no_error():
    running = RunningStats(())
    running.add(np.array([1e300, -1e300]))
    assert (float(running.std), float(running.max)) == (np.inf, 1e300)


def write(path, episodes):
    with EpisodeWriter(path) as writer:
        for episode in episodes:
            writer.add(episode)
    return statistics_of(EpisodeFile(path))


def test_statistics_of_shards_equal_those_of_all(tmp_path, episodes):
    shards = [write(tmp_path / "a.h5", episodes[:2]), write(tmp_path / "b.h5", episodes[2:])]
    merged = merge_statistics(json.loads(json.dumps(shards)))
    assert list(merged) == [
        "actions",
        "pixels/rgb_gripper",
        "pixels/rgb_static",
        "signals/done",
        "signals/scene_obs",
        "state",
    ]
    states = np.concatenate([e.state for e in episodes if e.state is not None]).astype(float)
    assert merged["state"]["count"] == len(states) == 15
    for part in ("mean", "std", "min", "max"):
        np.testing.assert_allclose(merged["state"][part], getattr(np, part)(states, axis=0))
    assert merged["signals/done"]["mean"] == pytest.approx(1 / 6)
    pixels = merged["pixels/rgb_static"]
    assert pixels["count"] == 3 * 4 * 24 * 32
    shown = [EpisodeFile(tmp_path / "a.h5").frames(0, "rgb_static", [0, 3, 5, 8])]
    shown.append(EpisodeFile(tmp_path / "a.h5").frames(1, "rgb_static", [0, 5, 9, 14]))
    shown.append(EpisodeFile(tmp_path / "b.h5").frames(0, "rgb_static", [0, 2, 3, 5]))
    expected = np.concatenate(shown).reshape(-1, 3) / 255
    np.testing.assert_allclose(pixels["mean"], expected.mean(axis=0))
    np.testing.assert_allclose(pixels["std"], expected.std(axis=0))


def test_one_name_for_signals_of_two_shapes(tmp_path):
    def recording(shape):
        return Episode({}, 10.0, signals={"x": np.ones((4, *shape))})

    merged = merge_statistics(
        [
            write(tmp_path / "a.h5", [recording((2,)), recording(())]),
            write(tmp_path / "b.h5", [recording((2,))]),
        ]
    )
    counts = {name: values["count"] for name, values in merged.items()}
    assert counts == {"signals/x ()": 4, "signals/x (2,)": 8}
