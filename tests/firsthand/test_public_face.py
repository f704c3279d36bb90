"""`import firsthand` names everything, and every name leads somewhere."""

import subprocess
import sys
from pathlib import Path

import pytest

import firsthand


def test_every_public_name_can_be_used() -> None:
    for name in firsthand.__all__:
        assert getattr(firsthand, name) is not None
        assert name in dir(firsthand)
        assert name in (firsthand.__doc__ or "")


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    assert not hasattr(firsthand, "Polici")


@pytest.mark.parametrize(
    "imports",
    [
        "import firsthand, gymnasium",
        "import gymnasium, firsthand",
        "import firsthand.envs, gymnasium",
        "from firsthand import PlayTable; import gymnasium",
    ],
)
def test_gymnasium_knows_the_worlds(imports: str) -> None:
    look = "gymnasium.spec('firsthand/PlayTable-v0'), gymnasium.make_vec"
    subprocess.run([sys.executable, "-W", "error", "-c", f"{imports}; {look}"], check=True)


def test_gymnasium_finds_the_worlds_by_the_packages_name() -> None:
    look = "import gymnasium; gymnasium.make('firsthand:firsthand/PlayTable-v0', cameras={})"
    subprocess.run([sys.executable, "-W", "error", "-c", look], check=True)


def test_a_user_s_own_package_envs_is_not_started(tmp_path: Path) -> None:
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs" / "__init__.py").write_text("raise SystemExit('nobody asked for this')")
    for imports in ("firsthand, gymnasium", "gymnasium, firsthand"):
        subprocess.run([sys.executable, "-c", f"import {imports}"], check=True, cwd=tmp_path)


def test_only_one_name_is_installed() -> None:
    """The packages at the top of the repository are reached through links in firsthand/."""
    root = Path(firsthand.__file__).resolve().parents[1]
    packages = {path.name for path in root.iterdir() if (path / "__init__.py").is_file()}
    links = {
        path.name: path.readlink() for path in (root / "firsthand").iterdir() if path.is_symlink()
    }
    assert links == {name: Path("..", name) for name in packages - {"firsthand", "tests"}}
