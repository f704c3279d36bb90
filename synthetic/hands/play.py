"""What is done at a desk: the experts play there, and physics says what comes of it.

The arm that does it is never shown. What is kept of it is where its tool was and how wide its
gripper: that is where a hand's fingertips are.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from firsthand.envs.experts.expert import Expert
from firsthand.envs.experts.play import PlayPlan
from firsthand.envs.playtable.env import PlayTable
from firsthand.envs.playtable.layouts import DeskLayout
from firsthand.envs.rollout import CONTROL_HZ, TaskRollout
from firsthand.envs.tasks.initial_states import sample_robot, sample_scene
from firsthand.envs.tasks.tasks import BLOCKS, TASKS, block_slice
from firsthand.rendering.bullet import pybullet

ACTION_HZ = 10  # actions a second, as in recordings
REPEAT = CONTROL_HZ // ACTION_HZ
PATIENCE = 180  # control steps after which a task is given up
SOLVER_ITERATIONS = 10  # not 50: a step takes a third of the time, experts fail no more often
PAUSE_CHANCE, PAUSE_SECONDS = 0.15, (0.8, 1.6)  # of holding still before the next task
NOWHERE = (3.0, 3.0, 0.02)  # metres: on the floor, far from the desk


@dataclass(frozen=True)
class Deed:
    """A task done between two frames, or with None a pause."""

    task: str | None
    first: int
    last: int


@dataclass(frozen=True)
class DeskPlay:
    """Play at a desk with some of the `BLOCKS`: `robot_obs` and `scene_obs` at `ACTION_HZ`,
    and what was achieved. Blocks that were not there lie `NOWHERE`."""

    layout: DeskLayout
    blocks: tuple[str, ...]
    robot: Float[np.ndarray, "t 15"]
    scene: Float[np.ndarray, "t 24"]
    deeds: tuple[Deed, ...]


class _Table(PlayTable):
    """A world that is only looked at, with physics as exact as that needs."""

    def _load(self) -> None:
        super()._load()
        pybullet.setPhysicsEngineParameter(
            numSolverIterations=SOLVER_ITERATIONS, physicsClientId=self._client
        )


def play(
    layout: DeskLayout, blocks: tuple[str, ...], frames: int, rng: np.random.Generator
) -> DeskPlay:
    """Play of so many frames with some of the `BLOCKS`. What failed is no deed."""
    start = {"robot_obs": sample_robot(rng), "scene_obs": sample_scene(rng, layout)}
    absent = [block for block in BLOCKS if block not in blocks]
    for block in absent:
        start["scene_obs"][block_slice(block)][:3] = NOWHERE
    tasks = tuple(t for t in TASKS if not any(b.removeprefix("block_") in t for b in absent))
    world = _Table(layout, cameras={}, action_repeat=REPEAT)
    try:
        robot, scene, deeds = _act(world, start, tasks, frames, rng)
        return DeskPlay(layout, blocks, robot, scene, deeds)
    finally:
        world.close()


def _act(
    world: PlayTable,
    start: dict[str, Float[np.ndarray, "n"]],
    tasks: tuple[str, ...],
    frames: int,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "t 15"], Float[np.ndarray, "t 24"], tuple[Deed, ...]]:
    """`robot_obs` and `scene_obs` of every frame, and what was done."""
    observation, info = world.reset(options=start)
    plan = PlayPlan(tasks, world.layout, rng)
    seen, deeds = [observation], []
    while len(seen) < frames:
        task, first = plan.next_task(observation, info), len(seen) - 1
        if task is None or rng.random() < PAUSE_CHANCE:
            hold = np.append(np.zeros(6), observation["robot_obs"][14])
            for _ in range(round(rng.uniform(*PAUSE_SECONDS) * ACTION_HZ)):
                observation, _, _, _, info = world.step(hold)
                seen.append(observation)
            deeds.append(Deed(None, first, len(seen) - 1))
            continue
        rollout = TaskRollout(world, task, "", observation, PATIENCE, REPEAT)
        expert = Expert(task, world.layout, rng=rng)
        while rollout.running and len(seen) < frames:
            rollout.step(expert.act(rollout.info, REPEAT)[1])
            seen.append(rollout.observation)
        observation, info = rollout.observation, world.set_task(None)
        if rollout.success:
            deeds.append(Deed(task, first, len(seen) - 1))
    return (
        np.stack([one["robot_obs"] for one in seen[:frames]]),
        np.stack([one["scene_obs"] for one in seen[:frames]]),
        tuple(deed for deed in deeds if deed.last < frames),
    )
