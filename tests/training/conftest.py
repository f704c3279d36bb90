import multiprocessing
from pathlib import Path

import pytest


@pytest.fixture
def processes(monkeypatch):
    """A source of processes that start at once: they are forked from one that has imported all."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.helpers.tiny_policy", "firsthand.training.loop"])
    return context
