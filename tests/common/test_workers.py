import os
import signal
import subprocess
import sys
import time
from functools import partial
from multiprocessing import get_context

import pytest

from firsthand.common import workers
from firsthand.common.errors import UserError
from tests.conftest import PROJECT


def square(number):
    return number * number


def make_square():
    return square


def make_failing(kind):
    return partial(fail_at_three, kind)


def fail_at_three(kind, number):
    if number != 3:
        return number
    if kind == "user":
        raise UserError("three is not allowed")
    if kind == "bug":
        raise ZeroDivisionError("three")
    if kind == "exit":
        os._exit(7)
    os.kill(os.getpid(), signal.SIGKILL)
    return None


def make_refusing():
    raise UserError("nothing can be made")


def pid(_):
    time.sleep(0.3)
    return os.getpid(), os.environ["OMP_NUM_THREADS"]


def make_pid():
    return pid


def jobs(n):
    numbers = iter(range(n))
    return lambda: next(numbers, None)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_every_job_is_done_once(count):
    done = list(workers.run(make_square, jobs(20), count))
    assert sorted(done) == [(n, n * n) for n in range(20)]


def test_jobs_may_depend_on_results():
    """A job that appears only when another is done is still done."""
    waiting, finished = [5], []

    def next_job():
        return waiting.pop() if waiting else None

    for number, _ in workers.run(make_square, next_job, 2):
        finished.append(number)
        if number:
            waiting.append(number - 1)
    assert finished == [5, 4, 3, 2, 1, 0]


def test_work_is_shared_and_single_threaded():
    before = os.environ.get("OMP_NUM_THREADS")
    results = [result for _, result in workers.run(make_pid, jobs(6), 2)]
    assert len({process for process, _ in results}) == 2
    assert os.getpid() not in {process for process, _ in results}
    assert {threads for _, threads in results} == {"1"}
    assert os.environ.get("OMP_NUM_THREADS") == before


@pytest.mark.parametrize("count", [0, 2])
@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [("user", UserError, "^three is not allowed$"), ("bug", Exception, "three")],
)
def test_errors_arrive(count, kind, error, message):
    with pytest.raises(error, match=message):
        list(workers.run(partial(make_failing, kind), jobs(9), count))


def test_a_bug_arrives_with_its_job_and_traceback():
    with pytest.raises(
        RuntimeError, match=r"(?s)failed at 3:.*in fail_at_three.*ZeroDivisionError"
    ):
        list(workers.run(partial(make_failing, "bug"), jobs(9), 1))


@pytest.mark.parametrize(
    ("kind", "message"),
    [("exit", r"died \(exited 7\) at 3"), ("kill", r"died \(was killed by signal 9\) at 3")],
)
def test_a_death_is_told_and_does_not_hang(kind, message):
    with pytest.raises(RuntimeError, match=message):
        list(workers.run(partial(make_failing, kind), jobs(9), 2))


def make_forking(let_go):
    return partial(fork, let_go)


def fork(let_go, kind):
    """Die, and leave a child that waits; or start one and end it."""
    if kind == "die" and os.fork():
        os._exit(7)
    if kind == "die":
        for _ in range(1000):
            if let_go.exists():
                os._exit(0)
            time.sleep(0.1)
        let_go.write_text("too late")
        os._exit(0)
    context = get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=wait_for_ever, args=(there,))
    child.start()
    here.recv()
    child.terminate()
    child.join()
    return child.exitcode


def wait_for_ever(connection):
    connection.send("here")
    signal.pause()


def test_children_of_a_worker_hide_no_death_and_end_when_told_to(tmp_path, capfd):
    let_go = tmp_path / "let_go"
    todo = iter(["die", "start"])
    make = partial(make_forking, let_go)
    done = dict(workers.run(make, lambda: next(todo, None), 1, lambda job, how: how))
    assert not let_go.exists()
    let_go.touch()
    assert done == {"die": "a worker process died (exited 7) at die", "start": -signal.SIGTERM}
    assert capfd.readouterr().err == ""


def test_what_cannot_be_made_is_told():
    with pytest.raises(UserError, match="nothing can be made"):
        list(workers.run(make_refusing, jobs(2), 2))


def test_leaving_early_ends_the_processes():
    results = workers.run(make_pid, lambda: 0, 2)
    processes = {next(results)[1][0] for _ in range(2)}
    results.close()
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_workers_die_with_their_parent(tmp_path):
    """A parent killed without warning leaves nobody behind, even one busy with a long job."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys, time\n"
        f"sys.path.insert(0, {str(PROJECT)!r})\n"
        "from firsthand.common import workers\n"
        "from tests.common.test_workers import make_sleeper\n"
        "if __name__ == '__main__':\n"
        "    for _, pid in workers.run(make_sleeper, iter([0, 60]).__next__, 1):\n"
        "        print(pid, flush=True)\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        process = int(parent.stdout.readline())
        time.sleep(0.2)
        parent.kill()
    while alive(process):  # pytest's own limit ends it
        time.sleep(0.1)


def alive(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().split()[2] != "Z"
    except OSError:
        return False


def sleeper(seconds):
    time.sleep(seconds)
    return os.getpid()


def make_sleeper():
    return sleeper


class Closing:
    """Leaves a file when it is closed."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, seconds):
        time.sleep(seconds)
        return seconds

    def close(self):
        (self.folder / str(os.getpid())).touch()


@pytest.mark.parametrize("count", [0, 2])
def test_what_was_made_is_closed(tmp_path, count):
    times = iter([0.2, 0.2])
    assert len(list(workers.run(partial(Closing, tmp_path), lambda: next(times, None), count))) == 2
    assert len(list(tmp_path.iterdir())) == max(count, 1)


def test_what_was_made_is_closed_in_the_midst_of_work(tmp_path):
    times = iter([0.0, 60.0])
    results = workers.run(partial(Closing, tmp_path), lambda: next(times, None), 1)
    for _ in results:
        results.close()
        break
    assert len(list(tmp_path.iterdir())) == 1
