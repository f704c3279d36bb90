import numpy as np
import pytest

from firsthand.episodes.episode import Episode, Narration


def record(seed=0, length=12, fps=10.0, cameras=None, actions=True, **kwargs) -> Episode:
    """A recording of smooth moving pictures (JPEG keeps them well) with states and actions."""
    rng = np.random.default_rng(seed)
    frames = {}
    for camera, (height, width) in (cameras or {"rgb_static": (24, 32)}).items():
        y, x, t = np.meshgrid(np.arange(height), np.arange(width), np.arange(length), indexing="ij")
        wave = np.stack([x / 9 + t / 5, y / 8 - t / 7, (x + y) / 12 + t / 3], -1) + rng.random(3)
        frames[camera] = (127 + 100 * np.sin(wave)).astype(np.uint8).transpose(2, 0, 1, 3)
    numbers = {}
    if actions:
        numbers["state"] = rng.standard_normal((length, 15)).astype(np.float32)
        numbers["actions"] = rng.uniform(-1, 1, (length, 7)).astype(np.float32)
    return Episode(frames, fps, **numbers, **kwargs)


@pytest.fixture(scope="session")
def make_episode():
    return record


@pytest.fixture(scope="session")
def episodes() -> list[Episode]:
    two = {"rgb_static": (24, 32), "rgb_gripper": (16, 16)}
    first = record(0, 9, cameras=two, instruction="push the red block", source={"seed": 3})
    narrations = (Narration(0.0, 0.4, "a hand"), Narration(0.4, 1.0, "the bälle roll"))
    second = record(1, 15, 12.5, actions=False, narrations=narrations)
    executed = np.linspace(-1, 1, 42, dtype=np.float32).reshape(6, 7)
    signals = {"scene_obs": np.arange(144.0).reshape(6, 24), "done": np.arange(6) == 5}
    third = record(2, 6, 30.0, two, instruction="open it", executed=executed, signals=signals)
    return [first, second, third]
