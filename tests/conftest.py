"""What every test shares: one thread a process, no network, and the optional reference data."""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")

PROJECT = Path(__file__).resolve().parent.parent
if str(PROJECT) not in sys.path:  # worker processes import test modules by name
    sys.path.insert(0, str(PROJECT))


@pytest.fixture(scope="session", autouse=True)
def _one_thread_each() -> None:
    """Workers of pytest-xdist share the cores; torch would start a pool in each of them."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the checkout."""
    return PROJECT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference data that lies beside a checkout; tests that need it are skipped without it."""
    folder = PROJECT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}, which is not here")
    return folder
