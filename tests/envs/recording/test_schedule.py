from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.envs.recording.schedule import (
    FAILURES_ALLOWED,
    DemoRequest,
    RecordingSchedule,
    RecordOutcome,
)


def made(attempt, salt, length):
    """A row that always turns out the same for the same attempt."""
    rng = np.random.default_rng([attempt.index, salt])
    wanted = {task: count for task, count in attempt.wanted.items() if count}
    tasks = [attempt.request.task, *rng.choice(list(wanted), length - 1)]
    count = int(rng.integers(0, length + 1))
    failed = str(tasks[count]) if count < length and rng.random() < 0.5 else None
    return RecordOutcome(attempt.request.scene, tuple(map(str, tasks[:count])), failed)


def work_through(wanted, folder, salt, order, crew, length, stop_after=None):
    """What a pool of workers would do that finish in a random order; None when they are stopped."""
    schedule, under_way, count = RecordingSchedule(wanted, folder, length), [], 0
    while True:
        while len(under_way) < crew and (attempt := schedule.next_attempt()) is not None:
            under_way.append(attempt)
        if not under_way:
            return schedule
        attempt = under_way.pop(order.integers(len(under_way)))
        outcome = made(attempt, salt, length)
        outcome.save(folder / f"{attempt.name}.json")
        schedule.finished(attempt, outcome)
        count += 1
        if count == stop_after:
            return None


@settings(max_examples=50, deadline=None)
@given(
    salt=st.integers(0, 1000),
    seed=st.integers(0, 1000),
    crew=st.integers(1, 5),
    stop=st.integers(1, 20),
    length=st.sampled_from([1, 5]),
    counts=st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(1, 20)),
)
def test_neither_workers_nor_interruptions_matter(
    tmp_path_factory, salt, seed, crew, stop, length, counts
):
    wanted = {DemoRequest("a" * n, "AB"[n % 2]): count for n, count in enumerate(counts, 1)}
    plain = tmp_path_factory.mktemp("plain")
    alone = work_through(wanted, plain, salt, np.random.default_rng(0), 1, length)
    folder = tmp_path_factory.mktemp("many")
    order = np.random.default_rng(seed)
    work_through(wanted, folder, salt, order, crew, length, stop_after=stop)
    many = work_through(wanted, folder, salt, order, crew, length)
    assert many.in_order() == alone.in_order()
    assert many.failures_by_request() == alone.failures_by_request()
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        p.name: p.read_bytes() for p in plain.iterdir()
    }
    shown = Counter()
    for row, place in many.in_order():
        outcome = RecordOutcome.load(folder / f"{row:06d}.json")
        shown[DemoRequest(outcome.done[place], outcome.scene)] += 1
    assert shown == Counter(wanted)
    assert len(set(many.in_order())) == many.successes == sum(counts)


def test_tasks_and_scenes_take_turns(tmp_path):
    schedule = RecordingSchedule({DemoRequest("a", "A"): 2, DemoRequest("a", "B"): 3}, tmp_path, 1)
    attempts = [schedule.next_attempt() for _ in range(6)]
    names = ["a in scene B, 0", "a in scene A, 1", "a in scene B, 2", "a in scene A, 3"]
    assert [str(attempt) for attempt in attempts] == [*names, "a in scene B, 4", "None"]
    for attempt in attempts[:5]:
        schedule.finished(attempt, RecordOutcome(attempt.request.scene, ("a",)))
    assert schedule.next_attempt() is None
    assert schedule.in_order() == [(1, 0), (0, 0), (3, 0), (2, 0), (4, 0)]


def test_a_round_is_planned_from_what_is_missing(tmp_path):
    wanted = {DemoRequest("a", "D"): 30, DemoRequest("b", "D"): 30}
    schedule = RecordingSchedule(wanted, tmp_path, 5)
    attempts = [schedule.next_attempt() for _ in range(7)]
    assert [str(attempt.request.task) for attempt in attempts[:6]] == ["a", "b"] * 3
    assert attempts[6] is None
    for attempt in attempts[:6]:
        assert attempt.wanted == {"a": 30, "b": 30}
        schedule.finished(attempt, RecordOutcome("D", ("a",) * 5))
    following = schedule.next_attempt()
    assert following.request.task == "b"
    assert following.wanted == {"b": 30}


def test_an_expert_that_keeps_failing_is_named(tmp_path):
    schedule = RecordingSchedule({DemoRequest("a", "D"): 3}, tmp_path)
    failure = RecordOutcome("D", (), failed="a")
    for _ in range(FAILURES_ALLOWED):
        schedule.finished(schedule.next_attempt(), failure)
    with pytest.raises(UserError, match="failed at a in scene D in 21 of 21 attempts"):
        schedule.finished(schedule.next_attempt(), failure)
