"""Whether two policies, tried on the same trials, can be told apart."""

import pytest

from firsthand.envs.evaluation.paired_test import Paired
from firsthand.envs.evaluation.summary import TaskResults


def tried(outcomes: str, said: str = "push") -> TaskResults:
    """Trials that were solved where there is a +."""
    return TaskResults(
        tuple(
            {"index": i, "instructions": [said], "success": outcome == "+"}
            for i, outcome in enumerate(outcomes)
        )
    )


def test_trials_are_counted_by_who_solved_them():
    pair = Paired.of(tried("++++--.-"), tried("++--+---"))
    assert (pair.both, pair.first_alone, pair.second_alone, pair.neither) == (2, 2, 1, 3)
    assert pair.trials == 8


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        (0, 0, 1.0),
        (3, 3, 1.0),
        (5, 0, 2 / 32),
        (0, 6, 2 / 64),
        (1, 9, 2 * 11 / 1024),
        (9, 1, 2 * 11 / 1024),
        (10, 20, 0.0987),  # R: binom.test(10, 30)
    ],
)
def test_p_is_the_exact_one(first, second, p):
    assert Paired(40, first, second, 7).p == pytest.approx(p, abs=5e-5)


def test_only_what_can_be_told_apart_is_ranked():
    near = Paired(60, 6, 3, 33)  # 65 % and 62 %
    assert not near.told_apart
    assert near.in_words("a", "b").startswith("these trials cannot tell a and b apart: of 102")
    assert Paired(60, 12, 2, 28).in_words("a", "b").startswith("a solves more than b")
    assert Paired(60, 2, 12, 28).in_words("a", "b").startswith("b solves more than a")
    assert not Paired(0, 5, 0, 0).told_apart  # five trials are too few, whatever they show
    assert not Paired(0, 0, 0, 0).told_apart


def test_other_trials_are_refused():
    with pytest.raises(ValueError, match="same trials"):
        Paired.of(tried("+-"), tried("+-+"))
    with pytest.raises(ValueError, match="same trials"):
        Paired.of(tried("+-"), tried("+-", said="pull"))
