"""Worlds: a PlayTable, and a made-up checkout of the original simulator."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firsthand.envs.calvin import simulator as calvin_simulator
from firsthand.envs.playtable.env import PlayTable
from firsthand.rendering.bullet import pybullet
from tests.helpers.calvin_files import write_checkout


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A folder that looks like a checkout of calvin_env and simulates nothing."""
    folder = tmp_path / "checkout"
    write_checkout(folder)
    yield folder
    for module in [name for name in sys.modules if name.split(".")[0] == "calvin_env"]:
        del sys.modules[module]


@pytest.fixture
def no_physics(monkeypatch: pytest.MonkeyPatch) -> None:
    """No package is asked for, and PyBullet's world 0 is one arm that nothing happens to."""
    monkeypatch.setattr(calvin_simulator, "_PACKAGES", {})
    monkeypatch.setattr(pybullet, "isConnected", lambda client: False)
    monkeypatch.setattr(pybullet, "stepSimulation", lambda **world: None)
    monkeypatch.setattr(pybullet, "getNumJoints", lambda body, client: 1)
    joint = (0,) * 12 + (b"gripper_cam",)
    monkeypatch.setattr(pybullet, "getJointInfo", lambda body, index, client: joint)


@pytest.fixture
def world() -> Iterator[PlayTable]:
    """A PlayTable that draws nothing."""
    env = PlayTable(cameras={})
    yield env
    env.close()
