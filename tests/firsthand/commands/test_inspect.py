"""`inspect` says what one asks of whatever lies at a path."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from firsthand.cli import main as cli
from firsthand.episodes.episode import Episode
from firsthand.episodes.storage.merge import EpisodeWriter
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.vocabulary import SPECIAL, Vocabulary
from tests.grounding.test_model import model_of
from tests.helpers.films import write_film

DATA = Path(__file__).parents[2] / "data"


def trial(index: int, task: str, success: bool) -> str:
    subtask = {"task": task, "success": success, "grasp_error": None}
    return json.dumps({"index": index, "success": success, "subtasks": [subtask]}) + "\n"


def started(folder: Path, command: str) -> Path:
    folder.mkdir(parents=True)
    start = {"command": command, "overrides": [], "started": "2026-05-04T03:02:01", "cpu": "a cpu"}
    (folder / "versions.json").write_text(json.dumps([start]))
    return folder


def shown(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert cli.main(["inspect", *map(str, words)]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert cli.main(["inspect", *map(str, words)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


def evaluated(folder: Path) -> Path:
    run = started(folder, "evaluate")
    tried_again = trial(3, "turn_on_led", True) + trial(3, "turn_on_led", False)
    drawers = [trial(index, "open_drawer", True) for index in range(3)]
    (run / "tasks.jsonl").write_text("".join(drawers) + tried_again + '{"task": "open_dr')
    return run


def test_an_evaluations_success_rates(tmp_path: Path, capsys) -> None:
    out = shown(capsys, evaluated(tmp_path / "run"))
    assert "tasks: 4 trials so far" in out
    assert "75.0%" in out
    assert "turn_on_led" in out


@pytest.mark.parametrize("tag", ["val/loss", "held_out/loss"])  # today's, before 0.2.0
def test_a_folder_of_runs_and_of_sweeps(tmp_path: Path, capsys, tag: str) -> None:
    run = evaluated(tmp_path / "runs" / "evaluated")
    (run / "tasks.summary.json").write_text(json.dumps({"success": {"value": 0.75}}))
    member = started(tmp_path / "runs" / "sweep" / "000_seed_1", "ground_eval")
    (member / "metrics.jsonl").write_text(json.dumps({"step": 3, tag: 0.25}) + "\n")
    out = shown(capsys, tmp_path / "runs")
    assert "2 runs" in out
    assert "75.0% of tasks" in out
    assert "000_seed_1" in out
    assert "held-out loss 0.25 at step 3" in out
    assert "ground eval" in out


def test_metrics_of_before_have_today_s_names(tmp_path: Path, capsys) -> None:
    run = started(tmp_path / "run", "pretrain")
    rows = [{"step": 3, "held_out/loss": 0.25}, {"step": 6, "val/loss": 0.125}]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = shown(capsys, run)
    assert ["val/loss", "0.125", "6"] in [line.split() for line in out.splitlines()]
    assert "held_out" not in out


def test_a_runs_episodes_on_a_sheet(tmp_path: Path, capsys) -> None:
    run = started(tmp_path / "run", "record")
    with EpisodeWriter(run / "episodes.hdf5") as writer:
        pictures = np.zeros((3, 16, 16, 3), np.uint8)
        writer.add(Episode({"rgb_static": pictures}, fps=4.0, instruction="lift the lid"))
    assert "lift the lid" in shown(capsys, run, f"sheet={tmp_path / 'sheet.png'}")
    assert (tmp_path / "sheet.png").is_file()


def test_a_sheet_of_nothing_is_refused(tmp_path: Path, capsys) -> None:
    run = evaluated(tmp_path / "run")
    for path in (run, tmp_path):
        assert "nothing for sheet= to show" in refused(capsys, path, f"sheet={tmp_path / 's.png'}")


def test_a_word_grounding_model(tmp_path: Path, capsys) -> None:
    model: GroundingModel = model_of()
    model.vocabulary = Vocabulary((*SPECIAL, *(f"word{n}" for n in range(7))))
    model.save_pretrained(tmp_path / "model")
    out = shown(capsys, tmp_path / "model")
    assert "word-grounding model" in out
    assert "7 words: word0, word1" in out


@pytest.mark.parametrize(("name", "kind"), [("lerobot_v21", "lerobot"), ("lerobot_v30", "lerobot")])
def test_a_dataset_of_others(name: str, kind: str, capsys) -> None:
    out = shown(capsys, DATA / name)
    assert f"{kind}, 3 items" in out or f"{kind}, " in out
    assert f"firsthand convert source={kind} root=" in out


def test_a_folder_of_videos(tmp_path: Path, capsys) -> None:
    (tmp_path / "my films").mkdir()
    write_film(tmp_path / "my films" / "a.mp4", 3)
    out = shown(capsys, tmp_path / "my films")
    assert "videos, 1 items" in out
    assert f"source=videos 'root={tmp_path}/my films'" in out


def test_a_folder_of_something_else(tmp_path: Path, capsys) -> None:
    (tmp_path / "notes.txt").write_text("milk")
    assert "holds no episodes" in refused(capsys, tmp_path)
    shutil.rmtree(tmp_path)
    assert "nothing at" in refused(capsys, tmp_path)
