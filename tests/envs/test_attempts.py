import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.attempts import FAILURES_ALLOWED, Attempt, Schedule
from episodes.errors import UserError


def succeeds(attempt, salt):
    """A coin that always falls the same way for the same attempt."""
    return bool(np.random.default_rng([len(attempt.task), attempt.index, salt]).random() < 0.7)


def work_through(wanted, folder, salt, order, crew, stop_after=None):
    """What `crew` workers would do who finish in a random order; None when they are stopped."""
    schedule, under_way, count = Schedule(wanted, folder), [], 0
    while True:
        while len(under_way) < crew and (attempt := schedule.next_attempt()) is not None:
            under_way.append(attempt)
        if not under_way:
            return schedule
        attempt = under_way.pop(order.integers(len(under_way)))
        success = succeeds(attempt, salt)
        (folder / f"{attempt.name}.{'hdf5' if success else 'failed'}").touch()
        schedule.finished(attempt, success)
        count += 1
        if count == stop_after:
            return None


@settings(max_examples=50, deadline=None)
@given(
    salt=st.integers(0, 1000),
    seed=st.integers(0, 1000),
    crew=st.integers(1, 5),
    stop=st.integers(1, 20),
    counts=st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(1, 7)),
)
def test_neither_workers_nor_interruptions_matter(tmp_path_factory, salt, seed, crew, stop, counts):
    wanted = dict(zip(("a", "bb", "ccc"), counts, strict=True))
    plain = tmp_path_factory.mktemp("plain")
    alone = work_through(wanted, plain, salt, np.random.default_rng(0), 1)
    folder = tmp_path_factory.mktemp("many")
    order = np.random.default_rng(seed)
    work_through(wanted, folder, salt, order, crew, stop_after=stop)
    many = work_through(wanted, folder, salt, order, crew)
    assert many.in_order() == alone.in_order()
    assert many.failures_by_task() == alone.failures_by_task()
    assert {p.name for p in folder.iterdir()} == {p.name for p in plain.iterdir()}
    for task, count in wanted.items():
        good = [i for i in range(200) if succeeds(Attempt(task, i), salt)][:count]
        assert [a.index for a in many.in_order() if a.task == task] == good


def test_tasks_take_turns(tmp_path):
    schedule = Schedule({"a": 2, "b": 3}, tmp_path)
    attempts = [schedule.next_attempt() for _ in range(6)]
    assert [str(attempt) for attempt in attempts] == ["a 0", "b 0", "a 1", "b 1", "b 2", "None"]
    for attempt in attempts[:5]:
        schedule.finished(attempt, True)
    assert [str(a) for a in schedule.in_order()] == ["a 0", "b 0", "a 1", "b 1", "b 2"]


def test_an_expert_that_keeps_failing_is_named(tmp_path):
    schedule = Schedule({"a": 3}, tmp_path)
    for _ in range(FAILURES_ALLOWED):
        schedule.finished(schedule.next_attempt(), False)
    with pytest.raises(UserError, match="failed at a in 21 of 21 attempts"):
        schedule.finished(schedule.next_attempt(), False)
