import dataclasses
import itertools
import json
import re
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from firsthand.common.errors import UserError
from firsthand.training.config import TrainConfig
from firsthand.training.distributed import Distributed
from firsthand.training.loader import Embedder, TrainLoader
from firsthand.training.recipe import train_policy
from firsthand.training.visualize.gif import Film
from tests.helpers.tiny_policy import TinyWindows, make_policy

CONFIG = TrainConfig(
    steps=12,
    batch_size=4,
    warmup=2,
    shift={"rgb_static": 2},
    log_every=5,
    validate_every=6,
    validate_batches=2,
    picture_every=0,
    checkpoint_every=4,
    precision="fp32",
    threads=1,
)


def weights(folder):
    return load_file(folder / "training.safetensors")


def figures(run_dir):
    """metrics.jsonl without the speed, which no two runs share."""
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if not k.startswith("speed/")} for line in lines]


def run(run_dir, config=CONFIG, resume=False, **options):
    windows = TinyWindows(), TinyWindows(11)
    return train_policy(make_policy(), *windows, config, run_dir, resume=resume, **options)


def test_training_learns_and_leaves_what_it_promises(tmp_path):
    result = run(tmp_path, dataclasses.replace(CONFIG, steps=150, learning_rate=1e-2))
    lines = figures(tmp_path)
    first = next(line for line in lines if "train/loss" in line)
    assert result.metrics["train/loss"] < 0.7 * first["train/loss"]
    assert result.step == 150
    assert result.best.name == f"{result.best_step:06d}"
    links = {name: (tmp_path / "checkpoints" / name).resolve() for name in ("last", "best")}
    assert links == {"last": result.checkpoint.resolve(), "best": result.best.resolve()}
    assert (result.best / "policy" / "model.safetensors").exists()
    names = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert len(names) <= 2 + 2 + 1
    assert not [name for name in names if name.startswith(".")]


def test_the_best_checkpoint_has_the_lowest_held_out_loss(tmp_path):
    result = run(tmp_path, dataclasses.replace(CONFIG, steps=60, learning_rate=0.03))
    losses = {f["step"]: f["val/loss"] for f in figures(tmp_path) if "val/loss" in f}
    assert min(losses, key=losses.get) == result.best_step


def test_two_halves_of_a_step_equal_the_whole(tmp_path):
    whole = dataclasses.replace(CONFIG, batch_size=8, validate_batches=4)
    parts = dataclasses.replace(whole, batch_size=4, accumulate=2)
    policies = make_policy(dropout=0.0), make_policy(dropout=0.0)
    for policy, config, name in zip(policies, (whole, parts), "ab", strict=True):
        train_policy(policy, TinyWindows(), TinyWindows(11), config, tmp_path / name)
    for one, other in zip(policies[0].parameters(), policies[1].parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    for one, other in zip(figures(tmp_path / "a"), figures(tmp_path / "b"), strict=True):
        of_windows = {k: v for k, v in one.items() if not re.search("permuted|trunk_role", k)}
        assert of_windows == pytest.approx({k: other[k] for k in of_windows}, rel=1e-4)


def test_reader_processes_change_nothing(processes, tmp_path):
    run(tmp_path / "none")
    run(tmp_path / "two", dataclasses.replace(CONFIG, workers=2))
    assert figures(tmp_path / "none") == figures(tmp_path / "two")


def test_looking_changes_nothing(tmp_path):
    quiet = dataclasses.replace(CONFIG, validate_every=0)
    busy = dataclasses.replace(
        CONFIG, validate_every=1, picture_every=3, rollout_every=2, checkpoint_every=1
    )

    def rollout(policy, step):
        assert not policy.training
        torch.rand(3)
        return {"success": 0.5, "video": Film(np.zeros((3, 20, 30, 3), np.uint8), 10.0)}

    one = run(tmp_path / "quiet", quiet)
    other = run(tmp_path / "busy", busy, rollout=rollout)
    saved = weights(one.checkpoint), weights(other.checkpoint)
    assert saved[0].keys() == saved[1].keys()
    assert all(torch.equal(value, saved[1][name]) for name, value in saved[0].items())


def test_frozen_weights_are_neither_trained_nor_saved(tmp_path):
    policy = make_policy()
    before = policy.frozen.weight.clone()
    result = train_policy(policy, TinyWindows(), TinyWindows(11), CONFIG, tmp_path)
    assert torch.equal(before, policy.frozen.weight)
    assert not [name for name in weights(result.checkpoint) if "frozen" in name]


def test_video_alone_trains_what_it_reaches(tmp_path):
    policy = make_policy()
    before = policy.act.weight.clone()
    result = train_policy(
        policy, TinyWindows(act=False), TinyWindows(9, act=False), CONFIG, tmp_path
    )
    assert torch.equal(before, policy.act.weight)
    assert "train/loss_arm" not in result.metrics
    assert "val/skill/rgb_static" in result.metrics


def test_a_used_run_directory_is_refused(tmp_path):
    run(tmp_path)
    with pytest.raises(UserError, match="resume=true"):
        run(tmp_path)


def test_a_finished_run_resumes_to_the_same_result(tmp_path):
    first, again = run(tmp_path), run(tmp_path, resume=True)
    same = ("step", "metrics", "checkpoint", "best", "best_step")
    assert all(getattr(first, name) == getattr(again, name) for name in same)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"learning_rate": 0.5}, "learning_rate was 0.001 and is now 0.5"),
        ({"steps": 13}, "steps was 12 and is now 13"),
        ({"shift": {"rgb_static": 1}}, "shift was"),
        ({"precision": "bf16"}, "precision was fp32 and is now bf16"),
    ],
)
def test_a_changed_configuration_is_refused_on_resume(tmp_path, change, words):
    run(tmp_path)
    with pytest.raises(UserError, match=words):
        run(tmp_path, dataclasses.replace(CONFIG, **change), resume=True)


