from firsthand.common.progress import progress, track
from tests.test_architecture import MAY_IMPORT as PACKAGES
from tests.test_architecture import ROOT


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_without_a_terminal_there_is_a_line_at_every_tenth(capsys):
    clock = Clock()
    with progress(clock) as begin:
        bar = begin("episodes", 40)
        for k in range(40):
            clock.now += 2
            bar.advance(words=f"{k // 8} failed" if k >= 8 else "")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11
    assert lines[:2] == ["episodes 0/40", "episodes 4/40 · 1:12 left"]
    assert lines[5] == "episodes 20/40 · 2 failed · 0:40 left"
    assert lines[-1] == "episodes 40/40 · 4 failed · 1:20"


def test_quick_work_says_where_it_begins_and_ends(capsys):
    with progress(Clock()) as begin:
        bar = begin("clips", 1000)
        for _ in range(100):
            bar.advance(10)
    assert capsys.readouterr().out.splitlines() == ["clips 0/1,000", "clips 1,000/1,000 · 0:00"]


def test_slow_work_is_heard_every_minute(capsys):
    clock = Clock()
    with progress(clock) as begin:
        bar = begin("frames", 1000)
        for done in range(1, 5):
            clock.now += 40
            bar.reach(done)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "frames 0/1,000"
    assert lines[1:] == ["frames 2/1,000 · 11:05:20 left", "frames 4/1,000 · 11:04:00 left"]


def test_what_was_done_before_counts_for_no_pace(capsys):
    clock = Clock()
    with progress(clock) as begin:
        bar = begin("trials", 100, 50)
        for _ in range(10):
            clock.now += 1
            bar.advance()
        begin("nothing", 3, 3)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "trials: goes on from 50 of 100", "trials 50/100", "trials 60/100 · 0:40 left",
        "nothing 3/3",
    ]  # fmt: skip


def test_a_bar_may_begin_anew_with_another_total(capsys):
    clock = Clock()
    with progress(clock) as begin:
        bar = begin("pictures", 2)
        for done, total in ((1, 2), (2, 2), (1, 4), (2, 4), (4, 4)):
            clock.now += 3
            bar.reach(done, total=total)
    assert capsys.readouterr().out.splitlines() == [
        "pictures 0/2", "pictures 1/2 · 0:03 left", "pictures 2/2 · 0:06",
        "pictures 1/4 · 0:09 left", "pictures 2/4 · 0:06 left", "pictures 4/4 · 0:09",
    ]  # fmt: skip


def test_a_terminal_gets_one_live_line(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with progress() as begin:
        begin("episodes", 4, 1).reach(3, "2 failed")
    shown = capsys.readouterr().out
    assert "episodes" in shown
    assert "episodes: goes on from 1 of 4" in shown
    assert "3/4" in shown
    assert "2 failed" in shown


def test_things_are_tracked(capsys):
    assert list(track("abc", "letters", 3)) == ["a", "b", "c"]
    assert capsys.readouterr().out.splitlines() == ["letters 0/3", "letters 3/3 · 0:00"]
    assert list(track("abc", "letters", 3, visible=False)) == ["a", "b", "c"]
    assert not capsys.readouterr().out


def test_nothing_else_draws_bars():
    """They would say nothing until the end where there is no terminal."""
    drawn = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "rich.progress" in path.read_text()
    }
    assert drawn == {"common/progress.py"}
