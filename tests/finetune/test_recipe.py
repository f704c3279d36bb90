"""Cloning demonstrations whose actions follow from what is seen, said and felt."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from firsthand.common.errors import UserError
from firsthand.episodes.episode import Episode
from firsthand.episodes.storage.merge import EpisodeWriter
from firsthand.finetune.recipe import FinetuneConfig, demonstration_statistics, finetune
from firsthand.policy.checkpoints.aliases import weight_of_before
from firsthand.policy.checkpoints.transfer import start_from
from firsthand.policy.config import (
    ActionConfig,
    CameraConfig,
    ImageConfig,
    LossWeights,
    NarrationConfig,
    PolicyConfig,
    PoolingConfig,
    TrunkConfig,
)
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics
from firsthand.training.config import TrainConfig

POLICY = PolicyConfig(
    cameras=(CameraConfig("rgb_static", 32), CameraConfig("rgb_gripper", 16)),
    images=ImageConfig(width=16),
    pool=PoolingConfig(tokens=2),
    trunk=TrunkConfig(width=32, depth=1, heads=2),
    action=ActionConfig(chunk_size=2, n_action_steps=1),
    narration=NarrationConfig(maps=2),
    loss=LossWeights(
        gripper=1.0, video=1e-3
    ),  # the pictures here jump from dark to bright: most of the loss
)
SILENT = NarrationConfig(enabled=False)
TRAINING = TrainConfig(
    steps=400, batch_size=16, learning_rate=2e-3, warmup=10, ema=0.9, precision="fp32",
    validate_every=200, picture_every=0, checkpoint_every=400,
)  # fmt: skip
SAID = {"pull the drawer open": -1.0, "switch on the light bulb": 1.0}


def demonstration(index: int, length: int = 8, fps: float = 10.0) -> Episode:
    """The arm goes one way or the other as it is told, and opens when the picture is bright."""
    rng = np.random.default_rng(index)
    instruction = list(SAID)[index % 2]
    bright = rng.integers(0, 2, length)
    actions = np.zeros((length, 7), np.float32)
    actions[:, 0] = 0.5 * SAID[instruction]
    actions[:, 6] = 2 * bright - 1
    frames = {
        "rgb_static": np.broadcast_to(100 + 60 * bright[:, None, None, None], (length, 32, 32, 3)),
        "rgb_gripper": np.full((length, 16, 16, 3), 128),
    }
    return Episode(
        {camera: np.ascontiguousarray(f, np.uint8) for camera, f in frames.items()},
        fps=fps,
        instruction=instruction,
        state=rng.normal(scale=0.01, size=(length, 15)).astype(np.float32),
        actions=actions,
    )


def write(path: Path, episodes: list[Episode]) -> Path:
    with EpisodeWriter(path) as writer:
        for index, episode in enumerate(episodes):
            writer.add(episode, "valid" if index % 5 == 4 else "train")
    return path


@pytest.fixture(scope="module")
def demonstrations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demonstrations")
    return write(folder / "demos.hdf5", [demonstration(i) for i in range(30)])


def test_cloning_teaches_to_do_what_is_said_and_seen(demonstrations, tmp_path):
    result = finetune(FinetuneConfig(POLICY, TRAINING), [demonstrations], tmp_path)
    policy = Policy.from_pretrained(result.best / "policy")
    assert policy.statistics == demonstration_statistics([demonstrations])
    for sentence, direction in SAID.items():
        for bright in (0, 1):
            policy.reset(sentence)
            action = policy.select_action(
                {
                    "rgb_obs": {
                        "rgb_static": np.full((32, 32, 3), 100 + 60 * bright, np.uint8),
                        "rgb_gripper": np.full((16, 16, 3), 128, np.uint8),
                    },
                    "robot_obs": np.zeros(15),
                }
            )
            assert action[0] == pytest.approx(0.5 * direction, abs=0.2)
            assert action[6] == 2 * bright - 1


def test_statistics_are_those_of_the_training_split(demonstrations):
    states = np.concatenate([demonstration(i).state for i in range(30) if i % 5 != 4])
    statistics = demonstration_statistics([demonstrations])
    assert statistics.frames == len(states)
    assert np.allclose(statistics.state_mean, states.mean(0), atol=1e-6)
    assert np.allclose(statistics.state_std, states.std(0), atol=1e-6)


def test_a_pretrained_policy_hands_over_its_weights(demonstrations, tmp_path):
    torch.manual_seed(7)
    watched = Policy(replace(POLICY, n_obs_steps=3), Statistics())
    watched.save_pretrained(tmp_path / "watched")
    slow = replace(TRAINING, steps=1, warmup=0, learning_rate=1e-12, ema=0.0)
    config = FinetuneConfig(POLICY, slow, pretrained=str(tmp_path / "watched"))
    result = finetune(config, [demonstrations], tmp_path / "run")
    begun = Policy.from_pretrained(result.checkpoint / "policy").state_dict()
    for name, value in watched.state_dict().items():
        expected = value[:1] if name == "embed_time.weight" else value
        assert torch.allclose(begun[name], expected, atol=1e-6), name


def test_a_pretrained_policy_that_does_not_fit_is_refused_by_name(demonstrations, tmp_path):
    wide = replace(POLICY, trunk=TrunkConfig(width=48, depth=1, heads=2))
    Policy(wide, Statistics()).save_pretrained(tmp_path / "wide")
    config = FinetuneConfig(POLICY, TRAINING, pretrained=str(tmp_path / "wide"))
    with pytest.raises(
        UserError, match=r"wide: the pretrained policy does not fit: .*\(24, 48\), not \(16, 32\)"
    ):
        finetune(config, [demonstrations], tmp_path / "run")


def test_start_from_names_missing_and_unknown_weights():
    policy = Policy(POLICY, Statistics())
    weights = policy.state_dict()
    weights["extra.weight"] = weights.pop("action_query.weight")
    with pytest.raises(
        ValueError, match=r"1 missing: action_query\.weight; 1 unexpected: extra\.weight"
    ):
        start_from(policy, weights)


def test_recordings_at_another_rate_or_without_actions_are_refused(tmp_path):
    config = FinetuneConfig(POLICY, TRAINING)
    fast = write(tmp_path / "fast.hdf5", [demonstration(i, fps=30.0) for i in range(5)])
    with pytest.raises(UserError, match=r"demo_0 has 30.0 actions a second.*set it to 30"):
        finetune(config, [fast], tmp_path / "run")
    video = write(tmp_path / "video.hdf5", [replace(demonstration(0), actions=None)])
    with pytest.raises(UserError, match="demo_0 is no demonstration"):
        finetune(config, [video], tmp_path / "run")


def test_no_future_is_read_that_weighs_nothing():
    from firsthand.finetune.recipe import window_spec

    assert window_spec(POLICY).future == POLICY.horizon_s
    silent = replace(POLICY, loss=replace(POLICY.loss, video=0.0))
    assert window_spec(silent).future is None


@pytest.mark.parametrize("position", ["rotary", pytest.param("time", marks=pytest.mark.slow)])
def test_sequences_longer_than_the_window_teach_as_well(demonstrations, tmp_path, position):
    """Every window in a sequence is learned from; rotary positions slide over it."""
    trunk = replace(POLICY.trunk, position=position)
    policy = replace(POLICY, n_obs_steps=2, obs_stride_s=0.1, trunk=trunk, narration=SILENT)
    few = replace(TRAINING, steps=300, batch_size=8, validate_every=300, checkpoint_every=300)
    result = finetune(FinetuneConfig(policy, few, sequence=6), [demonstrations], tmp_path)
    losses = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    held_out = [row["val/loss_arm"] for row in losses if "val/loss_arm" in row]
    assert held_out[-1] < 0.01
    acting = Policy.from_pretrained(result.checkpoint / "policy")
    acting.reset("pull the drawer open")
    frames = demonstration(0).frames
    for step in range(4):
        seen = {camera: pictures[step] for camera, pictures in frames.items()}
        action = acting.select_action({"rgb_obs": seen, "robot_obs": np.zeros(15)})
        assert action[0] < -0.2


def test_a_sequence_holds_at_least_a_window(demonstrations, tmp_path):
    config = FinetuneConfig(replace(POLICY, n_obs_steps=3), TRAINING, sequence=2)
    with pytest.raises(UserError, match="sequence=2 frames are fewer than policy.n_obs_steps=3"):
        finetune(config, [demonstrations], tmp_path)


BRIEF = replace(TRAINING, steps=2, warmup=0, batch_size=4, validate_every=0, checkpoint_every=2)


@pytest.mark.parametrize(
    ("key", "changed"),
    [
        ("policy.loss.video", {"loss": replace(POLICY.loss, video=50.0)}),
        ("policy.horizon_s", {"horizon_s": 1.5}),
        ("policy.video.batch_fraction", {"video": replace(POLICY.video, batch_fraction=0.5)}),
        ("policy.video.eps", {"video": replace(POLICY.video, eps=0.5)}),
        ("policy.action.n_action_steps", {"action": replace(POLICY.action, n_action_steps=2)}),
    ],
)
def test_a_resumed_run_keeps_its_policy(demonstrations, begun, key, changed):
    other = FinetuneConfig(replace(POLICY, **changed), BRIEF)
    with pytest.raises(UserError, match=rf"{key} was .* and is now .*"):
        finetune(other, [demonstrations], begun, resume=True)


@pytest.fixture(scope="module")
def begun(demonstrations, tmp_path_factory):
    """A run of two steps."""
    run = tmp_path_factory.mktemp("begun") / "run"
    finetune(FinetuneConfig(POLICY, BRIEF), [demonstrations], run)
    return run


def test_a_resumed_run_keeps_its_data_wherever_they_are(demonstrations, begun, tmp_path):
    moved = tmp_path / "elsewhere" / "renamed.h5"
    moved.parent.mkdir()
    shutil.copy(demonstrations, moved)
    assert finetune(FinetuneConfig(POLICY, BRIEF), [moved], begun, resume=True).taken == 0
    episodes = [demonstration(i) for i in range(30)]
    episodes[7] = replace(episodes[7], actions=-episodes[7].actions)
    other = write(tmp_path / "other.h5", episodes)
    with pytest.raises(UserError, match="data was [0-9a-f]{16} and is now [0-9a-f]{16}"):
        finetune(FinetuneConfig(POLICY, BRIEF), [other], begun, resume=True)


def test_a_resumed_run_keeps_the_weights_it_started_from(demonstrations, begun, tmp_path):
    for seed, name in enumerate(("one", "other")):
        torch.manual_seed(seed)
        Policy(POLICY, Statistics()).save_pretrained(tmp_path / name)
    shutil.copytree(tmp_path / "one", tmp_path / "copy")
    run = tmp_path / "run"
    for name in ("one", "copy"):
        config = FinetuneConfig(POLICY, BRIEF, pretrained=str(tmp_path / name))
        finetune(config, [demonstrations], run, resume=name == "copy")
    config = FinetuneConfig(POLICY, BRIEF, pretrained=str(tmp_path / "other"))
    with pytest.raises(UserError, match="weights of pretrained was [0-9a-f]+ and is now"):
        finetune(config, [demonstrations], run, resume=True)
    with pytest.raises(UserError, match="weights of pretrained was none and is now"):
        finetune(config, [demonstrations], begun, resume=True)


def test_a_run_of_before_goes_on(demonstrations, tmp_path):
    """Killed under the names of before 0.2.0 and resumed under today's, it learns the same bits:
    weights, their average, the optimiser's moments; and the weights it started from are known."""
    torch.manual_seed(0)
    Policy(POLICY, Statistics()).save_pretrained(tmp_path / "start")
    steps = replace(BRIEF, steps=4, log_every=1, validate_every=1, checkpoint_every=2, threads=1)
    config = FinetuneConfig(POLICY, steps, pretrained=str(tmp_path / "start"))
    whole = finetune(config, [demonstrations], tmp_path / "whole")

    def die(policy, step):
        raise KeyboardInterrupt

    killed = replace(config, training=replace(steps, rollout_every=3))
    with pytest.raises(KeyboardInterrupt):
        finetune(killed, [demonstrations], tmp_path / "run", rollout=die)
    for weights in tmp_path.glob("run/**/*.safetensors"):
        saved = {_of_before(name): tensor for name, tensor in load_file(weights).items()}
        assert any("embed_picture" in name for name in saved)
        save_file(saved, weights)
    for facts in tmp_path.glob("run/**/*.json*"):
        words = facts.read_text().replace('"val/', '"held_out/')
        facts.write_text(words.replace('"format_version": 3', '"format_version": 2'))
    resumed = finetune(config, [demonstrations], tmp_path / "run", resume=True)
    assert (resumed.taken, resumed.metrics) == (2, whole.metrics)
    for name, tensor in load_file(whole.checkpoint / "training.safetensors").items():
        assert torch.equal(load_file(resumed.checkpoint / "training.safetensors")[name], tensor)


def _of_before(name):
    kind, sign, parameter = name.rpartition("/")
    return kind + sign + weight_of_before(parameter)
