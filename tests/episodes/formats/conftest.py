"""Copies of the recorded datasets, which a test may damage."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def task(project: Path, tmp_path: Path) -> Path:
    """A folder of CALVIN's, `task_D_D`."""
    return Path(shutil.copytree(project / "tests/data/calvin/task_D_D", tmp_path / "task_D_D"))


@pytest.fixture
def v21(project: Path, tmp_path: Path) -> Path:
    """A LeRobot dataset of version 2.1."""
    return Path(shutil.copytree(project / "tests/data/lerobot_v21", tmp_path / "v21"))


@pytest.fixture
def v30(project: Path, tmp_path: Path) -> Path:
    """A LeRobot dataset of version 3.0."""
    return Path(shutil.copytree(project / "tests/data/lerobot_v30", tmp_path / "v30"))
