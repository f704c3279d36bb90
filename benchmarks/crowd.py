"""What many worlds cost: memory of each, and how steps a second grow with worker processes."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from firsthand.benchmarks.machine import MEBIBYTE, in_processes, resident
from firsthand.envs.playtable.env import PlayTable

EXTRA = 4  # worlds besides the first, in the process whose memory is measured


@dataclass(frozen=True)
class Memory:
    """MiB of a process with one world that has drawn, and of every further world in it."""

    process: float
    world: float


def memory(scene: str, cameras: Mapping[str, int]) -> Memory | None:
    """Measured in a process of its own; None where the system does not tell.

    Args:
        scene: of all worlds.
        cameras: edge in pixels of every camera's picture.
    """
    if resident() is None:
        return None
    one, many = in_processes([_hold], scene, cameras)[0]
    return Memory(one / MEBIBYTE, (many - one) / EXTRA / MEBIBYTE)


def steps_per_second(scene: str, cameras: Mapping[str, int], seconds: float, workers: int) -> float:
    """Steps at 30 Hz that so many processes do together, both cameras drawn in every one, in
    `seconds` of wall-clock time each."""
    return sum(in_processes([_step] * workers, scene, cameras, seconds))


def _hold(scene: str, cameras: Mapping[str, int]) -> Iterator[Any]:
    """Bytes held with one world, and with all."""
    yield "ready"
    worlds, sizes = [], []
    for count in range(1 + EXTRA):
        worlds.append(PlayTable(scene, cameras=cameras))
        worlds[-1].reset(seed=count)
        worlds[-1].step(np.zeros(7))
        sizes.append(resident())
    for world in worlds:
        world.close()
    yield sizes[0], sizes[-1]


def _step(scene: str, cameras: Mapping[str, int], seconds: float) -> Iterator[Any]:
    """Steps a second."""
    world = PlayTable(scene, cameras=cameras)
    world.reset(seed=0)
    actions = np.random.default_rng(0).uniform(-1, 1, (64, 7))
    for action in actions[:3]:
        world.step(action)
    yield "ready"
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        world.step(actions[steps % len(actions)])
        steps += 1
    rate = steps / (time.perf_counter() - start)
    world.close()
    yield rate
