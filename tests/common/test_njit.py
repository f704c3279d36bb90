"""Compiled functions start wherever they are installed, and whoever runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from firsthand.common import njit as compiled
from firsthand.common.njit import njit

KERNEL = """
from firsthand.common.njit import njit

@njit("i8(i8)")
def twice(number):
    return 2 * number
"""
USE = "import kernel, numba.core.config as c; print(kernel.twice(21), c.CACHE_DIR)"


def test_a_read_only_installation_without_a_home(tmp_path: Path) -> None:
    """The cache is kept in the temporary directory, once for all processes."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "kernel.py").write_text(KERNEL)
    (tmp_path / "site" / "__pycache__").write_text("in the way of every folder, even for root")
    (tmp_path / "tmp").mkdir()
    nowhere = str(tmp_path / "site" / "kernel.py" / "home")
    places = {"HOME": nowhere, "XDG_CACHE_HOME": nowhere, "TMPDIR": str(tmp_path / "tmp")}
    paths = os.pathsep.join([str(tmp_path / "site"), str(Path(compiled.__file__).parents[2])])
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-B", "-c", USE], capture_output=True, text=True, check=True,
            env={**os.environ, **places, "PYTHONPATH": paths},
        )  # fmt: skip
        assert done.stdout.split() == [
            "42",
            str(tmp_path / "tmp" / f"firsthand-numba-{os.getuid()}"),
        ]
    (folder,) = (tmp_path / "tmp").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert list(folder.rglob("*.nbi"))


def test_a_cache_that_others_can_write_to_is_not_used(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(compiled.tempfile, "gettempdir", lambda: str(tmp_path))
    planted = tmp_path / f"firsthand-numba-{os.getuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    assert compiled._own_folder() != planted
    planted.chmod(0o700)
    assert compiled._own_folder() == planted
    planted.rmdir()
    planted.symlink_to(tmp_path)
    assert compiled._own_folder() != planted


def test_a_full_disk_costs_the_cache_alone(monkeypatch) -> None:
    real = compiled.numba.njit

    def full(signature: str, cache: bool = False, **options):
        if cache:
            raise OSError(28, "No space left on device")
        return real(signature, **options)

    monkeypatch.setattr(compiled.numba, "njit", full)
    assert njit("i8(i8)")(lambda number: number + 1)(1) == 2


def test_other_errors_are_told(monkeypatch) -> None:
    def broken(signature: str, **options):
        raise RuntimeError("something else")

    monkeypatch.setattr(compiled.numba, "njit", broken)
    with pytest.raises(RuntimeError, match="something else"):
        njit("i8(i8)")(lambda number: number)
