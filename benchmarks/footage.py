"""Recordings to measure with: an arm that moves at random on the PlayTable, at CALVIN's sizes."""

from collections.abc import Iterator

import numpy as np

from firsthand.benchmarks.world import random_walk
from firsthand.envs.options import CAMERAS_CALVIN
from firsthand.envs.playtable.env import PlayTable
from firsthand.episodes.episode import Episode

CAMERAS = CAMERAS_CALVIN
FPS = 30.0


def footage(episodes: int, length: int) -> Iterator[Episode]:
    """The same ones every time."""
    world = PlayTable(cameras=CAMERAS)
    for number in range(episodes):
        world.reset(seed=number)
        actions = random_walk(length, number).astype(np.float32)
        seen = [world.step(action)[0] for action in actions]
        yield Episode(
            {camera: np.stack([s["rgb_obs"][camera] for s in seen]) for camera in CAMERAS},
            FPS,
            instruction=f"do what is done in recording {number}",
            state=np.stack([s["robot_obs"] for s in seen]).astype(np.float32),
            actions=actions,
        )
    world.close()
