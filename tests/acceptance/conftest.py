"""The product as its users meet it: whole processes in a folder of their own."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

Finished = subprocess.CompletedProcess[str]


class Product:
    """Runs `firsthand` commands in a folder, with as many threads as users get by default."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}

    def __call__(self, *words: str, status: int = 0) -> Finished:
        """Run a command to its end, which must have the exit status `status`."""
        return self.ended(self.start(*words), status)

    def ended(self, process: subprocess.Popen[str], status: int) -> Finished:
        """Wait for a command that was started; it must have the exit status `status`."""
        out, err = process.communicate()
        assert process.returncode == status, f"{process.args}: {process.returncode}\n{out}\n{err}"
        return Finished(process.args, process.returncode, out, err)

    def refuses(self, *words: str) -> str:
        """Run a command that must end with status 1 and one line, which is returned."""
        (line,) = self(*words, status=1).stderr.splitlines()
        assert line.startswith("firsthand: ")
        return line

    def start_or_resume(self, *words: str, run: str) -> subprocess.Popen[str]:
        """Start a run, or go on with it if it was killed after it had begun."""
        begun = (self.folder / run / "versions.json").exists()
        return self.start(*words, f"run={run}", *(["resume=true"] if begun else []))

    def seconds(self, *words: str) -> float:
        begun = time.monotonic()
        self(*words)
        return time.monotonic() - begun

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command as the head of a process group, so that all of it can be killed."""
        pipe, command = subprocess.PIPE, [sys.executable, "-m", "firsthand", *words]
        return subprocess.Popen(
            command, cwd=self.folder, env=self._environment, stdout=pipe, stderr=pipe, text=True,
            process_group=0,
        )  # fmt: skip


@pytest.fixture
def firsthand(tmp_path: Path) -> Product:
    """Commands that run in the test's temporary folder."""
    return Product(tmp_path)
