"""The demo: its settings say how much is learned, and a small one goes from video to report."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firsthand.cli.settings import load
from firsthand.commands.demo import SCHEMA
from firsthand.common.errors import UserError
from firsthand.demo import report as demo_report
from firsthand.demo.demo import DemoConfig, filmed
from firsthand.envs.evaluation.summary import TaskResults
from firsthand.envs.tasks.tasks import TASKS
from firsthand.training.logger import TensorBoardLogger
from firsthand.training.visualize.gif import Film


def settings(*words: str) -> DemoConfig:
    return load("demo", SCHEMA, words).config


def test_steps_are_what_the_settings_say_and_no_time_is():
    config = settings()
    assert (config.pretraining.steps, config.finetuning.steps) == (300, 2000)
    assert settings("finetuning.steps=300").finetuning.rollout_every == 300
    with pytest.raises(UserError, match="minutes"):
        settings("minutes=5")


def test_half_the_work_usually_takes_half_the_time():
    whole = settings()
    seconds = whole.usual_seconds()
    assert set(seconds) == {
        *("hands", "pretraining", "demonstrations", "fine-tuning", "evaluation")
    }
    half = replace(whole.finetuning, steps=whole.finetuning.steps // 2)
    assert replace(whole, finetuning=half).usual_seconds() == {
        **seconds,
        "fine-tuning": pytest.approx(seconds["fine-tuning"] / 2),
    }


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 17, 34])
def test_tasks_that_are_filmed_are_among_those_shown(count):
    shown = tuple(TASKS)[:count]
    chosen = filmed(shown)
    assert set(chosen) <= set(shown)
    assert min(count, 2) <= len(chosen) == len(set(chosen)) <= 4


def evaluated(pretrained: str, scratch: str) -> dict[str, TaskResults]:
    return {
        name: TaskResults(
            tuple(
                {"index": i, "instructions": ["push"], "success": o == "+", "video": None}
                for i, o in enumerate(outcomes)
            )
        )
        for name, outcomes in (("pretrained", pretrained), ("scratch", scratch))
    }


def test_policies_are_ranked_only_if_they_can_be_told_apart():
    near = demo_report.compared(evaluated("++-+-+", "+-+-+-"))
    assert near.startswith("These trials cannot tell 'pretrained, then fine-tuned' and 'from")
    assert "more than" not in near
    clear = demo_report.compared(evaluated("+" * 12, "-" * 12))
    assert clear.startswith("'pretrained, then fine-tuned' solves more than 'from scratch': of 12")
    assert "several seeds" in clear


def test_the_table_and_the_page_say_so(capsys):
    result = demo_report.DemoResult(evaluated("++-+", "+-+-"), {}, {})
    demo_report.show(result)
    assert "These trials cannot tell" in capsys.readouterr().out
    assert "These trials cannot tell" in demo_report._success(result.evaluations)


def test_pictures_have_the_ending_of_what_they_are_and_captions(tmp_path):
    for run in ("pretrain", "pretrained"):
        board = TensorBoardLogger(tmp_path / run / "tensorboard", done=-1)
        board.image("pictures/strip/rgb_static", np.zeros((8, 8, 3), np.uint8), 1)
        board.film("rollout/film/open_drawer", Film(np.zeros((3, 8, 8, 3), np.uint8), 10.0), 1)
        board.close()
    (tmp_path / "report").mkdir()
    page = demo_report._pictures(tmp_path)
    check_figures(page, tmp_path, 4)
    assert "*pretrained, open_drawer: the policy acting when it had learned*" in page


def check_figures(page: str, folder: Path, at_least: int) -> None:
    """Every picture of a page is what its name says, not wider than a screen, and explained."""
    figures = re.findall(r"!\[(.*?)\]\((.*?)\)\n\n\*(.*?)\*", page)
    assert len(figures) == page.count("![")
    assert len(figures) >= at_least
    for words, name, caption in figures:
        assert words == caption != ""
        with Image.open(folder / name) as picture:
            assert Path(name).suffix == f".{str(picture.format).lower()}"
            assert picture.width <= 1600


@pytest.mark.parametrize("frames", [1, 2, 4, 6, 50])
def test_a_film_becomes_a_sheet_in_reading_order(frames):
    film = np.repeat(np.arange(frames, dtype=np.uint8), 4 * 6 * 3).reshape(frames, 4, 6, 3)
    sheet = demo_report._sheet(film)
    assert sheet.shape == (4 if frames < 4 else 8, 18, 3)
    cells = [
        int(sheet[4 * row, 6 * column, 0]) for row in range(len(sheet) // 4) for column in (0, 1, 2)
    ]
    shown = [cell for cell in cells if cell != 255]
    assert shown == sorted(set(shown))
    assert (shown[0], shown[-1]) == (0, frames - 1)


SMALL = (
    *("hands.clips=10", "hands.seconds=3", "hands.workers=1"),
    *("pretraining.steps=6", "pretraining.warmup=2", "pretraining.batch_size=4"),
    *("pretraining.checkpoint_every=2", "pretraining.validate_batches=1"),
    "demonstrations.tasks=[open_drawer,turn_on_led]",
    *("demonstrations.episodes=6", "demonstrations.held_out_every=3"),
    *("finetuning.steps=8", "finetuning.warmup=2", "finetuning.batch_size=4"),
    *("finetuning.checkpoint_every=2", "finetuning.validate_batches=1"),
    *("evaluation.trials=1", "evaluation.steps=60"),
)


@pytest.mark.slow
def test_a_small_demo_reports_and_resumes(tmp_path):
    """Two tasks: all stages run, the report shows pictures, what was interrupted ends the same."""

    def demo(run: str, *more: str) -> subprocess.Popen:
        command = (
            sys.executable,
            "-m",
            "firsthand",
            "demo",
            f"run={tmp_path / run}",
            *SMALL,
            *more,
        )
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    out, _ = (process := demo("whole")).communicate()
    assert process.returncode == 0
    assert "[5/5]" in out
    run = tmp_path / "whole"
    report = (run / "report.md").read_text()
    for part in ("from scratch", "expert", "95 %", "skill", "cannot tell"):
        assert part in report
    check_figures(report, run, 8)
    films = {path.name for path in (run / "pretrained/videos").iterdir()}
    assert films == {"000008-open_drawer.mp4", "000008-turn_on_led.mp4"}
    steps = json.loads((run / "scratch/checkpoints/last/training.json").read_text())["step"]
    assert steps == 8

    stages = ("[2/5]", "[3/5]", "[4/5]", "[5/5]")
    for number, stage in enumerate(stages):  # stopped as each stage begins, the last when it ends
        with demo("stopped", f"resume={str(number > 0).lower()}") as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith(stage):
                    break
            process.kill()
    process = demo("stopped", "resume=true")
    process.communicate()
    assert process.returncode == 0
    for part in ("pretrain", "pretrained", "scratch"):
        weights = f"{part}/checkpoints/last/policy/model.safetensors"
        assert (run / weights).read_bytes() == (tmp_path / "stopped" / weights).read_bytes()
    for name in ("pretrained", "scratch", "expert"):
        results = f"evaluation/{name}/tasks.jsonl"
        assert (run / results).read_bytes() == (tmp_path / "stopped" / results).read_bytes()
