"""The examples do what they say."""

import subprocess
import sys


def test_a_model_of_calvins_kind_is_evaluated(project, tmp_path):
    words = ["what=tasks", "tasks=[turn_on_led,open_drawer]", "trials=2", "steps=90", "workers=1"]
    command = [sys.executable, "-m", "firsthand", "evaluate", *words, f"run={tmp_path / 'run'}"]
    done = subprocess.run(
        [*command, "actor=examples.calvin_model:press_button", "cameras={rgb_static: 32}"],
        cwd=project, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "run" / "tasks.summary.md").read_text()
    assert "| turn_on_led | 2 | 100.0% |" in table
    assert "| open_drawer | 2 | 0.0% |" in table
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    assert len(list((tmp_path / "run" / "videos").glob("*-failure.mp4"))) == 2
