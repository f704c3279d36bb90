"""Starting points: where the arm, the doors, the lights and the blocks are when a task is given.

Every layout is a pure function of a seed, a task's name and an index, so that a trial can be
repeated anywhere and in any order. Recording and evaluation draw from separate streams: no layout
that was evaluated was ever demonstrated. Numbers are those of CALVIN's scene D (metres, radians).
"""

import zlib
from collections.abc import Mapping
from typing import Literal

import numpy as np
from jaxtyping import Float

from envs.tasks import (
    BLOCKS,
    BULB,
    DRAWER,
    DRAWER_OPEN,
    LED,
    SCENE_SIZE,
    SLIDE,
    SLIDE_OPEN,
    SWITCH,
    SWITCH_ON,
    TABLE_HEIGHT,
    TASKS,
    BlockLifted,
    BlockPushed,
    block_slice,
    feasible,
)

Stream = Literal["evaluation", "recording", "scene"]
Area = tuple[tuple[float, float], tuple[float, float]]  # (low, high) of x, (low, high) of y

# The neutral pose of CALVIN's evaluation: tool position, tool Euler angles, gripper width, seven
# joints, last gripper action. A reset sets the joints and the width; the rest follows from them.
HOME = np.array(
    [0.0259, -0.2313, 0.5713, 3.0905, -0.0291, 1.5001, 0.08]
    + [-1.21779206, 1.03987646, 2.11978261, -2.34205014, -0.87015947, 1.64119353, 0.55344866]
    + [1.0]
)
JOINT_JITTER = 0.01  # rad, standard deviation of every arm joint's start

TABLE: Area = ((0.0, 0.35), (-0.15, -0.06))
SHELF: tuple[Area, ...] = (((-0.32, -0.16), (0.05, 0.12)), ((-0.05, 0.13), (0.05, 0.12)))
YAW = (np.pi / 2 - np.pi / 8, np.pi / 2 + np.pi / 8)
CLEARANCE = 0.11  # m between the centres of two blocks: the longest block plus a finger
PUSH_CLEARANCE = (0.17, 0.23)  # m along x kept free behind and ahead of a block to be pushed

_LAYOUT_TRIES = 10_000
_STREAMS: Mapping[str, int] = {"evaluation": 0, "recording": 1, "scene": 2}


def generator(seed: int, stream: Stream, name: str, index: int) -> np.random.Generator:
    """An own random stream for every (seed, stream, name, index), the same on every machine."""
    key = (_STREAMS[stream], zlib.crc32(name.encode()), index)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def initial_state(
    task: str, index: int, seed: int, stream: Stream = "evaluation"
) -> tuple[Float[np.ndarray, "15"], Float[np.ndarray, "24"]]:
    """A random (robot_obs, scene_obs) from which a task can be begun; other things lie anywhere.

    Raises:
        KeyError: there is no such task.
        ValueError: seed or index is negative.
    """
    TASKS[task]
    rng = generator(seed, stream, task, index)
    for _ in range(_LAYOUT_TRIES):
        scene_obs = sample_scene(rng, task)
        if feasible(task, scene_obs) and _has_room(task, scene_obs):
            return sample_robot(rng), scene_obs
    raise RuntimeError(f"no layout for task={task} index={index} seed={seed}")


def sample_robot(rng: np.random.Generator) -> Float[np.ndarray, "15"]:
    """The neutral pose with slightly shifted joints and an open gripper."""
    robot_obs = HOME.copy()
    robot_obs[7:14] += rng.normal(0.0, JOINT_JITTER, 7)
    return robot_obs


def sample_scene(rng: np.random.Generator, task: str | None = None) -> Float[np.ndarray, "24"]:
    """A random layout of scene D: doors near one of their ends, lights on or off, the switch as its
    bulb says, blocks at rest without touching. The block a `task` is about lies on the table.
    """
    scene_obs = np.zeros(SCENE_SIZE)
    for joint, limit in ((SLIDE, SLIDE_OPEN), (DRAWER, DRAWER_OPEN)):
        from_end = rng.uniform(0.0, 0.15) * limit
        scene_obs[joint] = from_end if rng.random() < 0.5 else limit - from_end
    scene_obs[BULB], scene_obs[LED] = rng.integers(0, 2, 2)
    scene_obs[SWITCH] = SWITCH_ON * scene_obs[BULB]
    condition = TASKS[task].condition if task else None
    needed = condition.block if isinstance(condition, BlockLifted | BlockPushed) else None
    for block, pose in zip(BLOCKS, _sample_blocks(rng, needed), strict=True):
        scene_obs[block_slice(block)] = pose
    return scene_obs


def _sample_blocks(rng: np.random.Generator, on_table: str | None) -> Float[np.ndarray, "3 6"]:
    """Poses of the blocks, one or two of them on the table and the others in different compartments
    of the shelf, as in CALVIN's initial conditions."""
    table_count = rng.integers(1, 3)
    order = list(rng.permutation(len(BLOCKS)))
    if on_table is not None:
        order.remove(BLOCKS.index(on_table))
        order.insert(0, BLOCKS.index(on_table))
    compartments = [SHELF[i] for i in rng.permutation(len(SHELF))]
    areas = [TABLE] * table_count + compartments[: len(BLOCKS) - table_count]
    while True:
        poses = np.zeros((len(BLOCKS), 6))
        for block, (x_range, y_range) in zip(order, areas, strict=True):
            poses[block, :3] = rng.uniform(*x_range), rng.uniform(*y_range), TABLE_HEIGHT
            poses[block, 5] = rng.uniform(*YAW)
        if _nearest(poses[:, :2]) > CLEARANCE:
            return poses


def _nearest(points: Float[np.ndarray, "n 2"]) -> float:
    """Distance of the closest two points."""
    first, second = np.triu_indices(len(points), 1)
    return float(np.linalg.norm(points[first] - points[second], axis=1).min())


def _has_room(task: str, scene_obs: Float[np.ndarray, "24"]) -> bool:
    """Whether no other block on the table is in the way of a push."""
    condition = TASKS[task].condition
    if not isinstance(condition, BlockPushed):
        return True
    behind, ahead = PUSH_CLEARANCE
    x = scene_obs[block_slice(condition.block)][0]
    for other in BLOCKS:
        other_x, other_y = scene_obs[block_slice(other)][:2]
        forward = (other_x - x) * np.sign(condition.by)
        if other != condition.block and other_y < 0 and -behind < forward < ahead:
            return False
    return True
