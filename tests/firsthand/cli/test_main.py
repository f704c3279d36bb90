"""The command line as a process: fast help, one-line errors, exit statuses."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from firsthand.cli import main as cli
from firsthand.commands import COMMANDS
from firsthand.common.errors import UserError

HEAVY = ("torch", "transformers", "hydra", "omegaconf", "numpy", "pybullet", "numba", "rich")


def firsthand(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "firsthand", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


@pytest.mark.parametrize("words", [["--help"], *([*name.split(), "--help"] for name in COMMANDS)])
def test_help_imports_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    script = f"""
import sys
from firsthand.cli.main import main
assert main({words!r}) == 0
loaded = [name for name in {HEAVY!r} if name in sys.modules]
assert not loaded, loaded
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert words[0] in done.stdout or "COMMAND" in done.stdout


def test_importing_firsthand_imports_nothing_heavy(tmp_path: Path) -> None:
    script = f"import sys, firsthand; assert not [n for n in {HEAVY!r} if n in sys.modules]"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)


@pytest.mark.parametrize(("chosen", "policy"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_that_wait_sleep_unless_the_user_wants_otherwise(monkeypatch, chosen, policy):
    monkeypatch.setenv("OMP_WAIT_POLICY", chosen or "")
    if chosen is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    assert cli.main(["--version"]) == 0
    assert os.environ["OMP_WAIT_POLICY"] == policy


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evalute"], "unknown command 'evalute': did you mean 'evaluate'?"),
        (["benchmark"], "benchmark what? one of: world"),
        (["evaluate", "--verbose"], "unknown switch --verbose"),
        (["evaluate", "--checkpoint", "runs/x"], "without dashes, checkpoint=runs/x;"),
        (["evaluate", "--held-out-every=3"], "without dashes, held_out_every=3;"),
        (["ground", "eval"], "there is no ground eval; write firsthand ground-eval"),
        (["ground", "eval", "root=x"], "there is no ground eval; write firsthand ground-eval"),
        (["benchmark-world"], "did you mean 'benchmark world'?"),
        (["evaluate", "faster"], "cannot read 'faster': settings are written key=value"),
        (["-m"], "which command? one of: "),
    ],
)
def test_words_that_make_no_command_exit_with_2(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert message in lines[0]


def test_without_words_it_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "firsthand COMMAND" in capsys.readouterr().out


@pytest.mark.parametrize("path", ["/a b/c=[1],{x}'\"\\d.h5", "000_a=1", "$HOME", "a", "ünï/ç.h5"])
def test_a_path_is_taken_literally_whatever_it_holds(path: str) -> None:
    from firsthand.cli.settings import parse
    from firsthand.commands.inspect import SCHEMA

    (override,) = parse(cli.parse(["inspect", path]).overrides, SCHEMA)
    assert override.value() == path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "checkpoint=nowhere"], "no checkpoint at nowhere"),
        (["evaluate", "checkpont=x"], "unknown key 'checkpont'; did you mean 'checkpoint'?"),
        (["evaluate", "actor=expert", "trials=many"], "trials=many: must be a whole number"),
        (["evaluate", "actor=expert", "tasks=[jump]"], "unknown task 'jump'"),
        (["evaluate", "tasks=[open_drawr]"], "task 'open_drawr': did you mean 'open_drawer'?"),
        (["record", "tasks=[open_drawr]"], "task 'open_drawr': did you mean 'open_drawer'?"),
        (["record", "tasks=a,b"], "tasks takes a list: write 'tasks=[a,b]'"),
        (["finetune", "demonstrations=a,b"], "write 'demonstrations=[a,b]'"),
        (["pretrain", "training.device=cuda"], "a GPU is used where there is one"),
        (["evaluate", "actor=expert", "what=task"], "what=task: did you mean 'tasks'?"),
        (["evaluate", "actor=nowhere:thing"], "actor=nowhere:thing cannot be imported"),
        (["evaluate"], "name who acts"),
        (["evaluate", "resume=true"], "nothing to resume in runs/evaluate"),
        (["inspect", "nothing"], "there is nothing at nothing"),
        (
            ["pretrain", "corpus=moon"],
            "corpus=moon: must be one of: episodes, hands, home, mixture, videos",
        ),
        (
            ["pretrain", "corpus=nursery"],
            "corpus=nursery: there is no nursery any more: write corpus=hands",
        ),
        (["pretrain", "corpus=videos"], "corpus.root has no value: write corpus.root=<value>"),
        (["pretrain", "corpus.root=x"], "it belongs to corpus=videos"),
        (["pretrain", "corpus=videos", "corpus.root=x"], "is no folder"),
        (["pretrain", "corpus=episodes", "corpus.files=x"], "no episodes at x"),
        (["pretrain", "trainng.steps=3"], "did you mean 'training.steps'?"),
        (["pretrain", "training.precision=fp8"], "must be one of: auto, bf16, fp32"),
        (["pretrain", "policy.pool.kind=perceiver"], "write conv with spatial_softmax"),
        (["pretrain", "policy.trunk.heads=5"], "is not a multiple of its 5 heads"),
        (["finetune"], "demonstrations has no value"),
        (["finetune", "demonstrations=x"], "no episodes at x"),
        (["finetune", "demonstrations=.", "pretrained=x"], "holds no file of episodes"),
        (["convert", "root=x"], "is no folder"),
    ],
)
def test_wrong_input_ends_in_one_line_and_status_1(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("firsthand: ")
    assert message in lines[0]
    assert not list(tmp_path.rglob("*.yaml"))


def test_an_error_of_a_whole_process_is_one_line(tmp_path: Path) -> None:
    done = firsthand("evaluate", "checkpoint=nowhere", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "firsthand: no checkpoint at nowhere: there is no such directory"
    ]


def test_a_traceback_can_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FIRSTHAND_TRACEBACK", "1")
    with pytest.raises(UserError):
        cli.main(["inspect", "nothing"])


def test_cfg_prints_settings_that_can_be_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    from omegaconf import OmegaConf

    assert cli.main(["evaluate", "--cfg", "trials=3"]) == 0
    shown = OmegaConf.create(capsys.readouterr().out)
    assert shown.trials == 3
    assert shown.steps == 360


def _interrupt(config: object, run: object) -> None:
    raise KeyboardInterrupt


def test_an_interrupted_run_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from firsthand.commands import evaluate

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evaluate, "execute", _interrupt)
    with pytest.raises(SystemExit) as caught:
        cli.main(["evaluate", "run=here"])
    assert caught.value.code == 130
    assert "firsthand evaluate resume=true run=here" in capsys.readouterr().err


