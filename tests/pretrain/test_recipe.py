"""Watching a world whose future is certain: what is learned must beat copying the last frame."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.episodes.episode import Episode
from firsthand.episodes.storage.merge import EpisodeWriter
from firsthand.policy.config import (
    CameraConfig,
    ImageConfig,
    NarrationConfig,
    PolicyConfig,
    PoolingConfig,
    TrunkConfig,
)
from firsthand.policy.policy import Policy
from firsthand.pretrain.recipe import PretrainConfig, pretrain
from firsthand.training.config import TrainConfig

POLICY = PolicyConfig(
    cameras=(CameraConfig("rgb_static", 32), CameraConfig("rgb_gripper", 16)),
    n_obs_steps=2,
    obs_stride_s=0.1,
    horizon_s=0.2,
    images=ImageConfig(width=16),
    pool=PoolingConfig(tokens=2),
    trunk=TrunkConfig(width=32, depth=1, heads=2),
)
WHOLE = replace(POLICY, narration=NarrationConfig(enabled=False))  # whole horizons alone teach
TRAINING = TrainConfig(
    steps=150, batch_size=16, learning_rate=3e-3, warmup=10, ema=0.9, precision="fp32",
    validate_every=75, picture_every=150, checkpoint_every=150,
)  # fmt: skip


def sliding_square(index: int, length: int = 14) -> Episode:
    """A bright square that moves to the right by two pixels a frame over a dark background."""
    rng = np.random.default_rng(index)
    y, x = rng.integers(2, 22, 2)
    frames = np.full((length, 32, 32, 3), 40, np.uint8)
    for t in range(length):
        frames[t, y : y + 8, np.arange(x + 2 * t, x + 2 * t + 8) % 32] = 220
    return Episode({"rgb_static": frames}, fps=10.0, instruction="the square slides right")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "squares.hdf5"
    with EpisodeWriter(path) as writer:
        for index in range(12):
            writer.add(sliding_square(index), "valid" if index >= 10 else "train")
    return path


def test_watching_teaches_what_comes_next(corpus, tmp_path):
    result = pretrain(PretrainConfig(POLICY, TRAINING), [corpus], tmp_path)
    assert result.metrics["val/skill"] > 0.2
    assert result.metrics["val/psnr"] > result.metrics["val/psnr_copy"] + 1
    policy = Policy.from_pretrained(result.best / "policy")
    assert policy.statistics.frames == 0
    with pytest.raises(ValueError, match="video alone"):
        policy.reset("slide the square")


def test_where_things_are_is_read_out_at_every_validation(corpus, tmp_path, capsys):
    training = replace(TRAINING, steps=2, warmup=1, validate_every=1, validate_batches=1)
    with EpisodeWriter(tmp_path / "known.hdf5") as writer:
        for index in range(100):
            square = sliding_square(index, 2)
            where = np.full((2, 1, 2), index % 20 / 100)
            writer.add(replace(square, signals={"blocks": where}, source={"blocks": ["square"]}))
    probe = str(tmp_path / "known.hdf5")
    result = pretrain(PretrainConfig(POLICY, training, probe=probe), [corpus], tmp_path / "run")
    for thing in ("square", "named"):  # "the square slides right"
        for name in ("grid", "tokens", "action_query", "mean"):
            assert 0 < result.metrics[f"val/probe/{thing}/{name}"] < 20
    logged = (tmp_path / "run" / "metrics.jsonl").read_text()
    assert logged.count("val/probe/named/action_query") == 2
    assert "linear probe" not in capsys.readouterr().out
    with pytest.raises(UserError, match="no recording says where anything is"):
        pretrain(PretrainConfig(POLICY, training, probe=str(corpus)), [corpus], tmp_path / "other")


def test_a_corpus_without_held_out_recordings_is_refused(tmp_path):
    path = tmp_path / "train.hdf5"
    with EpisodeWriter(path) as writer:
        writer.add(sliding_square(0), "train")
    with pytest.raises(UserError, match="valid"):
        pretrain(PretrainConfig(POLICY, TRAINING), [path], tmp_path / "run")


def store(path: Path, lengths: list[int]) -> Path:
    """Recordings of so many frames at 10 Hz, every second one held out."""
    with EpisodeWriter(path) as writer:
        for index, length in enumerate(lengths):
            writer.add(sliding_square(index, length), "valid" if index % 2 else "train")
    return path


@pytest.mark.parametrize(("lengths", "split"), [([2, 9, 2, 9], "train"), ([9, 2, 9, 1], "valid")])
def test_recordings_that_end_before_any_future_are_refused(tmp_path, lengths, split):
    path = store(tmp_path / "short.hdf5", lengths)
    words = f"split '{split}': policy.horizon_s looks 0.2 s ahead, .* recording lasts 0.2 s"
    with pytest.raises(UserError, match=words):
        pretrain(PretrainConfig(WHOLE, TRAINING), [path], tmp_path / "run")


def test_futures_end_with_the_recording_where_narrations_are_learned_from(tmp_path):
    """Two frames are enough then, one is not."""
    brief = replace(TRAINING, steps=2, warmup=0, validate_every=2, picture_every=0)
    pretrain(PretrainConfig(POLICY, brief), [store(tmp_path / "two.hdf5", [2] * 4)], tmp_path / "a")
    one = store(tmp_path / "one.hdf5", [2, 1] * 2)
    with pytest.raises(UserError, match=r"split 'valid'.*the longest recording lasts 0\.1 s"):
        pretrain(PretrainConfig(POLICY, brief), [one], tmp_path / "b")


def test_a_few_recordings_without_a_future_are_counted_once(tmp_path, capsys):
    """Batches of a single window: some have nothing to predict, and the run goes on."""
    path = store(tmp_path / "some.hdf5", [2, 4, 3, 4, 2, 4])
    brief = replace(TRAINING, steps=6, warmup=0, batch_size=1, validate_every=6, picture_every=0)
    result = pretrain(PretrainConfig(WHOLE, brief), [path], tmp_path / "run")
    assert result.metrics["train/loss"] > 0
    said = capsys.readouterr().out
    assert (
        said.count("2 of 3 recordings in split 'train' are not longer than policy.horizon_s") == 1
    )
