"""The product as its users meet it: whole processes in a folder of their own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Finished = subprocess.CompletedProcess[str]


class Product:
    """Runs `firsthand` commands in a folder, with as many threads as users get by default."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Warnings are Python's default for users, whatever the tests make of them.
        hidden = ("OMP_NUM_THREADS", "PYTHONWARNINGS")
        self._environment = {k: v for k, v in os.environ.items() if k not in hidden}

    def __call__(self, *words: str, status: int = 0) -> Finished:
        """Run a command to its end, which must have the exit status `status`."""
        process = self._start(words)
        out, err = process.communicate()
        assert process.returncode == status, f"{words}: {process.returncode}\n{out}\n{err}"
        return Finished(process.args, process.returncode, out, err)

    def refuses(self, *words: str) -> str:
        """Run a command that must end with status 1 and one line, which is returned."""
        (line,) = self(*words, status=1).stderr.splitlines()
        assert line.startswith("firsthand: ")
        return line

    def killed(self, *words: str, after: float) -> bool:
        """Run a command and kill it, its workers included; False if it ended well before."""
        process = self._start(words)
        try:
            out, err = process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return True
        assert process.returncode == 0, f"{words}: {process.returncode}\n{out}\n{err}"
        return False

    def seconds(self, *words: str) -> float:
        begun = time.monotonic()
        self(*words)
        return time.monotonic() - begun

    def _start(self, words: tuple[str, ...]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "firsthand", *words],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


@pytest.fixture
def firsthand(tmp_path: Path) -> Product:
    """Commands that run in the test's temporary folder."""
    return Product(tmp_path)


@pytest.fixture
def flip() -> Callable[[Path, int], None]:
    """Flips the lowest bit of one byte of a file."""

    def flipped(path: Path, at: int) -> None:
        content = bytearray(path.read_bytes())
        content[at] ^= 1
        path.write_bytes(content)

    return flipped