def test_resume_keeps_the_settings_of_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from firsthand.commands import evaluate

    seen = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evaluate, "execute", lambda config, run: seen.append((config, run)))
    assert cli.main(["evaluate", "trials=3", "seed=1"]) == 0
    assert cli.main(["evaluate", "resume=true", "workers=4"]) == 0
    assert cli.main(["evaluate", "resume=true"]) == 0
    (first, a), (second, b), (third, c) = seen
    assert (first.trials, first.seed, first.workers) == (3, 1, 2)
    assert (second.trials, second.seed, second.workers) == (3, 1, 4)
    assert third == second
    assert (a.path, a.resume) == (b.path, False)
    assert b.resume
    assert c == b


def test_a_sweep_runs_each_in_a_directory_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from firsthand.commands import evaluate

    seen = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evaluate, "execute", lambda config, run: seen.append((config, run)))
    assert cli.main(["evaluate", "-m", "seed=1,2", "trials=3,4", "workers=0", "run=sweep"]) == 0
    assert [(config.seed, config.trials) for config, _ in seen] == [(1, 3), (1, 4), (2, 3), (2, 4)]
    assert [run.path.name for _, run in seen] == [
        f"{n:03}_seed_{s}_trials_{t}" for n, (s, t) in enumerate([(1, 3), (1, 4), (2, 3), (2, 4)])
    ]
    assert all((run.path / "config.yaml").is_file() for _, run in seen)
    assert cli.main(["evaluate", "-m", "seed=1,2", "trials=3,4", "workers=0", "run=sweep"]) == 1


def test_where_a_command_went_holds_for_none_that_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from firsthand.commands import evaluate

    def leave(config: object, run: object) -> None:
        os.chdir("/")
        raise UserError("failed elsewhere")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evaluate, "execute", leave)
    assert cli.main(["evaluate", "run=alone"]) == 1
    assert Path.cwd() == tmp_path
    assert not Path("alone").exists()