def test_other_windows_are_refused_on_resume(tmp_path):
    run(tmp_path)
    with pytest.raises(UserError, match="windows was 37 and is now 36"):
        train_policy(make_policy(), TinyWindows(36), TinyWindows(11), CONFIG, tmp_path, resume=True)


@pytest.mark.parametrize(
    ("key", "then", "now"),
    [
        ("policy.loss.video", 0.1, 50.0),
        ("policy.cameras", [{"name": "a", "size": 32}], [{"name": "a", "size": 64}]),
        ("data", "3f2a", "77b1"),
        ("policy.action.temporal_ensemble_coeff", None, 0.1),
    ],
)
def test_other_conditions_are_refused_on_resume(tmp_path, key, then, now):
    config = dataclasses.replace(CONFIG, steps=2, validate_every=0)
    run(tmp_path, config, invariants={key: then, "sequence": None})
    run(tmp_path, config, resume=True, invariants={key: then, "sequence": None})
    with pytest.raises(UserError) as error:
        run(tmp_path, config, resume=True, invariants={key: now, "sequence": None})
    assert f"{key} was {then} and is now {now}" in str(error.value)


class Spoiled(TinyWindows):
    """Some windows have a state that is not a number."""

    def __init__(self, bad):
        super().__init__(40)
        self.bad = bad

    def __getitem__(self, index):
        window = super().__getitem__(index)
        if index in self.bad:
            window.state[0, 3] = np.nan
        return window


def train_on(windows, run_dir, resume=False, **changes):
    config = dataclasses.replace(CONFIG, validate_every=0, **changes)
    return train_policy(make_policy(), windows, TinyWindows(11), config, run_dir, resume=resume)


def finite(result):
    return all(bool(t.isfinite().all()) for t in weights(result.checkpoint).values())


def test_a_step_that_is_not_finite_changes_nothing_and_is_counted(tmp_path, capsys):
    (bad,) = [i for _, i in TinyWindows(40).order(0).batch(2, 4)][:1]
    result = train_on(Spoiled({bad}), tmp_path / "one", steps=8, keep_last=9, checkpoint_every=1)
    assert finite(result)
    before, after = (
        weights(tmp_path / "one" / "checkpoints" / name) for name in ("000002", "000003")
    )
    kept = [name for name in before if name.startswith(("weights/", "optimizer/"))]
    assert all(torch.equal(before[name], after[name]) for name in kept)
    assert after["average/query"].isfinite().all()
    lines = figures(tmp_path / "one")
    assert [line.get("optim/steps_left_out") for line in lines] == [1.0, None]
    assert np.isfinite(lines[0]["train/loss"])
    assert np.isfinite(lines[0]["optim/grad_norm"])
    said = capsys.readouterr().out
    assert "1 of the last 5 steps had a loss or gradient that is not finite" in said
    assert "the first step 3 (batch 2)" in said


def test_one_step_that_is_left_out_ends_no_run_however_often_it_is_logged(tmp_path):
    bad = {TinyWindows(40).order(0).batch(n, 4)[0][1] for n in (2, 7)}
    result = train_on(Spoiled(bad), tmp_path, steps=8, log_every=1)
    assert finite(result)
    assert [line.get("optim/steps_left_out") for line in figures(tmp_path)][2::5] == [1.0, 1.0]


def test_several_steps_in_a_row_end_a_run_however_often_it_is_logged(tmp_path):
    changes = {"learning_rate": 1e30, "clip": float("inf"), "warmup": 1, "log_every": 1}
    with pytest.raises(UserError, match="1 of the last 1 steps .* by step 4 the run has diverged"):
        train_on(TinyWindows(), tmp_path, **changes)


