"""The README's commands do what it says: they are run, word for word, one after the other.

Only their size is reduced: after each command the words in `SMALLER` are added. Every command of
every page is read as the command line reads it, and every Python example finds what it imports.
"""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from firsthand.cli import settings
from firsthand.cli.main import parse

SMALLER = {
    "pretrain": ["training=smoke", "training.steps=6", "training.batch_size=4"],
    "record": ["tasks=[move_slider_left]", "episodes=3", "held_out_every=2", "workers=0"],
    "finetune": ["training=smoke", "training.steps=6", "training.batch_size=4"],
    "ground": [
        "home.hours=0.2",
        "home.size=32",
        "ground.training.steps=20",
        "ground.training.warmup=5",
        "ground.training.batch_size=16",
    ],
    "ground-eval": ["permutations=99", "layer_permutations=9"],
    "evaluate": ["tasks=[move_slider_left]", "trials=1", "chains=1", "steps=30", "workers=0"],
}


def fences(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[list[str]]:
    """The `firsthand` commands of all bash fences, as words."""
    lines = "".join(fences(text, "bash")).replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


PROJECT = Path(__file__).resolve().parent.parent
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted(PROJECT.glob("docs/*.md"))]
FENCE = re.compile(r"^```(?:bash)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|-m )firsthand (.+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_is_understood(page: Path) -> None:
    for fence in FENCE.findall(page.read_text()):
        for line in fence.replace("\\\n", " ").splitlines():
            if not (found := COMMAND.search(line)):
                continue
            called = parse(shlex.split(found[1], comments=True))
            module = called.command.load()
            if called.sweep:
                assert settings.sweep(called.command.config, module.SCHEMA, called.overrides)
            elif not called.help:
                assert settings.shown(called.command.config, module.SCHEMA, called.overrides)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_of_a_page_finds_what_it_imports(page: Path) -> None:
    for source in fences(page.read_text(), "python"):
        tree = ast.parse(source)
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                exec(compile(ast.Module([node], []), str(page), "exec"), {})


@pytest.fixture(scope="module")
def readme() -> str:
    return (Path(__file__).resolve().parent.parent / "README.md").read_text()


def test_every_make_target_exists(readme: str, project: Path) -> None:
    targets = [words[1] for words in commands(readme) if words[0] == "make"]
    assert targets[:2] == ["demo", "test"]
    for target in targets:
        done = subprocess.run(["make", "-n", target], cwd=project, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_every_file_it_points_to_exists(readme: str, project: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", readme):
        assert target.startswith("http") or (project / target).exists(), target


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_command_runs(readme: str, tmp_path: Path) -> None:
    write_video(tmp_path / "videos" / "one.mp4", seed=1)
    write_video(tmp_path / "videos" / "two.mp4", seed=2)
    for number, source in enumerate(fences(readme, "python")):
        name = re.match(r"# (\w+\.py)\n", source)
        (tmp_path / (name[1] if name else f"example_{number}.py")).write_text(source)
    for words in commands(readme):
        if words[0] != "firsthand":
            continue
        words = [sys.executable, "-m", *words, *SMALLER.get(words[1], [])]
        run(words, tmp_path)
    run([sys.executable, *(p.name for p in tmp_path.glob("example_*.py"))], tmp_path)


def run(words: list[str], folder: Path) -> None:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"


def write_video(path: Path, seed: int) -> None:
    """Four seconds of a moving square, 96 pixels, 10 frames a second."""
    path.parent.mkdir(exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (96, 96, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 96
        stream.pix_fmt = "yuv420p"
        for index in range(40):
            picture = noise.copy()
            picture[40:60, index : index + 20] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
