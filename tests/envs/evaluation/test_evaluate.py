import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import pytest

from firsthand.common.errors import UserError
from firsthand.common.intervals import wilson
from firsthand.envs.config import PlayTableWorld
from firsthand.envs.evaluation.evaluate import EvaluationConfig, evaluate_chains, evaluate_tasks
from firsthand.envs.tasks.instructions import TRAINING, VALIDATION
from firsthand.envs.tasks.tasks import TASKS
from tests.conftest import PROJECT
from tests.helpers.evaluated_policies import (
    Counting,
    Dying,
    FailingTeam,
    Presser,
    Raising,
    Team,
    without_checkpoint,
)

BLIND = EvaluationConfig(
    tasks=("turn_on_led", "open_drawer", "turn_off_led"),
    trials=2,
    chains=12,
    steps=60,
    cameras={},
    workers=0,
    policy="presser",
)
SEEING = replace(
    BLIND, trials=3, steps=30, cameras={"rgb_static": 32, "rgb_gripper": 24}, failure_videos=1
)


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_single_tasks(tmp_path):
    results = evaluate_tasks(Presser, BLIND, tmp_path)
    assert [record["index"] for record in results.records] == list(range(6))
    assert [record["group"] for record in results.records] == list(BLIND.tasks) * 2
    assert results.by_task == {
        "open_drawer": wilson(0, 2),
        "turn_on_led": wilson(2, 2),
        "turn_off_led": wilson(2, 2),
    }
    assert results.success == wilson(4, 6)
    for record in results.records:
        (subtask,) = record["subtasks"]
        assert subtask["instruction"] in VALIDATION[subtask["task"]]
        assert record["instructions"] == [subtask["instruction"]]
        assert (subtask["steps"] < 60) == subtask["success"] == record["success"]
        assert subtask["steps"] % 3 == 0
        assert (record["control_hz"], record["renderer"], record["seed"]) == (10, "raster", 0)
    lines = (tmp_path / "tasks.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == list(results.records)
    summary = json.loads((tmp_path / "tasks.summary.json").read_text())
    assert summary["success"]["value"] == pytest.approx(4 / 6)
    assert summary["by_task"]["open_drawer"]["n"] == 2
    assert summary["config"]["env"]["renderer"] == "raster"
    assert summary["versions"]["pybullet"]
    assert "| turn_on_led | 2 | 100.0% |" in (tmp_path / "tasks.summary.md").read_text()


def test_chains(tmp_path):
    config = replace(BLIND, chains=24, instructions="training")
    results = evaluate_chains(partial(Counting, tmp_path / "resets"), config, tmp_path)
    attempts = 0
    for record in results.records:
        assert len(record["tasks"]) == len(record["instructions"]) == 5
        outcomes = [subtask["success"] for subtask in record["subtasks"]]
        attempts += len(outcomes)
        assert outcomes == [True] * record["solved"] + [False]  # the first failure ends a chain
        # all that a presser can do is switch the LED, and on and off are never in one chain
        leds = [task in ("turn_on_led", "turn_off_led") for task in record["tasks"]]
        assert record["solved"] == (leds[0])
        for subtask, task in zip(record["subtasks"], record["tasks"], strict=False):
            assert subtask["task"] == task
            assert subtask["instruction"] in TRAINING[task]
    assert len(list((tmp_path / "resets").iterdir())) == attempts
    solved = [record["solved"] for record in results.records]
    assert 0 < sum(solved) < 24
    assert results.average_length.value == pytest.approx(sum(solved) / 24)
    assert results.success_at == (wilson(sum(solved), 24), *[wilson(0, 24)] * 4)
    assert "Average length" in (tmp_path / "chains.summary.md").read_text()


def test_results_do_not_depend_on_the_number_of_workers(tmp_path):
    for workers in (1, 2):
        config = replace(SEEING, workers=workers)
        evaluate_tasks(Presser, config, tmp_path / str(workers))
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_videos_show_the_first_of_each_outcome(tmp_path):
    evaluate_tasks(Presser, SEEING, tmp_path)
    names = {path.name for path in (tmp_path / "videos").iterdir()}
    records = [json.loads(line) for line in (tmp_path / "tasks.jsonl").read_text().splitlines()]
    assert names == {record["video"].split("/")[1] for record in records if record["video"]}
    expected = set()
    for task in SEEING.tasks:
        for success, word in ((True, "success"), (False, "failure")):
            of_kind = [r for r in records if r["group"] == task and r["success"] == success]
            expected |= {f"tasks-{record['index']:05d}-{task}-{word}.mp4" for record in of_kind[:1]}
    assert names == expected
    assert len(names) >= 3


@pytest.mark.parametrize("config", [SEEING, BLIND])
def test_batches_do_not_depend_on_the_number_of_workers(tmp_path, config):
    for workers in (0, 1, 3):
        evaluate_tasks(Team, replace(config, workers=workers, num_envs=4), tmp_path / str(workers))
    assert contents(tmp_path / "0") == contents(tmp_path / "1") == contents(tmp_path / "3")


def test_batches_act_in_every_chain(tmp_path):
    config = replace(BLIND, chains=11, num_envs=4, workers=2)
    batched = evaluate_chains(Team, config, tmp_path / "team")
    assert [record["index"] for record in batched.records] == list(range(11))
    for record in batched.records:
        assert record["solved"] == (record["tasks"][0] in ("turn_on_led", "turn_off_led"))


def test_resumed_batches_have_the_company_they_had(tmp_path):
    config = replace(BLIND, trials=4, num_envs=5, workers=0)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    evaluate_tasks(Team, config, whole)
    evaluate_tasks(Team, config, cut)
    lines = (cut / "tasks.jsonl").read_bytes().splitlines(keepends=True)
    (cut / "tasks.jsonl").write_bytes(b"".join(lines[3:7]))  # as if others had been slower
    evaluate_tasks(Team, config, cut, resume=True)
    assert contents(cut) == contents(whole)


def test_a_batched_policy_that_fails_is_named(tmp_path):
    with pytest.raises(UserError, match="6 of 6 trials .* ZeroDivisionError: the policy has a fl"):
        evaluate_tasks(FailingTeam, replace(BLIND, workers=1), tmp_path)


def test_every_failure_is_shown(tmp_path):
    config = replace(SEEING, tasks=("open_drawer",), failure_videos=None)
    results = evaluate_tasks(Presser, config, tmp_path)
    videos = {record["video"] for record in results.records}
    assert len(videos) == 3
    assert all((tmp_path / video).exists() for video in videos)


def test_no_state_leaks_between_trials(tmp_path):
    """A trial has the same outcome whatever was run before it."""
    both = evaluate_tasks(Presser, BLIND, tmp_path / "both").records
    alone = evaluate_tasks(
        Presser, replace(BLIND, tasks=BLIND.tasks[2:]), tmp_path / "alone"
    ).records
    wanted = [record for record in both if record["group"] == "turn_off_led"]
    for one, other in zip(wanted, alone, strict=True):
        assert one | {"index": 0} == other | {"index": 0}


def test_resuming_runs_only_what_is_missing(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    evaluate_tasks(Presser, SEEING, whole)
    evaluate_tasks(Presser, SEEING, cut)
    lines = (cut / "tasks.jsonl").read_bytes().splitlines(keepends=True)
    (cut / "tasks.jsonl").write_bytes(b"".join(lines[:4]))
    resets = tmp_path / "resets"
    evaluate_tasks(partial(Counting, resets), SEEING, cut, resume=True)
    assert len(list(resets.iterdir())) == len(lines) - 4
    assert contents(cut) == contents(whole)
    evaluate_tasks(without_checkpoint, SEEING, cut, resume=True)  # nothing is left to do
    assert contents(cut) == contents(whole)


def test_a_torn_line_is_dropped_with_a_note(tmp_path, capsys):
    evaluate_tasks(Presser, BLIND, tmp_path)
    before = contents(tmp_path)
    lines = (tmp_path / "tasks.jsonl").read_bytes()
    (tmp_path / "tasks.jsonl").write_bytes(lines[:-50])
    evaluate_tasks(Presser, BLIND, tmp_path, resume=True)
    assert contents(tmp_path) == before
    assert "dropped a record" in " ".join(capsys.readouterr().err.split())


def test_a_damaged_line_is_named(tmp_path):
    evaluate_tasks(Presser, replace(BLIND, trials=1), tmp_path)
    path = tmp_path / "tasks.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + "{broken\n" + lines[2])
    with pytest.raises(UserError, match=r"tasks\.jsonl: line 2 is no record"):
        evaluate_tasks(Presser, replace(BLIND, trials=1), tmp_path, resume=True)


def test_results_are_not_mixed(tmp_path):
    once = replace(BLIND, trials=1)
    evaluate_tasks(Presser, once, tmp_path)
    with pytest.raises(UserError, match="already holds results: add resume=true"):
        evaluate_tasks(Presser, once, tmp_path)
    with pytest.raises(UserError, match="config.env.renderer was 'raster' and is now 'tiny'"):
        evaluate_tasks(
            Presser, replace(once, env=PlayTableWorld(renderer="tiny")), tmp_path, resume=True
        )
    with pytest.raises(UserError, match="config.policy was 'presser' and is now 'better'"):
        evaluate_tasks(Presser, replace(once, policy="better"), tmp_path, resume=True)
    evaluate_chains(Presser, replace(once, chains=1), tmp_path)  # chains lie beside tasks
    evaluate_tasks(Presser, replace(once, workers=1), tmp_path, resume=True)


def test_a_policy_that_fails_is_named(tmp_path):
    config = replace(BLIND, workers=2, on_error="stop")
    with pytest.raises(UserError, match="the policy failed at trial . .*the policy has a flaw"):
        evaluate_tasks(Raising, config, tmp_path / "raising")
    with pytest.raises(UserError, match=r"killed by signal 9\) at trial"):
        evaluate_tasks(Dying, config, tmp_path / "dying")
    with pytest.raises(UserError, match="^nowhere: there is no checkpoint$"):
        evaluate_tasks(without_checkpoint, config, tmp_path / "without")
    # what was finished before the death is kept
    results = evaluate_tasks(Presser, config, tmp_path / "dying", resume=True)
    assert contents(tmp_path / "dying") == contents_of_a_clean_run(tmp_path / "clean", results)


def contents_of_a_clean_run(folder, results):
    again = evaluate_tasks(Presser, BLIND, folder)
    assert again.records == results.records
    return contents(folder)


def test_killed_and_resumed(tmp_path):
    config = replace(BLIND, trials=6, workers=2)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    evaluate_tasks(Presser, config, whole)
    script = tmp_path / "evaluate.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(PROJECT)!r})\n"
        "from pathlib import Path\n"
        "from firsthand.envs.evaluation.evaluate import EvaluationConfig, evaluate_tasks\n"
        "from firsthand.envs.config import PlayTableWorld\n"
        "from tests.helpers.evaluated_policies import Presser\n"
        "if __name__ == '__main__':\n"
        f"    evaluate_tasks(Presser, {config!r}, Path({str(cut)!r}))\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.DEVNULL)
    with process:
        while not (cut / "tasks.jsonl").exists() or not (cut / "tasks.jsonl").stat().st_size:
            assert process.poll() is None
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    done = (cut / "tasks.jsonl").read_bytes().count(b"\n")
    evaluate_tasks(Presser, config, cut, resume=True)
    assert 0 < done <= 18
    assert contents(cut) == contents(whole)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tasks": ("fly",)}, "unknown task 'fly': must be one of: rotate_red"),
        ({"tasks": ()}, "tasks must name one task or more"),
        ({"tasks": ("open_drawer", "open_drawer")}, "each once"),
        ({"trials": 0}, "trials must be 1 or more, not 0"),
        ({"workers": -1}, "workers must be 0 or more, not -1"),
        ({"action_repeat": 400}, "action_repeat must be 1 to steps=360: 400"),
        ({"num_envs": 0}, "num_envs must be 1 or more, not 0"),
        ({"chains": 1001}, "chains must be at most 1000"),
        ({"failure_videos": -1}, "failure_videos must be 0 or more"),
        ({"setting": "multi_task", "env": PlayTableWorld("A")}, "tested in scene D, not A"),
        ({"setting": "unseen_language", "instructions": "training"}, "on unseen sentences, not"),
    ],
)
def test_configurations_are_checked(settings, message):
    with pytest.raises(UserError, match=message):
        EvaluationConfig(**settings)


def test_defaults_are_calvins():
    assert EvaluationConfig().tasks == tuple(TASKS)
    assert EvaluationConfig().instructions == "validation"
    assert EvaluationConfig(setting="unseen_language").instructions == "unseen"