def test_a_step_that_is_left_out_leaves_no_trace_on_resume(tmp_path):
    bad = {TinyWindows(40).order(0).batch(n, 4)[0][1] for n in (2, 6)}
    whole = train_on(Spoiled(bad), tmp_path / "whole", checkpoint_every=3, keep_last=9)
    folders = [tmp_path / name / "checkpoints" for name in ("whole", "half")]
    shutil.copytree(*folders, symlinks=True)
    for path in (tmp_path / "half" / "checkpoints").glob("0*"):
        if int(path.name) > 3:  # as if it had been killed before the first log line
            shutil.rmtree(path)
    half = train_on(Spoiled(bad), tmp_path / "half", resume=True, checkpoint_every=3, keep_last=9)
    one, other = weights(whole.checkpoint), weights(half.checkpoint)
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert figures(tmp_path / "half") == figures(tmp_path / "whole")


def test_a_run_that_has_diverged_stops_and_its_checkpoints_are_finite(tmp_path):
    """The first step is finite, and its weights are so large that no other one is."""
    changes = {"learning_rate": 1e30, "clip": float("inf"), "warmup": 1, "log_every": 6}
    with pytest.raises(UserError, match="5 of the last 6 steps .* the first step 2 .batch 1."):
        train_on(TinyWindows(), tmp_path, checkpoint_every=2, **changes)
    for path in (tmp_path / "checkpoints").glob("0*"):
        assert all(bool(t.isfinite().all()) for t in weights(path).values())


def test_weights_that_are_not_finite_never_reach_a_checkpoint(tmp_path):
    policy = make_policy()
    with torch.no_grad():
        policy.query += float("nan")
    with pytest.raises(UserError, match="weights/query is not finite after step 4"):
        train_policy(policy, TinyWindows(), TinyWindows(11), CONFIG, tmp_path)
    assert not list((tmp_path / "checkpoints").glob("0*"))


@pytest.mark.parametrize("kind", ["weights/query", "average/query", "optimizer/exp_avg/query"])
def test_a_poisoned_checkpoint_is_not_resumed(tmp_path, kind):
    result = run(tmp_path)
    tensors = weights(result.checkpoint)
    tensors[kind][0, 0] = float("inf")
    save_file(tensors, result.checkpoint / "training.safetensors")
    with pytest.raises(UserError, match=f"000012: {kind} is not finite"):
        run(tmp_path, resume=True)


def test_what_acts_is_chosen_by_how_it_acts(tmp_path):
    """The pictures get worse all the time, the actions are best in between."""
    steps = itertools.count(1)
    now = [0]

    class Turning(type(make_policy())):
        def forward(self, batch):
            losses = super().forward(batch)
            if self.training:
                now[0] = next(steps)
                return losses
            at = now[0] // 3
            action = losses.total * 0 + abs(at - 2)
            return dataclasses.replace(losses, total=action + 10 * at, action=action)

    config = dataclasses.replace(CONFIG, validate_every=3)
    torch.manual_seed(0)
    result = train_policy(Turning(), TinyWindows(), TinyWindows(8), config, tmp_path)
    assert (result.best_step, result.best_by) == (6, "val/loss_action")
    facts = json.loads((result.best / "training.json").read_text())
    assert facts["best_by"] == "val/loss_action"


def test_a_held_out_loss_that_is_not_a_number_is_no_best(tmp_path):
    class Blind(TinyWindows):
        def __getitem__(self, index):
            window = super().__getitem__(index)
            window.state[:] = np.nan
            return window

    result = train_policy(make_policy(), TinyWindows(), Blind(11), CONFIG, tmp_path)
    assert result.best_by is None
    assert result.best == result.checkpoint


def test_weights_and_data_can_be_varied_apart(tmp_path):
    def first_losses(name, **seeds):
        config = dataclasses.replace(CONFIG, steps=1, warmup=0, log_every=1, **seeds)
        policy = make_policy(seed=config.seed, dropout=0.0)
        train_policy(policy, TinyWindows(), TinyWindows(11), config, tmp_path / name)
        return figures(tmp_path / name)[0]

    plain = first_losses("plain", seed=3)
    assert plain == first_losses("said", seed=3, data_seed=3)
    assert plain != first_losses("data", seed=3, data_seed=4)
    orders = [
        [some.instruction.sum().item() for some in batches(seed, data)]
        for seed, data in ((0, 5), (1, 5), (5, None), (1, None))
    ]
    assert orders[0] == orders[1] == orders[2] != orders[3]
    with pytest.raises(UserError, match="data_seed must be 0 or more, not -1"):
        TrainConfig(data_seed=-1)


def batches(seed, data_seed):
    config = dataclasses.replace(CONFIG, seed=seed, data_seed=data_seed)
    embed = Embedder(make_policy().encode_instructions)
    return TrainLoader(TinyWindows(), embed, config, Distributed(), 0)


def test_a_finished_run_has_nothing_to_do(tmp_path):
    assert run(tmp_path).taken == 12
    again = run(tmp_path, resume=True)
    assert (again.taken, again.step) == (0, 12)
