"""Run directories: refused when full, found again, locked, and never changed behind one's back."""

import contextlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from firsthand.cli import run_dir as run
from firsthand.cli.schema import plain
from firsthand.cli.settings import Settings
from firsthand.common.errors import UserError


@dataclass(frozen=True)
class Config:
    steps: int = 3
    seed: int = 1


def settings(config: Config | None = None, *words: str, resume: bool = False) -> Settings:
    config = config or Config()
    return Settings(config, plain(config), words, None, resume)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_run_records_what_it_takes_to_repeat_it() -> None:
    with run.open_run("toy", settings(Config(), "seed=1"), None) as opened:
        assert opened.path.parent == Path("runs/toy")
        assert not opened.resume
    assert OmegaConf.to_container(OmegaConf.load(opened.path / "config.yaml")) == {
        "steps": 3,
        "seed": 1,
    }
    (record,) = json.loads((opened.path / "versions.json").read_text())
    assert record["overrides"] == ["seed=1"]
    assert record["seeds"] == {"seed": 1}
    assert record["packages"]["numpy"]
    assert set(record) >= {"python", "platform", "cpu", "cores", "gpu", "git", "argv", "started"}


def test_two_runs_in_one_second_get_two_directories() -> None:
    with run.open_run("toy", settings(), None) as a, run.open_run("toy", settings(), None) as b:
        assert a.path != b.path


def test_a_directory_with_something_in_it_is_refused() -> None:
    full = Path("full")
    full.mkdir()
    (full / "precious.txt").write_text("mine")
    with (
        pytest.raises(UserError, match=r"full is not empty; write resume=true"),
        run.open_run("toy", settings(), full),
    ):
        pass
    assert [p.name for p in full.iterdir()] == ["precious.txt"]


def test_a_run_that_made_nothing_is_not_in_the_way_of_the_next() -> None:
    for _ in range(2):
        with (
            pytest.raises(UserError, match="wrong"),
            run.open_run("toy", settings(), Path("again")),
        ):
            raise UserError("wrong")
    _fail_after_work(Path("again"))
    assert Path("again/result").exists()


def _fail_after_work(path: Path) -> None:
    with contextlib.suppress(UserError), run.open_run("toy", settings(), path) as opened:
        (opened.path / "result").write_text("worth keeping")
        raise UserError("later")


@pytest.mark.parametrize("error", [ValueError("first"), OSError(2, "gone", "a/b")])
@pytest.mark.parametrize("resume", [False, True])
def test_a_directory_that_is_removed_hides_no_error(error: Exception, resume: bool) -> None:
    path = Path("gone")
    if resume:
        with run.open_run("toy", settings(), path):
            pass
    message = "first" if isinstance(error, ValueError) else "gone was removed while its command ran"
    with pytest.raises(ValueError, match=message):
        _remove(path, resume, error)


def _remove(path: Path, resume: bool, error: Exception) -> None:
    with run.open_run("toy", settings(resume=resume), path):
        shutil.rmtree(path)
        raise error


def test_a_file_in_the_way_is_refused() -> None:
    Path("file").write_text("")
    with pytest.raises(UserError, match="file"), run.open_run("toy", settings(), Path("file")):
        pass


def test_resume_finds_the_latest_run_of_the_command() -> None:
    with run.open_run("toy", settings(), None) as first:
        pass
    with run.open_run("toy", settings(), None) as second:
        pass
    with run.open_run("other", settings(), None):
        pass
    assert run.previous("toy", None) == second.path
    with run.open_run("toy", settings(resume=True), first.path) as again:
        assert again.resume
    assert run.previous("toy", None) == first.path
    assert len(json.loads((first.path / "versions.json").read_text())) == 2


def test_resume_without_a_run_says_so() -> None:
    with pytest.raises(UserError, match="nothing to resume in runs/toy"):
        run.previous("toy", None)


def test_resume_of_a_run_killed_before_it_began_starts_it() -> None:
    path = Path("killed")
    path.mkdir()
    (path / ".config.yaml.77").write_text("half")
    assert run.previous("toy", path) is None
    with run.open_run("toy", settings(), Path("killed")):
        pass
    (path / "versions.json").unlink()
    with run.open_run("toy", settings(resume=True), path) as opened:
        assert not opened.resume


def test_one_process_at_a_time() -> None:
    with (
        run.open_run("toy", settings(), Path("held")),
        pytest.raises(UserError, match="another process is writing to held"),
        run.open_run("toy", settings(resume=True), Path("held")),
    ):
        pass


def test_a_default_that_changed_since_is_not_taken_silently() -> None:
    with run.open_run("toy", settings(Config(steps=3)), Path("old")):
        pass
    now = plain(Config(steps=9))
    with pytest.raises(UserError, match=r"started with steps=3, and now it would be 9; write"):
        run.refuse_silent_changes(Path("old"), now, [])
    run.refuse_silent_changes(Path("old"), now, ["steps=9"])


def test_a_setting_that_follows_another_is_told_by_the_one_that_was_said() -> None:
    with run.open_run("toy", settings(Config(steps=3, seed=3)), Path("old")):
        pass
    now = plain(Config(steps=9, seed=9))  # as if seed were ${steps}
    message = r"old was started with steps=3, and now steps=9 is said, which changes seed too: "
    with pytest.raises(UserError, match=message + r"leave out steps= to go on with 3, or write se"):
        run.refuse_silent_changes(Path("old"), now, ["steps=9"])
    run.refuse_silent_changes(Path("old"), now, ["steps=9", "seed=9"])


def test_a_damaged_record_is_named() -> None:
    Path("old").mkdir()
    Path("old/versions.json").write_text("[{")
    with pytest.raises(UserError, match=r"versions\.json is damaged"):
        run.saved_overrides(Path("old"))


def test_many_processes_need_a_named_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="name it with run="), run.open_run("toy", settings(), None):
        pass
    monkeypatch.setenv("RANK", "1")
    with run.open_run("toy", settings(), Path("shared")) as opened:
        assert opened.path == Path("shared")
    assert not Path("shared").exists()
