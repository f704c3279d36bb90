"""SIGTERM and SIGHUP stop a run as Ctrl-C does: it says how to go on, and workers end."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from firsthand.cli import stop

SCRIPT = """
import os, signal, sys
from firsthand.cli import main as cli
from firsthand.commands import record
from firsthand.common import workers

class Job:
    def __call__(self, job):
        print("busy", flush=True)
        signal.pause()

def execute(config, run):
    jobs = iter([1])
    for _ in workers.run(Job, lambda: next(jobs, None), int(sys.argv[1])):
        pass

if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever ran the tests under nohup
    record.execute = execute
    sys.exit(cli.main(["record", "run=a run"]))
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_stopped_run_says_how_to_go_on(number, status, tmp_path: Path) -> None:
    """Told to the whole group, as schedulers and terminals do: the worker hears SIGTERM twice, and
    is ended by its parent where it is deaf to SIGHUP."""
    (tmp_path / "script.py").write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, "script.py", "1"], cwd=tmp_path, text=True, process_group=0,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "busy\n"
    os.killpg(process.pid, number)
    _, said = process.communicate()
    assert process.returncode == status, said
    assert said.splitlines()[-1] == (
        "firsthand: stopped; to go on: firsthand record resume=true 'run=\"a run\"'"
    )
    assert "Traceback" not in said
    with contextlib.suppress(ProcessLookupError):
        while True:  # until nobody of the group is left
            os.killpg(process.pid, 0)
            time.sleep(0.01)


def test_only_the_first_signal_counts_and_all_is_as_before() -> None:
    before = [signal.getsignal(number) for number in stop.SIGNALS]

    def stopped_thrice() -> None:
        with stop.like_ctrl_c():
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                signal.raise_signal(signal.SIGHUP)
                signal.raise_signal(signal.SIGTERM)

    with pytest.raises(stop.Stopped) as caught:
        stopped_thrice()
    assert stop.status(caught.value) == 143
    assert [signal.getsignal(number) for number in stop.SIGNALS] == before


def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop.like_ctrl_c():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