def test_inspect_says_what_a_file_holds_and_names_a_flipped_byte(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from firsthand.episodes.episode import Episode
    from firsthand.episodes.storage.merge import EpisodeWriter

    path = tmp_path / "some.hdf5"
    pictures = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
    with EpisodeWriter(path) as writer:
        writer.add(Episode({"rgb_static": pictures}, fps=4.0, instruction="lift the lid"), "train")
    assert cli.main(["inspect", str(path), f"sheet={tmp_path}/sheet.png"]) == 0
    shown = capsys.readouterr().out
    assert "lift the lid" in shown
    assert "32x32" in shown
    assert (tmp_path / "sheet.png").is_file()

    content = bytearray(path.read_bytes())
    content[content.index(b"JFIF") + 40] ^= 1
    path.write_bytes(content)
    assert cli.main(["inspect", str(path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert str(path) in lines[0]
    assert "damaged" in lines[0]


def test_a_checkpoint_without_statistics_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from firsthand.policy.config import PolicyConfig
    from firsthand.policy.policy import Policy
    from firsthand.policy.statistics import Statistics

    monkeypatch.chdir(tmp_path)
    Policy(PolicyConfig(), Statistics()).save_pretrained("saved")
    assert cli.main(["inspect", "saved"]) == 0
    assert "statistics over 0 frames" in capsys.readouterr().out
    assert cli.main(["evaluate", "checkpoint=saved"]) == 1
    assert "learned from video alone and cannot act" in capsys.readouterr().err
    Path("saved/statistics.json").unlink()
    for words in (["inspect", "saved"], ["evaluate", "checkpoint=saved"]):
        assert cli.main(words) == 1
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        assert "saved holds no statistics.json" in lines[0]


def often_set(name: str) -> list[str]:
    """The words that a command's help names besides the settings in its own file."""
    shown = cli._help(COMMANDS[name]).partition("# Often set: ")[2]
    return [word.strip(" ,;") for word in shown.replace("#", "").split() if "=" in word]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("evaluate", ["tasks"]),
        ("record", ["tasks"]),
        ("pretrain", ["training.steps", "training.batch_size", "training.threads"]),
        ("finetune", ["training.steps", "training.rollout_every", "training.threads"]),
        ("ground", ["ground.training.steps", "home.evaluation"]),
        ("demo", ["evaluation.trials"]),
        ("convert", ["source.size"]),
    ],
)
def test_help_names_the_settings_that_people_want(name: str, wanted: list[str]) -> None:
    from firsthand.cli import settings

    words = [
        word for word in often_set(name) if not word.endswith(":") and "." in word or "[" in word
    ]
    assert set(wanted) <= {word.partition("=")[0] for word in words}
    module = COMMANDS[name].load()
    settings.place(COMMANDS[name].config, module.SCHEMA, words)  # every one of them is a setting


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["finetune"], "demonstrations: ???"),
        (["inspect"], "path: ???"),
        (["replay"], "path: ???"),
        (["features"], "recordings: ???"),
        (["convert"], "root: ???"),
        (["convert", "source=ego4d", "source.fps=5"], "  fps: 5"),
        (["finetune", "demonstrations=1.10"], "demonstrations: '1.10'"),
    ],
)
def test_cfg_shows_what_has_no_value_yet(words, shown, capsys) -> None:
    assert cli.main([*words, "--cfg"]) == 0
    assert shown in capsys.readouterr().out.splitlines()


def test_an_ascii_terminal_gets_help_and_messages(tmp_path: Path) -> None:
    import os

    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    environment["PYTHONCOERCECLOCALE"] = "0"
    script = """
from firsthand.cli import main as cli
assert cli.main(["--help"]) == 0
assert cli.main(["evaluate", "--help"]) == 0
assert cli.main(["evaluate", "checkpoint=l\\u00e4ufe"]) == 1
assert cli.main(["evaluate", "actor=expert", "-v\\u2026"]) == 2
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert b"firsthand COMMAND [key=value ...]" in done.stdout
    assert "no checkpoint at läufe".encode() in done.stderr


def test_what_is_wrong_with_the_disk_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import errno
    import os

    from firsthand.commands import evaluate

    def fail(number: int):
        def execute(config: object, run: object) -> None:
            raise OSError(number, os.strerror(number), "some/file")

        return execute

    monkeypatch.chdir(tmp_path)
    for number in (errno.ENOSPC, errno.EROFS, errno.EACCES):
        monkeypatch.setattr(evaluate, "execute", fail(number))
        assert cli.main(["evaluate"]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line == f"firsthand: some/file: {os.strerror(number)}"
    monkeypatch.setattr(evaluate, "execute", fail(errno.ECHILD))
    with pytest.raises(OSError, match="child"):
        cli.main(["evaluate"])


def test_a_sweep_names_what_failed_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from firsthand.commands import evaluate

    done = []

    def execute(config, run) -> None:
        if config.seed == 1:
            raise UserError("seed 1 is unlucky")
        if config.seed == 2:
            raise ZeroDivisionError("two")
        done.append(config.seed)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evaluate, "execute", execute)
    assert cli.main(["evaluate", "-m", "seed=1,2,3,4", "run=s"]) == 1
    assert done == [3, 4]
    shown = capsys.readouterr()
    assert "firsthand: 000_seed_1 failed: seed 1 is unlucky" in shown.err
    assert "Traceback" in shown.err
    assert shown.err.splitlines()[-1] == ("firsthand: 2 of 4 runs failed: 000_seed_1, 001_seed_2")
    rows = [line.split() for line in shown.out.splitlines()]
    assert ["003_seed_4", "done"] in rows
    assert ["001_seed_2", "ZeroDivisionError:", "two"] in rows
