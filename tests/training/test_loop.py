import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from episodes.errors import UserError
from tests.training.tiny_policy import TinyWindows, make_policy
from training.config import TrainConfig
from training.loop import train

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
    return train(make_policy(), *windows, config, run_dir, resume=resume, **options)


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
    losses = {f["step"]: f["held_out/loss"] for f in figures(tmp_path) if "held_out/loss" in f}
    assert min(losses, key=losses.get) == result.best_step


def test_two_halves_of_a_step_equal_the_whole(tmp_path):
    whole = dataclasses.replace(CONFIG, batch_size=8, validate_batches=4)
    parts = dataclasses.replace(whole, batch_size=4, accumulate=2)
    policies = make_policy(dropout=0.0), make_policy(dropout=0.0)
    for policy, config, name in zip(policies, (whole, parts), "ab", strict=True):
        train(policy, TinyWindows(), TinyWindows(11), config, tmp_path / name)
    for one, other in zip(policies[0].parameters(), policies[1].parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    for one, other in zip(figures(tmp_path / "a"), figures(tmp_path / "b"), strict=True):
        assert one == pytest.approx(other, rel=1e-4)


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
        return {"success": 0.5, "video": np.zeros((3, 20, 30, 3), np.uint8)}

    one = run(tmp_path / "quiet", quiet)
    other = run(tmp_path / "busy", busy, rollout=rollout)
    saved = weights(one.checkpoint), weights(other.checkpoint)
    assert saved[0].keys() == saved[1].keys()
    assert all(torch.equal(value, saved[1][name]) for name, value in saved[0].items())


def test_frozen_weights_are_neither_trained_nor_saved(tmp_path):
    policy = make_policy()
    before = policy.frozen.weight.clone()
    result = train(policy, TinyWindows(), TinyWindows(11), CONFIG, tmp_path)
    assert torch.equal(before, policy.frozen.weight)
    assert not [name for name in weights(result.checkpoint) if "frozen" in name]


def test_video_alone_trains_what_it_reaches(tmp_path):
    policy = make_policy()
    before = policy.act.weight.clone()
    result = train(policy, TinyWindows(act=False), TinyWindows(9, act=False), CONFIG, tmp_path)
    assert torch.equal(before, policy.act.weight)
    assert "train/loss_arm" not in result.metrics
    assert "held_out/skill/rgb_static" in result.metrics


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
        train(make_policy(), TinyWindows(36), TinyWindows(11), CONFIG, tmp_path, resume=True)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    policy = make_policy()
    with torch.no_grad():
        policy.query += float("nan")
    with pytest.raises(UserError, match="the loss became nan by step 5"):
        train(policy, TinyWindows(), TinyWindows(11), CONFIG, tmp_path)
