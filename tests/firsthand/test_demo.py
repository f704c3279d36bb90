"""The demo: what it decides is kept, and a small one goes from video to report."""

import json
import subprocess
import sys

import pytest

from episodes.errors import UserError
from firsthand.demo import SETUP_SECONDS, DemoConfig, Plan, _fitting, _with_steps
from training.config import TrainConfig


def test_a_plan_keeps_what_was_decided(tmp_path):
    path = tmp_path / "plan.json"
    assert Plan(path)("steps", lambda: 300.0) == 300
    again = Plan(path)
    assert again("steps", lambda: 7.0) == 300
    again.note("seconds nursery", 2.5)
    assert Plan(path).seconds() == {"nursery": 2.5}
    assert json.loads(path.read_text()) == {"steps": 300, "seconds nursery": 2.5}


def test_steps_fit_into_the_time_and_never_exceed_the_settings():
    config = TrainConfig(steps=1000)
    assert _fitting(SETUP_SECONDS + 50, 0.1, config) == 500
    assert _fitting(SETUP_SECONDS + 500, 0.1, config) == 1000
    assert _fitting(1.0, 0.1, config) == 20


def test_training_is_measured_twice_and_a_short_run_still_warms_up():
    config = _with_steps(TrainConfig(steps=6000, warmup=100), 40)
    assert (config.steps, config.warmup) == (40, 40)
    assert config.validate_every == config.checkpoint_every == config.picture_every == 20


@pytest.mark.parametrize("values", [{"minutes": 0.0}, {"pretrain_share": 1.0}])
def test_impossible_times_are_refused(values):
    with pytest.raises(UserError, match=next(iter(values))):
        DemoConfig(**values)


@pytest.mark.slow
def test_a_small_demo_reports_and_resumes(tmp_path):
    """Two tasks, a minute: all stages run, the report shows pictures, nothing is done twice."""
    command = [
        *(sys.executable, "-m", "firsthand", "demo", f"run={tmp_path / 'run'}", "minutes=1"),
        *("nursery.clips=10", "demonstrations.episodes=24", "evaluation.trials=1"),
        "demonstrations.tasks=[open_drawer,turn_on_led]",
        "evaluation.tasks=[open_drawer,turn_on_led]",
    ]
    first = subprocess.run(command, capture_output=True, text=True, check=True)
    run = tmp_path / "run"
    report = (run / "report.md").read_text()
    for part in ("from scratch", "expert", "95 %", "skill", "report/expert-success.png"):
        assert part in report
    for line in report.splitlines():
        if line.startswith("![]("):
            assert (run / line[4:-1]).is_file(), line
    assert "[5/5]" in first.stdout
    plan = (run / "plan.json").read_text()
    weights = (run / "pretrained/checkpoints/last/policy/model.safetensors").read_bytes()
    subprocess.run([*command, "resume=true"], check=True, capture_output=True)
    again = json.loads((run / "plan.json").read_text())
    assert again["fine-tuning steps"] == json.loads(plan)["fine-tuning steps"]
    assert (run / "pretrained/checkpoints/last/policy/model.safetensors").read_bytes() == weights
