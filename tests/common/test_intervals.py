import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firsthand.common.intervals import bootstrap_mean, bounded_mean, wilson
from firsthand.envs.evaluation.summary import ChainResults


@given(st.integers(1, 2000), st.data(), st.sampled_from([0.5, 0.8, 0.95, 0.99]))
def test_wilson_ends_solve_the_score_equation(n, data, level):
    """The ends are the rates p at which the observed rate lies z standard errors from p."""
    successes = data.draw(st.integers(0, n))
    rate, low, high = wilson(successes, n, level)
    z = {0.5: 0.6744897501960817, 0.8: 1.2815515655446004}
    z |= {0.95: 1.959963984540054, 0.99: 2.5758293035489004}
    assert 0 <= low <= rate <= high <= 1
    for end in (low, high):
        if 0 < end < 1:
            error = math.sqrt(end * (1 - end) / n)
            assert abs(rate - end) == pytest.approx(z[level] * error, rel=1e-6)
    assert (low == 0) == (successes == 0)
    assert (high == 1) == (successes == n)


def test_wilson_against_published_values():
    # Newcombe 1998, Statistics in Medicine 17, table I
    for successes, n, low, high in [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)]:
        interval = wilson(successes, n)
        assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)
    interval = wilson(1, 29)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.0061, 0.1718)


def test_wilson_without_trials_knows_nothing():
    rate, low, high = wilson(0, 0)
    assert math.isnan(rate)
    assert (low, high) == (0, 1)


@pytest.mark.parametrize(("successes", "n", "level"), [(-1, 3, 0.9), (4, 3, 0.9), (1, 3, 1.0)])
def test_wilson_refuses_nonsense(successes, n, level):
    with pytest.raises(ValueError, match="must lie|lies inside"):
        wilson(successes, n, level)


def test_bootstrap_agrees_with_resampling_one_by_one():
    rng = np.random.default_rng(7)
    values = rng.integers(0, 6, 60).astype(float)
    means = [rng.choice(values, len(values)).mean() for _ in range(20_000)]
    interval = bootstrap_mean(values, resamples=20_000)
    assert interval.value == values.mean()
    assert interval.low == pytest.approx(np.quantile(means, 0.025), abs=0.04)
    assert interval.high == pytest.approx(np.quantile(means, 0.975), abs=0.04)


def test_bootstrap_is_reproducible_and_exact_on_constants():
    values = np.arange(20.0)
    assert bootstrap_mean(values) == bootstrap_mean(values)
    assert bootstrap_mean(np.full(5, 3.0)) == (3.0, 3.0, 3.0)
    assert math.isnan(bootstrap_mean(np.array([])).value)


@pytest.mark.parametrize("value", [0.0, 3.0, 5.0])
def test_equal_values_promise_nothing_certain(value):
    mean, low, high = bounded_mean(np.full(2, value), 5.0)
    assert mean == value
    assert low < value or value == 0
    assert high > value or value == 5
    narrow = bounded_mean(np.full(1000, value), 5.0)
    assert narrow.high - narrow.low < 0.4 < high - low


def test_an_interval_of_a_few_bounded_values_covers_their_mean():
    """However they are spread: at 0 and 5 alone, around the middle, or mostly at one end."""
    rng = np.random.default_rng(0)
    for shares in ([0.5, 0, 0, 0, 0, 0.5], [0, 0, 0.5, 0.5, 0, 0], [0.05, 0, 0, 0, 0, 0.95]):
        mean = float(np.dot(shares, np.arange(6)))
        draws = rng.choice(6, p=shares, size=(2000, 8)).astype(np.float64)
        ends = [bounded_mean(draw, 5.0) for draw in draws]
        assert np.mean([low <= mean <= high for _, low, high in ends]) > 0.92


def test_chains_choose_the_interval_they_have_enough_for():
    def chains(*lengths: int) -> ChainResults:
        tasks = ["turn_on_led"] * 5
        return ChainResults(
            tuple({"index": i, "solved": n, "tasks": tasks, "subtasks": []}
                  for i, n in enumerate(lengths))
        )  # fmt: skip

    two = chains(5, 5)
    assert two.average_length == bounded_mean(np.array([5.0, 5.0]), 5.0)
    assert two.average_length.low == pytest.approx(1.71, abs=0.005)
    assert "Average length 5.00 (1.71 to 5.00, Wilson 95 %)" in two.markdown()
    assert chains(*[0] * 100).average_length.high == pytest.approx(0.185, abs=0.001)
    many = chains(*[1, 3] * 10)
    assert many.average_length == bootstrap_mean(np.array([1.0, 3.0] * 10))
    assert "bootstrap 95 %" in many.markdown()
