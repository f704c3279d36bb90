import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.envs.recording.schedule import (
    FAILURES_ALLOWED,
    DemoRequest,
    RecordAttempt,
    RecordingSchedule,
)


def succeeds(attempt, salt):
    """A coin that always falls the same way for the same attempt."""
    return bool(
        np.random.default_rng([len(attempt.request.task), attempt.index, salt]).random() < 0.7
    )


def work_through(wanted, folder, salt, order, crew, stop_after=None):
    """What a pool of workers would do that finish in a random order; None when they are stopped."""
    schedule, under_way, count = RecordingSchedule(wanted, folder), [], 0
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
    wanted = {DemoRequest("a" * n, "AB"[n % 2]): count for n, count in enumerate(counts, 1)}
    plain = tmp_path_factory.mktemp("plain")
    alone = work_through(wanted, plain, salt, np.random.default_rng(0), 1)
    folder = tmp_path_factory.mktemp("many")
    order = np.random.default_rng(seed)
    work_through(wanted, folder, salt, order, crew, stop_after=stop)
    many = work_through(wanted, folder, salt, order, crew)
    assert many.in_order() == alone.in_order()
    assert many.failures_by_request() == alone.failures_by_request()
    assert {p.name for p in folder.iterdir()} == {p.name for p in plain.iterdir()}
    for request, count in wanted.items():
        good = [i for i in range(200) if succeeds(RecordAttempt(request, i), salt)][:count]
        assert [a.index for a in many.in_order() if a.request == request] == good


def test_tasks_and_scenes_take_turns(tmp_path):
    schedule = RecordingSchedule({DemoRequest("a", "A"): 2, DemoRequest("a", "B"): 3}, tmp_path)
    attempts = [schedule.next_attempt() for _ in range(6)]
    names = ["a in scene A, 0", "a in scene B, 0", "a in scene A, 1", "a in scene B, 1"]
    assert [str(attempt) for attempt in attempts] == [*names, "a in scene B, 2", "None"]
    for attempt in attempts[:5]:
        schedule.finished(attempt, True)
    assert [str(a) for a in schedule.in_order()] == [*names, "a in scene B, 2"]


def test_an_expert_that_keeps_failing_is_named(tmp_path):
    schedule = RecordingSchedule({DemoRequest("a", "D"): 3}, tmp_path)
    for _ in range(FAILURES_ALLOWED):
        schedule.finished(schedule.next_attempt(), False)
    with pytest.raises(UserError, match="failed at a in scene D in 21 of 21 attempts"):
        schedule.finished(schedule.next_attempt(), False)
