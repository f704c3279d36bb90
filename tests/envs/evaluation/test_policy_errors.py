"""What goes wrong inside a policy, in a world where nothing else can."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.envs.evaluation.evaluate import EvaluationConfig, evaluate_tasks
from firsthand.envs.evaluation.policy_source import check_factory
from firsthand.envs.evaluation.rollout import RolloutRunner, RolloutSettings
from firsthand.envs.evaluation.trials import RolloutJob, Trial
from tests.conftest import PROJECT
from tests.helpers.evaluated_policies import (
    ActorCritic,
    Afraid,
    AfraidTeam,
    AtRate,
    Exiting,
    Made,
    NeedsArguments,
    Ready,
    Sampling,
    StillWorld,
    Told,
    ToldTeam,
    Unreadable,
    WithChildren,
    WithoutInstruction,
    Wrapping,
)

STILL = EvaluationConfig(
    env=StillWorld(), tasks=("turn_on_led", "open_drawer", "close_drawer"), trials=2, chains=6,
    steps=3,
    cameras={}, workers=0, policy="still", num_envs=3,
)  # fmt: skip


def errors(results):
    return {r["index"]: r["error"]["message"] for r in results.records if r["error"]}


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("raise", "KeyError: 'drawer'"),
        ("exit", "SystemExit: 3"),
        ("nan", "the action must be finite, not [nan"),
        ("shape", "the action must have shape (7,), not (1, 7)"),
        ("none", "the action must be 7 numbers, not object values"),
        ("masked", "the action must be finite, not [nan"),
        ("panic", "Panic: thread panicked"),
        ("generator", "GeneratorExit"),
        ("cancelled", "CancelledError"),
        ("wordless", "WordlessError: (its text cannot be had: that raises RuntimeError)"),
        ("unwritable", r"ValueError: caf\udce9 \x1b[31m"),
    ],
)
def test_a_mistake_costs_its_trial(tmp_path, way, message):
    results = evaluate_tasks(partial(Afraid, way), STILL, tmp_path)
    assert [r["success"] for r in results.records] == [True, False, False] * 2
    assert set(errors(results)) == {1, 2, 4, 5}
    assert all(said.startswith(message) for said in errors(results).values())
    error = results.records[1]["error"]
    assert (error["task"], error["step"]) == ("open_drawer", 0)
    assert ("evaluated_policies.py" in error["traceback"]) == (
        way not in ("nan", "shape", "none", "masked", "wordless")
    )
    text = (tmp_path / "tasks.summary.md").read_text()
    assert "4 of 6 trials ended by an error of the policy and count as failed. trial 1 " in text
    assert "(open_drawer), step 0: " + message in text
    assert "(and 3 more like it)" in text
    summary = json.loads((tmp_path / "tasks.summary.json").read_text())
    assert list(summary["errors"].values()) == [4]
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    evaluate_tasks(partial(Afraid, way), STILL, tmp_path, resume=True)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_chain_ends_at_a_mistake():
    tasks = ("turn_on_led", "open_drawer", "turn_off_led")
    sentences = ("the light", "the drawer", "the light again")
    chain = Trial(0, "chain", tasks, sentences, np.zeros(15), np.zeros(24), seed=7)
    record = RolloutRunner(Afraid, partial(StillWorld().make, {}), 3)(RolloutJob(chain, None, None))
    assert (record["solved"], record["success"]) == (1, False)
    assert [subtask["success"] for subtask in record["subtasks"]] == [True, False]
    assert record["error"]["task"] == "open_drawer"


@pytest.mark.parametrize(
    ("way", "message", "lost"),
    [
        ("nan", "the action must be finite", {1, 2, 4, 5}),
        ("missing", "select_actions gave no action for env 1", {1, 2, 4, 5}),
        ("all", "KeyError: 'drawer'", {0, 1, 2, 3, 4, 5}),
    ],
)
def test_a_mistake_in_a_batch_costs_those_it_was_about(tmp_path, way, message, lost):
    config = replace(STILL, tasks=STILL.tasks, trials=2)
    if lost == set(range(6)):
        with pytest.raises(UserError, match="nothing was measured: 6 of 6 trials ended by an err"):
            evaluate_tasks(partial(AfraidTeam, way), config, tmp_path)
        lines = (tmp_path / "tasks.jsonl").read_text().splitlines()
        assert all(message in json.loads(line)["error"]["message"] for line in lines)
        return
    found = errors(evaluate_tasks(partial(AfraidTeam, way), config, tmp_path))
    assert set(found) == lost
    assert message in found[1]


def test_rows_are_no_answer_for_seats(tmp_path):
    with pytest.raises(UserError, match="actions by env index, a dict, not list"):
        evaluate_tasks(partial(AfraidTeam, "rows"), STILL, tmp_path)


def test_a_mistake_can_stop_an_evaluation_which_then_goes_on(tmp_path):
    message = r"the policy failed at trial 1 \(open_drawer\), step 0: KeyError: 'drawer'"
    with pytest.raises(UserError, match=message) as raised:
        evaluate_tasks(Afraid, replace(STILL, on_error="stop"), tmp_path)
    assert "raise KeyError" in str(raised.value.__cause__)  # shown with FIRSTHAND_TRACEBACK
    with pytest.raises(UserError, match=message):
        evaluate_tasks(Afraid, replace(STILL, on_error="stop"), tmp_path, resume=True)
    assert len(evaluate_tasks(Afraid, STILL, tmp_path, resume=True).records) == 6
    mended = evaluate_tasks(Ready, STILL, tmp_path, resume=True)  # only what had failed so
    assert mended.success.value == 1


def test_a_policy_that_always_fails_is_not_asked_for_ever(tmp_path):
    config = replace(STILL, tasks=("open_drawer",), trials=50)
    with pytest.raises(UserError, match="every one of the first 20 trials ended by an error"):
        evaluate_tasks(Afraid, config, tmp_path)
    assert len((tmp_path / "tasks.jsonl").read_text().splitlines()) == 20
    with pytest.raises(UserError, match="nothing was measured: 3 of 3 trials .* KeyError"):
        evaluate_tasks(Afraid, replace(config, trials=3), tmp_path / "few")


def test_a_process_that_dies_costs_its_trial(tmp_path):
    results = evaluate_tasks(partial(Afraid, "die"), replace(STILL, trials=1, workers=1), tmp_path)
    assert [r["success"] for r in results.records] == [True, False, False]
    assert "died (exited 9) at trial 1 (open_drawer)" in errors(results)[1]


@pytest.mark.parametrize("way", ["panic", "generator", "wordless", "unwritable", "exit"])
def test_what_a_mistake_costs_does_not_depend_on_workers(tmp_path, way):
    alone, worker = (
        evaluate_tasks(partial(Afraid, way), replace(STILL, workers=n), tmp_path / f"{n}")
        for n in (0, 1)
    )
    assert set(errors(alone)) == {1, 2, 4, 5}
    assert errors(alone) == errors(worker)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_keyboard_interrupt_stops_an_evaluation(tmp_path, workers):
    with pytest.raises(KeyboardInterrupt):
        evaluate_tasks(partial(Afraid, "interrupt"), replace(STILL, workers=workers), tmp_path)


def test_a_policy_that_goes_to_another_folder_takes_no_results_along(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    evaluate_tasks(partial(Afraid, "leave"), STILL, Path("out"))
    assert (tmp_path / "out" / "tasks.summary.md").is_file()


def test_a_policy_may_raise_what_it_likes_for_names_it_does_not_know(tmp_path):
    assert evaluate_tasks(Wrapping, STILL, tmp_path).success.value == 1
    with pytest.raises(UserError, match="a function, and not a Wrapping itself"):
        check_factory(Wrapping())
    with pytest.raises(UserError, match="Unreadable.control_hz cannot be read: KeyError: 'no such"):
        evaluate_tasks(Unreadable, STILL, tmp_path / "rate")


def test_draws_depend_on_the_trial_alone(tmp_path):
    config = replace(STILL, trials=3)
    for workers in (0, 1, 2):
        evaluate_tasks(Sampling, replace(config, workers=workers), tmp_path / str(workers))
    lines = (tmp_path / "0" / "tasks.jsonl").read_bytes()
    assert len({json.dumps(json.loads(line)["gripper"]) for line in lines.splitlines()}) == 9
    assert (tmp_path / "1" / "tasks.jsonl").read_bytes() == lines
    assert (tmp_path / "2" / "tasks.jsonl").read_bytes() == lines
    few = b"".join(lines.splitlines(keepends=True)[4:6])
    (tmp_path / "1" / "tasks.jsonl").write_bytes(few)
    evaluate_tasks(Sampling, config, tmp_path / "1", resume=True)
    assert (tmp_path / "1" / "tasks.jsonl").read_bytes() == lines


def test_global_draws_of_the_caller_are_left_alone(tmp_path):
    np.random.seed(5)  # noqa: NPY002
    wanted = np.random.rand()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    evaluate_tasks(Ready, STILL, tmp_path)
    assert np.random.rand() == wanted  # noqa: NPY002


@pytest.mark.parametrize(("factory", "workers"), [(Told, 0), (ToldTeam, 0), (ToldTeam, 1)])
def test_who_asks_for_a_seed_gets_the_trials(factory, workers, tmp_path):
    records = evaluate_tasks(factory, replace(STILL, workers=workers), tmp_path).records
    seeds = [record["subtasks"][0]["seed"] for record in records]
    assert [record["gripper"][0] for record in records] == seeds
    assert len(set(seeds)) == 6
    assert [r["subtasks"][0]["seed"] for r in evaluate_tasks(Ready, STILL, tmp_path / "b").records
            ] == seeds  # fmt: skip


@pytest.mark.parametrize("rate", [30, 15.0, 10, np.float32(7.5), 6, 4.2857, 0.1])
def test_rates_that_divide_thirty_are_kept(rate):
    assert RolloutSettings.of(AtRate(rate), 360).action_repeat == round(30 / rate)


@pytest.mark.parametrize(
    "rate",
    [20, 12, 4, 60, 29.97, 0, -10, None, "10", True, np.nan, np.inf, 1e-320, [10], np.int64(7)],
)
def test_other_rates_are_refused_before_anything_starts(rate, tmp_path):
    with pytest.raises(UserError, match=r"AtRate.control_hz is .*: the worlds take 30 control"):
        evaluate_tasks(partial(AtRate, rate), STILL, tmp_path)
    assert (
        RolloutSettings.of(AtRate(rate), 360, action_repeat=2).action_repeat == 2
    )  # asked for by name


def test_less_than_one_action_is_refused():
    with pytest.raises(UserError, match="steps=2 is less than one action of AtRate, which lasts 3"):
        RolloutSettings.of(AtRate(10), 2)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (NeedsArguments, "NeedsArguments, called without arguments, raised TypeError: .*checkpoin"),
        (Exiting, "Exiting, called without arguments, raised SystemExit: no weights"),
        (
            WithoutInstruction,
            r"WithoutInstruction.reset is called as reset\(instruction\), but too",
        ),
        (object, "object makes a object without reset"),
    ],
)
def test_what_makes_no_policy_is_refused_in_one_line(tmp_path, factory, message, workers):
    with pytest.raises(UserError, match=message):
        evaluate_tasks(factory, replace(STILL, workers=workers), tmp_path)


def test_a_policy_is_not_what_makes_one():
    for factory, kind in ((Ready(), "Ready"), (AfraidTeam("nan"), "AfraidTeam"), (3, "int")):
        with pytest.raises(UserError, match=f"its class or a function, and not a {kind} itself"):
            check_factory(factory)


def test_a_method_called_actor_makes_no_batches(tmp_path):
    assert evaluate_tasks(ActorCritic, STILL, tmp_path).success.value == 1


def test_what_workers_cannot_import_is_refused(tmp_path):
    class Local(Ready):
        pass

    for factory in (lambda: Ready(), Local):
        with pytest.raises(UserError, match=r"workers=2 are processes .* or write workers=0"):
            evaluate_tasks(factory, replace(STILL, workers=2), tmp_path / "refused")
        evaluate_tasks(factory, STILL, tmp_path / factory.__name__)


def test_policies_are_made_in_workers_alone_and_may_start_processes(tmp_path):
    evaluate_tasks(partial(Made, tmp_path), replace(STILL, workers=1), tmp_path / "out")
    assert len((tmp_path / "made").read_text().splitlines()) == 1
    config = replace(STILL, workers=1, trials=1)
    assert evaluate_tasks(WithChildren, config, tmp_path / "children").success.value == 1


@pytest.mark.parametrize("stdin", [False, True])
def test_a_script_without_main_guard_is_told_what_to_do(tmp_path, stdin):
    script = (
        f"import sys; sys.path.insert(0, {str(PROJECT)!r})\n"
        "from pathlib import Path\n"
        "from firsthand.envs.evaluation.evaluate import EvaluationConfig, evaluate_tasks\n"
        "from tests.helpers.evaluated_policies import Ready, StillWorld\n"
        "class Mine(Ready): pass\n"
        "config = EvaluationConfig(StillWorld(), tasks=('open_drawer',), trials=1, workers=1)\n"
        f"evaluate_tasks(Mine, config, Path({str(tmp_path / 'out')!r}))\n"
    )
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "-" if stdin else str(tmp_path / "script.py")],
        input=script, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    last = done.stderr.strip().splitlines()[-1]
    assert re.search("notebook or on standard input" if stdin else "__name__ ==", last)


def test_a_gripper_that_never_closes_is_mentioned_once(tmp_path):
    evaluate_tasks(Ready, STILL, tmp_path)
    text = (tmp_path / "tasks.summary.md").read_text()
    assert text.count("never told to close: its number was 0.3 or more in 6 trials") == 1
    evaluate_tasks(partial(Afraid, "nan"), replace(STILL, tasks=("turn_on_led",)), tmp_path / "b")


def test_weights_tell_policies_apart_and_names_do_not(tmp_path):
    config = replace(STILL, weights="aaaa", step=20, source="f1")
    evaluate_tasks(Ready, config, tmp_path)
    header = json.loads((tmp_path / "tasks.config.json").read_text())
    assert (header["policy"], header["config"]["weights"]) == ("still", "aaaa")
    record = json.loads((tmp_path / "tasks.jsonl").read_text().splitlines()[0])
    assert (record["policy"], record["weights"], record["step"]) == ("still", "aaaa", 20)
    evaluate_tasks(Ready, replace(config, policy="/elsewhere/still"), tmp_path, resume=True)
    with pytest.raises(UserError, match="config.weights was 'aaaa' and is now 'bbbb'"):
        evaluate_tasks(Ready, replace(config, weights="bbbb"), tmp_path, resume=True)


def test_a_changed_source_file_is_told(tmp_path, capsys):
    evaluate_tasks(Ready, replace(STILL, source="f1"), tmp_path)
    lines = (tmp_path / "tasks.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "tasks.jsonl").write_text("".join(lines[:2]))
    evaluate_tasks(Ready, replace(STILL, source="f2"), tmp_path, resume=True)
    told = " ".join(capsys.readouterr().err.split())
    assert "2 records were made before the policy's source file was changed" in told
    assert "source file was changed on the way" in (tmp_path / "tasks.summary.md").read_text()


def test_a_full_disk_is_told_in_one_line(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match="cannot be written: No space left on device"):
        evaluate_tasks(Ready, STILL, tmp_path / "full")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file.*: cannot be written: (Not a directory|File exists)"):
        evaluate_tasks(Ready, STILL, tmp_path / "file")
