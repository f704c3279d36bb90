"""What many worlds cost: memory of each, and how steps a second grow with worker processes."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from firsthand.envs.playtable.env import PlayTable

EXTRA = 4  # worlds besides the first, in the process whose memory is measured
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Memory:
    """MiB of a process with one world that has drawn, and of every further world in it."""

    process: float
    world: float


def memory(scene: str, cameras: Mapping[str, int]) -> Memory | None:
    """Measured in a process of its own; None where the system does not tell (it is read in /proc).

    Args:
        scene: of all worlds.
        cameras: edge in pixels of every camera's picture.
    """
    if not Path("/proc/self/statm").exists():
        return None
    one, many = _in_processes([_hold], scene, cameras, 0.0)[0]
    return Memory(one, (many - one) / EXTRA)


def steps_per_second(scene: str, cameras: Mapping[str, int], seconds: float, workers: int) -> float:
    """Steps at 30 Hz that so many processes do together, both cameras drawn in every one, in
    `seconds` of wall-clock time each."""
    return sum(rate for rate, _ in _in_processes([_step] * workers, scene, cameras, seconds))


def _in_processes(
    tasks: list, scene: str, cameras: Mapping[str, int], seconds: float
) -> list[tuple[float, float]]:
    """What every task sends, each run in a new process; all begin when all are ready."""
    context = get_context("spawn")
    ends, processes = [], []
    for task in tasks:
        here, there = context.Pipe()
        arguments = (there, scene, dict(cameras), seconds)
        processes.append(context.Process(target=task, args=arguments, daemon=True))
        processes[-1].start()
        ends.append(here)
        there.close()
    for end in ends:
        end.recv()
    for end in ends:
        end.send("go")
    results = [end.recv() for end in ends]
    for process in processes:
        process.join()
    return results


def _hold(connection: Connection, scene: str, cameras: dict[str, int], seconds: float) -> None:
    del seconds
    connection.send("ready")
    connection.recv()
    worlds, sizes = [], []
    for count in range(1 + EXTRA):
        worlds.append(PlayTable(scene, cameras=cameras))
        worlds[-1].reset(seed=count)
        worlds[-1].step(np.zeros(7))
        sizes.append(_resident())
    for world in worlds:
        world.close()
    connection.send((sizes[0], sizes[-1]))


def _step(connection: Connection, scene: str, cameras: dict[str, int], seconds: float) -> None:
    world = PlayTable(scene, cameras=cameras)
    world.reset(seed=0)
    actions = np.random.default_rng(0).uniform(-1, 1, (64, 7))
    for action in actions[:3]:
        world.step(action)
    connection.send("ready")
    connection.recv()
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        world.step(actions[steps % len(actions)])
        steps += 1
    connection.send((steps / (time.perf_counter() - start), 0.0))
    world.close()


def _resident() -> float:
    """MiB that this process holds in memory."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MEBIBYTE
