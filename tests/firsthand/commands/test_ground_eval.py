"""Which models `firsthand ground-eval` measures when none is named."""

import os

import pytest

from firsthand.cli import main as cli
from firsthand.cli import settings
from firsthand.commands import ground_eval
from firsthand.common.errors import UserError


def test_the_last_run_is_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="holds no run: start with `firsthand ground`"):
        ground_eval.newest()
    for age, name in enumerate(("b", "a")):
        folder = tmp_path / "runs" / "ground" / name
        folder.mkdir(parents=True)
        (folder / "study.json").write_text("{}")
        os.utime(folder / "study.json", (age, age))
    assert ground_eval.newest() == "runs/ground/a"
    assert cli.main(["ground-eval"]) == 1  # what it holds is no study


def test_one_model_or_several_are_named():
    one = settings.load("ground_eval", ground_eval.SCHEMA, ["model=a"]).config
    assert (one.model, one.root, one.trials) == ("a", None, ())
    assert dict(one.called) == {"cat": "kitty"}
    several = settings.load("ground_eval", ground_eval.SCHEMA, ["model=[a,b]"]).config
    assert several.model == ("a", "b")
    with pytest.raises(UserError, match="shares grow"):
        settings.load("ground_eval", ground_eval.SCHEMA, ["shares=[1,0.1]"])


def test_notices_are_a_line_each(capsys):
    with ground_eval.progress_bars() as notice:
        for done in range(3):
            notice("CVCL, seed 0", done, 3)
        notice("CVCL, seed 1", 3, 3)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("CVCL, seed 0")
    assert lines[-1].startswith("CVCL, seed 1")
    assert all(line.startswith("CVCL, seed") for line in lines)
