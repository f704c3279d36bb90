"""Ray does what the local executor does, and its tasks survive the death of their processes."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from firsthand.common.errors import UserError
from firsthand.common.executor import TRIES, Executor, WorkerCrash
from firsthand.common.ray_executor import RayExecutor
from tests.common.test_executor import crash, fail, refuse, square


@pytest.fixture(scope="module")
def ray() -> Iterator[ModuleType]:
    """A cluster for all tests; one that the executor starts itself takes seconds each time."""
    ray = pytest.importorskip("ray")
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=40)
    yield ray
    ray.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of Ray's own processes
def test_every_unit_is_done_once(ray: ModuleType) -> None:
    executor = RayExecutor(2)
    assert isinstance(executor, Executor)
    assert sorted(executor.run(square, range(7))) == [(n, n * n) for n in range(7)]
    assert list(executor.run(square, [])) == []
    assert ray.is_initialized()


@pytest.mark.slow
def test_only_the_unit_that_kills_its_process_is_tried_again(
    ray: ModuleType, tmp_path: Path
) -> None:
    deaths = {0: 0, 1: TRIES - 1, 2: 0, 3: TRIES}
    jobs = [(tmp_path, number, count) for number, count in deaths.items()]
    results = {job[1]: result for job, result in RayExecutor(2).run(crash, jobs)}
    assert results == {0: 0, 1: 1, 2: 2, 3: WorkerCrash("lost (WorkerCrashedError)")}
    tries = [len(list(tmp_path.glob(f"{number}.*"))) for number in deaths]
    assert tries == [1, TRIES, 1, TRIES]


@pytest.mark.slow
def test_mistakes_come_back_as_what_they_are(ray: ModuleType) -> None:
    with pytest.raises(UserError, match="no 4"):
        list(RayExecutor(1).run(refuse, [4]))
    with pytest.raises(RuntimeError, match="division by zero"):
        list(RayExecutor(1).run(fail, [4]))


def test_what_cannot_be_had_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="workers of a cluster must be 1 or more, not 0"):
        RayExecutor(0)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"needs Ray: pip install 'firsthand\[ray\]'"):
        list(RayExecutor(1).run(square, [1]))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:99999"])
def test_a_cluster_that_does_not_answer_is_said_at_once(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray is not asked, which would wait."""
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False))
    with pytest.raises(UserError, match=f"no cluster at {address}"):
        list(RayExecutor(1, address).run(square, [1]))
