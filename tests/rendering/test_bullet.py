"""PyBullet comes without its greeting; what else is written to stderr still shows."""

import os
import subprocess
import sys

import pytest

from firsthand.rendering.bullet import GREETING, without_greeting


def test_importing_pybullet_writes_nothing() -> None:
    code = "from firsthand.rendering.bullet import pybullet; pybullet.connect(pybullet.DIRECT)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout + done.stderr == b""


def test_only_the_greeting_is_held_back(capfd: pytest.CaptureFixture[str]) -> None:
    with without_greeting():
        os.write(2, b"a warning\n" + GREETING + b" today\nanother")
    assert capfd.readouterr().err == "a warning\nanother"


def test_what_was_written_before_a_failure_shows(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImportError):
        _fail()
    assert capfd.readouterr().err == "no such library\n"


def _fail() -> None:
    with without_greeting():
        os.write(2, b"no such library\n")
        raise ImportError
