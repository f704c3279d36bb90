"""Mistakes end in one line that names the cause; help comes at once."""

from pathlib import Path

import numpy as np
import pytest

from firsthand.episodes.episode import Episode
from firsthand.episodes.storage.merge import EpisodeWriter


def demonstrations(path: Path) -> Path:
    """Four recordings of noise with states and actions, half of them held out."""
    rng = np.random.default_rng(0)
    with EpisodeWriter(path) as writer:
        for index in range(4):
            sizes = {"rgb_static": 96, "rgb_gripper": 64}
            pictures = {n: rng.integers(0, 256, (12, s, s, 3), np.uint8) for n, s in sizes.items()}
            episode = Episode(
                pictures,
                fps=10.0,
                instruction="turn the noise into a signal",
                state=rng.normal(size=(12, 15)).astype(np.float32),
                actions=rng.uniform(-1, 1, (12, 7)).astype(np.float32),
            )
            writer.add(episode, ("train", "valid")[index % 2])
    return path


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.mark.slow  # a question of time, which a busy machine answers wrongly
def test_help_comes_at_once(firsthand):
    seconds = sorted(firsthand.seconds("--help") for _ in range(5))
    print(f"median {seconds[2]:.2f} s of {[round(s, 2) for s in seconds]}")
    assert seconds[2] < 0.5


def test_a_misspelt_override_is_one_line(firsthand):
    error = firsthand.refuses("finetune", "demonstrations=x", "training.stepz=3")
    assert error == "firsthand: unknown key 'training.stepz'; did you mean 'training.steps'?"


def test_a_policy_without_statistics_is_one_line(firsthand, tmp_path):
    from firsthand.policy.config import PolicyConfig
    from firsthand.policy.policy import Policy
    from firsthand.policy.statistics import Statistics

    Policy(PolicyConfig(), Statistics(frames=1)).save_pretrained(tmp_path / "saved")
    (tmp_path / "saved" / "statistics.json").unlink()
    error = firsthand.refuses("evaluate", "checkpoint=saved", "run=run")
    assert "saved holds no statistics.json" in error
    assert not (tmp_path / "run").exists()


def test_a_flipped_byte_is_one_line(firsthand, tmp_path):
    path = demonstrations(tmp_path / "shown.hdf5")
    flip(path, path.read_bytes().rindex(b"JFIF") + 400)
    words = ("finetune", "demonstrations=shown.hdf5", "training=smoke", "run=run")
    for error in (firsthand.refuses("inspect", "shown.hdf5"), firsthand.refuses(*words)):
        assert "shown.hdf5" in error
        assert "damaged" in error


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_flipped_byte_goes_unnoticed(firsthand, tmp_path):
    """Wherever it is, `inspect` names the file in one line."""
    path = demonstrations(tmp_path / "shown.hdf5")
    rng = np.random.default_rng(1)
    for at in rng.integers(0, path.stat().st_size, 20):
        flip(path, at)
        assert "shown.hdf5" in firsthand.refuses("inspect", "shown.hdf5")
        flip(path, at)
    firsthand("inspect", "shown.hdf5")
