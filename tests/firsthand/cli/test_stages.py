"""How long the demo's stages take is kept and said, and decides nothing."""

import json

import pytest

from firsthand.cli.stages import Stages

USUAL = {"hands": 60.0, "pretraining": 120.0, "fine-tuning": 600.0, "evaluation": 120.0}


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests turn."""

    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr("firsthand.cli.stages.time", clock)
    return clock


def test_before_anything_is_known_the_usual_times_are_told(tmp_path, capsys):
    stages = Stages(tmp_path / "seconds.json", USUAL)
    assert stages.left() == 900
    with stages("hands: drawing"):
        pass
    words = "[1/4] hands: drawing (0.0 minutes so far, some 15 to go on a machine like ours)"
    assert capsys.readouterr().out.strip() == words


def test_what_was_slow_makes_the_rest_slow_by_kind(tmp_path, clock, capsys):
    stages = Stages(tmp_path / "seconds.json", USUAL)
    with stages("hands: drawing"):
        clock.now += 120  # twice as long as usual
    assert stages.left() == 2 * 840
    with stages("pretraining: learning"):
        clock.now += 60  # half as long
    assert stages.left() == 0.5 * 600 + 2 * 120
    with stages("fine-tuning: learning"):
        clock.now += 400
    assert "[3/4] fine-tuning: learning (3.0 minutes so far, about 9 to go)" in (
        capsys.readouterr().out
    )
    assert stages.seconds == {"hands": 120, "pretraining": 60, "fine-tuning": 400}


def test_a_stage_that_was_stopped_counts_what_it_took_and_goes_on(tmp_path, clock):
    path = tmp_path / "seconds.json"

    def stopped() -> None:
        clock.now += 20
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Stages(path, USUAL)("hands: drawing"):
        stopped()
    again = Stages(path, USUAL)
    assert again.left() == 880
    with again("hands: drawing"):
        clock.now += 40
    assert json.loads(path.read_text()) == {"seconds": {"hands": 60.0}, "done": ["hands"]}
    finished = Stages(path, USUAL)
    with finished("hands: drawing"):
        clock.now += 1
    assert finished.seconds["hands"] == 61


def test_work_that_takes_no_time_is_no_trouble(tmp_path, clock):
    stages = Stages(tmp_path / "seconds.json", {"hands": 0.0, "evaluation": 5.0})
    with stages("hands: drawing"):
        clock.now += 3
    assert stages.left() == 5
