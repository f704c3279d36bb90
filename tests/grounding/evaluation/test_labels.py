"""How many natural examples a label is worth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.grounding.evaluation.config import GroundEvalConfig
from firsthand.grounding.evaluation.labels import exchange_rate
from firsthand.grounding.evaluation.test_sets import find_test_sets, labelled_images

PROBES = ((10, 0.4), (100, 0.6), (1000, 0.7))


@pytest.mark.parametrize(
    ("accuracy", "labels"), [(0.4, 10), (0.5, 10 * 10**0.5), (0.6, 100), (0.65, 100 * 10**0.5)]
)
def test_labels_between_probes_are_read_off_their_logarithm(accuracy, labels):
    found = exchange_rate({"ball": 600, "cat": 400}, accuracy, PROBES)
    assert found.labels == pytest.approx(labels)
    assert found.worth == pytest.approx(1000 / labels)
    assert (found.said, found.bound) == (1000, "")


def test_beyond_the_probes_there_is_a_bound():
    below = exchange_rate({"ball": 1000}, 0.3, PROBES)
    assert (below.labels, below.bound, below.worth) == (None, "at least", 100)
    above = exchange_rate({"ball": 1000}, 0.7, PROBES)
    assert (above.labels, above.bound, above.worth) == (None, "at most", 1)


@given(
    st.lists(st.tuples(st.integers(1, 9999), st.floats(0, 1)), min_size=1, max_size=5),
    st.floats(0, 1),
)
def test_a_rate_is_always_found(probes, accuracy):
    """Also where more labels made a probe worse."""
    found = exchange_rate({"a": 50}, accuracy, sorted(probes))
    labels = sorted(labels for labels, _ in probes)
    if found.labels is not None:
        assert labels[0] * 0.999 <= found.labels <= labels[-1] * 1.001
    elif found.bound == "at least":
        assert accuracy < sorted(probes)[0][1]


def test_folders_are_read_without_what_systems_leave(tmp_path):
    for name in ("ball/ball_0.jpeg", "ball/._ball_0.jpeg", ".cache/x.jpg", "empty/._a.png"):
        path = tmp_path / "eval" / "dev" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert labelled_images(tmp_path) == {
        "ball": [tmp_path / "eval" / "dev" / "ball" / "ball_0.jpeg"]
    }


def test_a_home_without_test_sets_says_how_to_have_them(tmp_path):
    (tmp_path / "home.json").write_text("{}")
    with pytest.raises(UserError, match=r"home\.evaluation=false has none: make it with true"):
        find_test_sets(tmp_path, GroundEvalConfig())
