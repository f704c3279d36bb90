"""Units of work: done once each, tried again when their process dies, named when it always does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from firsthand.common.errors import UserError
from firsthand.common.executor import TRIES, Executor, LocalExecutor, WorkerCrash


def square(number: int) -> int:
    return number * number


def crash(job: tuple[Path, int, int]) -> int:
    """Kill this process while fewer than `deaths` tries of the job have been noted."""
    folder, number, deaths = job
    before = len(list(folder.glob(f"{number}.*")))
    (folder / f"{number}.{os.getpid()}").touch()
    if before < deaths:
        os.kill(os.getpid(), signal.SIGSEGV)
    return number


def leave(_: int) -> None:
    os._exit(3)


def refuse(number: int) -> None:
    raise UserError(f"no {number}")


def fail(number: int) -> float:
    return number / 0


def linger(job: tuple[Path, int]) -> None:
    folder, number = job
    (folder / str(number)).write_text(str(os.getpid()))
    time.sleep(60)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_every_unit_is_done_once(workers: int) -> None:
    executor = LocalExecutor(workers)
    assert isinstance(executor, Executor)
    assert sorted(executor.run(square, range(7))) == [(n, n * n) for n in range(7)]
    assert list(executor.run(square, [])) == []


def test_only_the_unit_that_kills_its_process_is_tried_again(tmp_path: Path) -> None:
    deaths = {0: 0, 1: TRIES - 1, 2: 0, 3: TRIES, 4: 0}
    jobs = [(tmp_path, number, count) for number, count in deaths.items()]
    results = {job[1]: result for job, result in LocalExecutor(2).run(crash, jobs)}
    assert results == {0: 0, 1: 1, 2: 2, 3: WorkerCrash("killed by SIGSEGV"), 4: 4}
    tries = [len(list(tmp_path.glob(f"{number}.*"))) for number in deaths]
    assert tries == [1, TRIES, 1, TRIES, 1]


def test_a_process_that_leaves_is_a_death() -> None:
    assert list(LocalExecutor(1).run(leave, [5])) == [(5, WorkerCrash("exited with 3"))]


@pytest.mark.parametrize("workers", [0, 1])
def test_mistakes_come_back_as_what_they_are(workers: int) -> None:
    with pytest.raises(UserError, match="no 4"):
        list(LocalExecutor(workers).run(refuse, [4]))
    with pytest.raises((RuntimeError, ZeroDivisionError), match="division by zero"):
        list(LocalExecutor(workers).run(fail, [4]))


def test_fewer_than_no_workers_are_refused() -> None:
    with pytest.raises(UserError, match="workers must be 0 or more, not -1"):
        LocalExecutor(-1)


def test_a_script_without_a_guard_is_told_so(tmp_path: Path, project: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.partition("if __name__")[0] + "list(LocalExecutor(1).run(print, [1]))")
    done = subprocess.run(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
    )
    assert "UserError: a worker process cannot start (exited with 1)" in done.stderr


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_until(condition) -> None:
    while not condition():  # pytest's own limit ends it
        time.sleep(0.02)


SCRIPT = """
import sys
from pathlib import Path
from firsthand.common.executor import LocalExecutor
from tests.common.test_executor import linger
if __name__ == "__main__":
    list(LocalExecutor(2).run(linger, [(Path(sys.argv[1]), n) for n in range(2)]))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_do_not_outlive_who_started_them(
    how: signal.Signals, tmp_path: Path, project: Path
) -> None:
    """Not even a process that is killed alone leaves workers behind that write into its corpus."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": str(project)}
    pids = tmp_path / "pids"
    pids.mkdir()
    words = [sys.executable, str(script), str(pids)]
    process = subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL)
    wait_until(lambda: len([p for p in pids.iterdir() if p.read_text()]) == 2)
    workers = [int(path.read_text()) for path in pids.iterdir()]
    process.send_signal(how)
    process.wait()
    wait_until(lambda: not any(alive(pid) for pid in workers))


LOADING = """
import os, sys, time
from pathlib import Path
if __name__ != "__main__":  # in a process that is being made
    Path(sys.argv[1]).write_text(str(os.getpid()))
    time.sleep(1)
def same(n):
    return n
def make():
    return same
if __name__ == "__main__":
    START
"""


@pytest.mark.parametrize(
    "start",
    [
        "from firsthand.common import executor; list(executor.LocalExecutor(1).run(same, [0]))",
        "from firsthand.common import workers; take = iter([0, None, None]).__next__;"
        "list(workers.run(make, take, 1))",
    ],
)
def test_a_process_that_is_still_loading_does_not_hear_the_terminal(
    start: str, tmp_path: Path, project: Path
) -> None:
    """Ctrl-C goes to every process of a terminal, and only the first is to answer it."""
    script, loading = tmp_path / "script.py", tmp_path / "loading"
    script.write_text(LOADING.replace("START", start))
    environment = os.environ | {"PYTHONPATH": str(project)}
    words = [sys.executable, str(script), str(loading)]
    process = subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: loading.exists() and loading.read_text() != "")
    os.kill(int(loading.read_text()), signal.SIGINT)
    _, told = process.communicate()
    assert (process.returncode, told) == (0, "")
