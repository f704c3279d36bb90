"""Where a step of a world goes: physics, inverse kinematics, rendering, queries, the rest.

All worlds start from the same state and receive the same actions, ten by ten in turn, so that
whatever else the machine does disturbs all alike. Times are CPU time, medians over the steps:
wall-clock time on an idle core.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from firsthand.benchmarks.stopwatch import Function, timed
from firsthand.envs.config import CalvinWorld, World
from firsthand.envs.options import CAMERAS_CALVIN, RENDERERS
from firsthand.envs.playtable.cameras import gripper_camera, static_camera
from firsthand.envs.playtable.env import PlayTable
from firsthand.envs.playtable.view import View
from firsthand.envs.tasks.initial_states import initial_state
from firsthand.rendering.pybullet_renderer import RasterRenderer, TinyRenderer

WARM_UP = 3  # steps: the first ones compile
TURN = 10  # steps of one world before the next world's: caches are then those of use
Step = Callable[[Float[np.ndarray, "7"]], Any]


@dataclass(frozen=True)
class WorldStepTime:
    """CPU milliseconds of one step with both cameras, and where they went."""

    world: str
    static: int
    gripper: int
    total: float
    physics: float
    kinematics: float
    rendering: float
    queries: float

    @property
    def rate(self) -> float:
        """Steps a second."""
        return 1000 / self.total

    @property
    def rest(self) -> float:
        """Python, mostly."""
        return self.total - self.physics - self.kinematics - self.rendering - self.queries


def step_times(
    env: World, cameras: Mapping[str, int], steps: int, seed: int
) -> Iterator[WorldStepTime]:
    """Median times of `steps` steps at 30 Hz: PlayTable with each renderer, and CALVIN's original
    as its authors run it, at its native sizes, if `env` is that.

    Args:
        env: says which scene, and where the original is.
        cameras: edge in pixels of PlayTable's `rgb_static` and `rgb_gripper`.
        steps: how many to measure in each world.
        seed: of the layout and of the actions.

    Raises:
        UserError: the original cannot be started.
    """
    with ExitStack() as stack:
        options = _start(env.scene, seed)
        worlds: dict[str, tuple[Mapping[str, int], Step]] = {}
        if isinstance(env, CalvinWorld):  # first: it needs PyBullet's world number 0
            worlds["original"] = CAMERAS_CALVIN, _original(env, options, stack)
        for renderer in RENDERERS:
            world = PlayTable(env.scene, renderer, cameras)
            stack.callback(world.close)
            world.reset(options=options)
            worlds[renderer] = cameras, world.step
        measured = _measure({name: step for name, (_, step) in worlds.items()}, steps, seed)
    for name in (*RENDERERS, *(name for name in worlds if name == "original")):
        sizes = worlds[name][0]
        times = {kind: 1000 * median(m[kind] for m in measured[name]) for kind in measured[name][0]}
        yield WorldStepTime(name, sizes["rgb_static"], sizes["rgb_gripper"], **times)


def _start(scene: str, seed: int) -> dict[str, Any]:
    robot_obs, scene_obs = initial_state("lift_red_block_table", seed, seed, scene=scene)
    return {"robot_obs": robot_obs, "scene_obs": scene_obs}


def _original(env: CalvinWorld, options: Mapping[str, Any], stack: ExitStack) -> Step:
    """The step of the original environment, both of its cameras drawn in each."""
    from firsthand.envs.calvin.block_order import BlockOrder
    from firsthand.envs.calvin.checkout import Checkout
    from firsthand.envs.calvin.session import Session

    session = Session(Checkout(env.root), env.scene, CAMERAS_CALVIN, env.light_robot)
    stack.callback(session.close)
    simulator = session.simulator
    order = BlockOrder([block.name for block in simulator.scene.movable_objects])
    simulator.reset(options["robot_obs"], order.to_original(options["scene_obs"]))

    def step(action: Float[np.ndarray, "7"]) -> Any:
        return simulator.step(np.append(action[:6], 1.0 if action[6] > 0 else -1.0))

    return step


def _measure(worlds: Mapping[str, Step], steps: int, seed: int) -> dict[str, list[dict]]:
    """What every step of every world cost, seconds by kind; the worlds take turns."""
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in worlds}
    actions = random_walk(steps + WARM_UP, seed)
    with timed(_kinds()) as stopwatch:
        for turn in range(0, len(actions), TURN):
            for name, step in worlds.items():
                for action in actions[turn : turn + TURN]:
                    stopwatch.read()
                    start = time.process_time()
                    step(action)
                    total = time.process_time() - start
                    measured[name].append({"total": total, **stopwatch.read()})
    return {name: rows[WARM_UP:] for name, rows in measured.items()}


def _kinds() -> dict[str, list[Function]]:
    """Which functions count as what. The original calls PyBullet under its own name: the same."""
    from firsthand.rendering.bullet import pybullet

    queries = [
        name for name in dir(pybullet) if name.startswith("get") and name != "getCameraImage"
    ]
    return {
        "physics": [(pybullet, "stepSimulation")],
        "kinematics": [(pybullet, "calculateInverseKinematics")],
        "rendering": [(View, "picture"), (pybullet, "getCameraImage")],
        "queries": [(pybullet, name) for name in queries],
    }


def segmentation_agreement(states: int, size: int, seed: int) -> dict[str, list[float]]:
    """The share of pixels on which both renderers see the same body, for every camera and state."""
    world = PlayTable(cameras={})
    shares: dict[str, list[float]] = {"rgb_static": [], "rgb_gripper": []}
    for state in range(states):
        world.reset(seed=seed + state)
        for action in random_walk(10, seed + state):
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


def random_walk(steps: int, seed: int) -> Float[np.ndarray, "steps 7"]:
    """A smooth random walk of relative actions."""
    noise = np.random.default_rng(seed).normal(size=(steps, 7))
    walk = np.zeros((steps, 7))
    for step in range(steps):
        walk[step] = 0.8 * walk[step - 1] + 0.3 * noise[step] if step else noise[step] * 0.3
    return np.clip(walk, -1, 1)
