"""A user's files that are called as our packages are break nothing, and are taken when meant."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import firsthand
from firsthand.build.actors import PythonActor
from firsthand.common import workers

POLICY = """
class Mine:
    def reset(self, instruction): ...
    def select_action(self, observation): ...
"""
ROOT = Path(firsthand.__file__).parents[1]
NAMES = ("envs", "training", "episodes", "policy", "pretrain", "finetune")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder of the user's to work in, with the files that are written there."""
    before = list(sys.path)
    monkeypatch.chdir(tmp_path)

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    yield write
    sys.path[:] = before
    for name, module in list(sys.modules.items()):
        file = str(getattr(module, "__file__", None) or "")
        if (
            file.startswith(str(tmp_path))
            or name.startswith("_working_directory_")
            or name.partition(".")[0] in NAMES
        ):
            del sys.modules[name]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("file", ["{}.py", "{}/__init__.py"])
def test_a_policy_in_a_file_of_our_names_is_the_user_s(name, file, project) -> None:
    project({file.format(name): POLICY})
    made = PythonActor(f"{name}:Mine")()
    assert type(made).__name__ == "Mine"
    assert Path(workers.__file__).is_relative_to(ROOT)


@pytest.mark.parametrize("package", [True, False])
def test_a_module_in_a_package_of_our_names_is_the_user_s(package, project) -> None:
    folder = project({
        "policy/mine.py": "from .helper import Mine\n",
        "policy/helper.py": POLICY,
        "envs.py": "raise SystemExit('the wrong file')",
        **({"policy/__init__.py": ""} if package else {}),
    })  # fmt: skip
    made(folder)


def test_a_helper_beside_it_is_found_and_so_is_a_name_that_others_have(project) -> None:
    project(
        {"my_policy.py": "import my_helper_x\n" + POLICY, "my_helper_x.py": "", "av.py": POLICY}
    )
    assert type(PythonActor("my_policy:Mine")()).__name__ == "Mine"
    assert type(PythonActor("av:Mine")()).__name__ == "Mine"


def run(words: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True
    )


@pytest.fixture
def robotics(project) -> Path:
    files = {f"{name}/__init__.py": "raise SystemExit('theirs')" for name in NAMES[:3]}
    return project({**files, "policy.py": "raise SystemExit('theirs')", "mine.py": POLICY})


TELL = """
import sys
from firsthand.cli import main as cli
from firsthand.common import workers
from firsthand.build.actors import PythonActor

class Where:
    def __call__(self, job):
        from firsthand.training import logger
        made = PythonActor("mine:Mine")()
        return type(made).__name__, workers.__file__, logger.__file__

if __name__ == "__main__":
    jobs = iter([1])
    (found,) = workers.run(Where, lambda: next(jobs, None), 1)
    print(*found[1])
"""


def test_worker_processes_have_our_packages(robotics, tmp_path_factory) -> None:
    script = tmp_path_factory.mktemp("bin") / "script.py"
    script.write_text(TELL)
    done = run([sys.executable, str(script)], robotics, PYTHONPATH=f".{os.pathsep}{ROOT}")
    assert done.returncode == 0, done.stderr
    name, *places = done.stdout.split()
    assert name == "Mine"
    assert all(Path(place).is_relative_to(ROOT) for place in places)


def test_the_command_line_starts_in_such_a_folder(robotics) -> None:
    done = run([sys.executable, "-m", "firsthand", "inspect", "x"], robotics)
    assert done.stderr == "firsthand: there is nothing at x\n"


def made(folder: Path) -> None:
    """`policy.mine:Mine` can be made in a process of its own, outside a checkout."""
    make = "from firsthand.build.actors import PythonActor; PythonActor('policy.mine:Mine')()"
    done = run([sys.executable, "-c", make], folder)
    assert done.returncode == 0, done.stderr


def test_a_module_imports_its_neighbours_of_our_names(project) -> None:
    made(project({
        "policy/mine.py": "from policy.config import Mine\nimport envs\n",
        "policy/config.py": POLICY,
        "envs.py": "",
    }))  # fmt: skip
