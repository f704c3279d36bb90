"""Means, their errors and intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firsthand.common.intervals import wilson
from firsthand.grounding.accuracy import AccuracySummary


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=300))
def test_the_interval_of_one_model_is_wilsons(credit):
    found = AccuracySummary.of_answers([credit])
    assert (found.low, found.high) == pytest.approx(wilson(sum(credit), len(credit))[1:], abs=1e-9)


def test_seeds_have_an_error_and_one_model_an_interval():
    several = AccuracySummary.of_answers([[1.0, 0.0], [1.0, 1.0], [0.5, 0.5]])
    error = np.std([0.5, 1.0, 0.5], ddof=1) / 3**0.5
    values = (several.mean, several.error, several.low, several.high)
    assert values == pytest.approx((2 / 3, error, 2 / 3 - error, 2 / 3 + error))
    assert several.models == 3
    assert several.formatted() == "66.7 ± 16.7 %"
    alone = AccuracySummary.of_answers([[1.0, 0.0]])
    assert (alone.mean, alone.error, alone.models) == (0.5, None, 1)
    assert alone.low < 0.5 < alone.high
    assert alone.formatted() == "50.0 % (9.5 to 90.5)"
    assert AccuracySummary.of([0.4]).formatted() == "40.0 %"
