"""Where a step of PlayTable goes: physics, rendering, the rest, for both renderers in one run.

Both renderers' worlds start from the same state and receive the same actions, by turns, so that
whatever else the machine does disturbs both alike. Times are medians over the steps.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

import numpy as np
from jaxtyping import Float, UInt8

from envs.cameras import gripper_camera, static_camera
from envs.playtable import PlayTable
from envs.renderer import RasterRenderer, TinyRenderer
from firsthand.benchmarks.stopwatch import timed

RENDERERS = {"raster": RasterRenderer, "tiny": TinyRenderer}
WARM_UP = 3  # steps: the first ones compile


@dataclass(frozen=True)
class StepTime:
    """Milliseconds of one step with both cameras, and where they went."""

    renderer: str
    static: int
    gripper: int
    total: float
    physics: float
    rendering: float
    rest: float


def step_times(cameras: Mapping[str, int], steps: int, seed: int) -> Iterator[StepTime]:
    """Median times of `steps` steps at 30 Hz, one result a renderer.

    Args:
        cameras: edge in pixels of `rgb_static` and `rgb_gripper`.
        steps: how many to measure for each renderer.
        seed: of the layout and of the actions.
    """
    from envs.bullet import pybullet

    actions = _actions(steps + WARM_UP, seed)
    worlds = {name: PlayTable(renderer=name, cameras=cameras) for name in RENDERERS}
    measured: dict[str, list[tuple[float, float, float, float]]] = {n: [] for n in RENDERERS}
    for world in worlds.values():
        world.reset(seed=seed)
    with timed(pybullet, "stepSimulation") as physics:
        for action in actions:
            for name, world in worlds.items():
                with timed(RENDERERS[name], "render") as rendering:
                    physics.read()
                    start = time.perf_counter()
                    world.step(action)
                    total = time.perf_counter() - start
                parts = physics.read(), rendering.read()
                measured[name].append((total, *parts, total - sum(parts)))
    for name, world in worlds.items():
        world.close()
        columns = zip(*measured[name][WARM_UP:], strict=True)
        total, physics_, rendering_, rest = (1000 * median(column) for column in columns)
        static, gripper = cameras["rgb_static"], cameras["rgb_gripper"]
        yield StepTime(name, static, gripper, total, physics_, rendering_, rest)


def segmentation_agreement(states: int, size: int, seed: int) -> dict[str, list[float]]:
    """The share of pixels on which both renderers see the same body, for every camera and state."""
    world = PlayTable(cameras={})
    shares: dict[str, list[float]] = {"rgb_static": [], "rgb_gripper": []}
    for state in range(states):
        world.reset(seed=seed + state)
        for action in _actions(10, seed + state):
            world.step(action)
        client = world.scene.client
        cameras = {
            "rgb_static": static_camera(size),
            "rgb_gripper": gripper_camera(size, *world.robot.camera_pose()),
        }
        ours, theirs = RasterRenderer(client), TinyRenderer(client)
        for name, camera in cameras.items():
            same = ours.render(camera).segmentation == theirs.render(camera).segmentation
            shares[name].append(float(same.mean()))
    world.close()
    return shares


def side_by_side(size: int, seed: int) -> UInt8[np.ndarray, "h w 3"]:
    """One state: both cameras in a row, the rasteriser above TinyRenderer."""
    rows = []
    for name in RENDERERS:
        world = PlayTable(renderer=name, cameras={"rgb_static": size, "rgb_gripper": size})
        observation, _ = world.reset(seed=seed)
        pictures = [observation["rgb_obs"][camera] for camera in world.cameras]
        rows.append(np.concatenate(pictures, axis=1))
        world.close()
    return np.concatenate(rows)


def _actions(steps: int, seed: int) -> Float[np.ndarray, "steps 7"]:
    """A smooth random walk of relative actions."""
    noise = np.random.default_rng(seed).normal(size=(steps, 7))
    walk = np.zeros((steps, 7))
    for step in range(steps):
        walk[step] = 0.8 * walk[step - 1] + 0.3 * noise[step] if step else noise[step] * 0.3
    return np.clip(walk, -1, 1)
