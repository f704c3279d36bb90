"""Every command that writes can be resumed with the line that it prints, and a refusal harms
nothing."""

import os
import shlex
from pathlib import Path

import pytest

from firsthand.cli import main as cli
from firsthand.commands import COMMANDS
from firsthand.common.errors import UserError

NEEDED = {
    "convert": ["root=somewhere"],
    "features": ["recordings=shown"],
    "finetune": ["demonstrations=[shown,1_0]"],
    "pretrain": ["corpus=videos", "corpus.root=a b"],
    "probe": ["checkpoint=runs/a b", "corpus.files=[shown]"],
}
WRITING = [name for name, command in COMMANDS.items() if command.writes]
NAMES = ["a run", "läufe/x=1", "it's", "1.10", "~/$HOME", 'a,"\nb']


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch):
    """The configurations that a command is executed with; it is stopped while `stop` is set."""

    class Executed(list):
        stop = True

        def __call__(self, name: str) -> "Executed":
            module = COMMANDS[name].load()
            monkeypatch.setattr(module, "execute", self.execute)
            return self

        def execute(self, config: object, run: object) -> None:
            self.append((config, run))
            if self.stop:
                raise KeyboardInterrupt

    return Executed()


def pasted(shown: str) -> list[str]:
    program, *words = shlex.split(shown.partition("to go on: ")[2])
    assert program == "firsthand"
    return words


@pytest.mark.parametrize("name", WRITING)
def test_the_printed_line_goes_on(name, executed, capsys) -> None:
    executed(name)
    with pytest.raises(SystemExit) as caught:
        cli.main([*name.split(), *NEEDED.get(name, []), "run=stopped"])
    assert caught.value.code == 130
    words = pasted(capsys.readouterr().err)
    executed.stop = False
    assert cli.main(words) == 0
    (first, _), (again, run) = executed
    assert again == first
    assert (run.path, run.resume) == (Path("stopped"), True)


@pytest.mark.parametrize("name", NAMES)
def test_it_goes_on_whatever_the_run_is_called(name, executed, capsys) -> None:
    from firsthand.cli.overrides import written

    executed("evaluate")
    with pytest.raises(SystemExit):
        cli.main(["evaluate", written("run", name), "checkpoint=1.10"])
    executed.stop = False
    assert Path(name, "versions.json").is_file()
    assert cli.main(pasted(capsys.readouterr().err)) == 0
    config, run = executed[-1]
    assert (config.checkpoint, run.path, run.resume) == ("1.10", Path(name), True)


def test_a_stopped_sweep_goes_on_as_a_sweep(executed, capsys) -> None:
    executed("evaluate")
    with pytest.raises(SystemExit):
        cli.main(["evaluate", "-m", "seed=1,2", "run=a sweep"])
    executed.stop = False
    assert cli.main(pasted(capsys.readouterr().err)) == 0
    assert [(config.seed, run.resume) for config, run in executed] == [
        (1, False),
        (1, True),
        (2, False),
    ]


def refusal(words: list[str], capsys) -> str:
    assert cli.main(words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_what_was_never_started_is_not_begun(executed, capsys) -> None:
    executed.stop = False
    executed("evaluate")
    assert cli.main(["evaluate", "run=runs/watched"]) == 0
    assert cli.main(["evaluate", "-m", "seed=1,2", "run=runs/sweep"]) == 0
    Path("runs/mine").mkdir()
    Path("runs/mine/precious").touch()
    for name, said in (
        ("runs/watchd", "there is no run at runs/watchd; did you mean runs/watched?"),
        ("runs/mine", "runs/mine holds no run"),
        ("runs/sweep", "runs/sweep holds a sweep, no run: resume one of it, such as run=runs/sw"),
        ("runs/mine/precious", "holds no run"),
        ("x" * 300, "cannot read xxx"),
    ):
        assert said in refusal(["evaluate", "resume=true", f"run={name}"], capsys)
    assert "was started by firsthand evaluate, not by firsthand finetune" in refusal(
        ["finetune", "resume=true", "run=runs/watched"], capsys
    )
    assert len(executed) == 3
    assert not Path("runs/watchd").exists()


def content(folder: Path) -> dict[Path, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path: path.read_bytes() for path in files}


EVALUATE = (
    "evaluate actor=expert what=tasks tasks=[turn_on_led] steps=30 cameras={} trials=1 workers=0"
)
RECORD = "record tasks=[turn_on_led] episodes=1 workers=0 cameras={}"


@pytest.mark.parametrize(
    ("start", "refused"),
    [
        (EVALUATE, ["trials=2", "actor=nowhere:Nope", "actor=null", "chekpoint=x"]),
        (RECORD, ["episodes=2", "noise=0.1", "scenes=[B]"]),
    ],
)
def test_a_refused_resume_changes_nothing(start, refused, capsys) -> None:
    command, *words = start.split()
    assert cli.main([command, *words, "run=e"]) == 0
    before = content(Path("e"))
    capsys.readouterr()
    for word in refused:
        assert cli.main([command, "resume=true", "run=e", word]) == 1
        assert content(Path("e")) == before
    assert cli.main([command, "resume=true", "run=e"]) == 0


@pytest.mark.parametrize("failure", [UserError("no"), RuntimeError("no")])
def test_a_first_start_that_fails_leaves_nothing(failure, monkeypatch) -> None:
    from firsthand.commands import evaluate

    def fail(config: object, run) -> None:
        (run.path / "tasks.jsonl").touch()
        (run.path / "tasks.config.json").write_text("{}")
        raise failure

    monkeypatch.setattr(evaluate, "execute", fail)
    for words in (["run=deep/down/here"], []):
        if isinstance(failure, UserError):
            assert cli.main(["evaluate", *words]) == 1
        else:
            with pytest.raises(RuntimeError):
                cli.main(["evaluate", *words])
        assert os.listdir() == []
    Path("mine").mkdir()
    monkeypatch.setenv("FIRSTHAND_TRACEBACK", "1")
    with pytest.raises(type(failure)):
        cli.main(["evaluate", "run=mine"])
    assert os.listdir() == ["mine"]
    assert os.listdir("mine") == []
    Path("link").symlink_to("mine")
    monkeypatch.chdir("mine")
    for word in ("run=.", "run=../link"):
        with pytest.raises(type(failure)):
            cli.main(["evaluate", word])
        assert os.listdir() == []
    assert Path("../link").is_symlink()


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("file", "file is a file; name a directory"),
        ("file/below", "cannot write to file/below: Not a directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_place_that_cannot_be_is_one_line(place, said, executed, capsys) -> None:
    executed("evaluate")
    Path("file").touch()
    assert said in refusal(["evaluate", f"run={place}"], capsys)
    assert executed == []
    assert os.listdir() == ["file"]


def test_a_working_directory_that_takes_nothing_is_one_line(executed, capsys) -> None:
    executed("evaluate")
    Path("runs").touch()  # root may write anywhere: a file in the way does instead
    assert "cannot write to runs/evaluate: Not a directory" in refusal(["evaluate"], capsys)
