"""Watching a world whose future is certain: what is learned must beat copying the last frame."""

from pathlib import Path

import numpy as np
import pytest

from episodes.episode import Episode
from episodes.errors import UserError
from episodes.store import EpisodeWriter
from policy.config import CameraConfig, ImageConfig, PolicyConfig, PoolConfig, TrunkConfig
from policy.policy import Policy
from pretrain.recipe import PretrainConfig, pretrain
from training.config import TrainConfig

POLICY = PolicyConfig(
    cameras=(CameraConfig("rgb_static", 32), CameraConfig("rgb_gripper", 16)),
    length=2,
    stride=0.1,
    future=0.2,
    images=ImageConfig(width=16),
    pool=PoolConfig(tokens=2),
    trunk=TrunkConfig(width=32, depth=1, heads=2),
)
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
    assert result.metrics["held_out/skill"] > 0.2
    assert result.metrics["held_out/psnr"] > result.metrics["held_out/psnr_copy"] + 1
    policy = Policy.from_pretrained(result.best / "policy")
    assert policy.statistics.frames == 0
    with pytest.raises(ValueError, match="video alone"):
        policy.reset("slide the square")


def test_a_corpus_without_held_out_recordings_is_refused(tmp_path):
    path = tmp_path / "train.hdf5"
    with EpisodeWriter(path) as writer:
        writer.add(sliding_square(0), "train")
    with pytest.raises(UserError, match="valid"):
        pretrain(PretrainConfig(POLICY, TRAINING), [path], tmp_path / "run")
