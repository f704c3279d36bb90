"""Starting points: where the arm, the doors, the lights and the blocks are when a task is given.

Every layout is a pure function of a seed, a scene, a task's name and an index, so that a trial can
be repeated anywhere and in any order. Recording and evaluation draw from separate streams: no
layout that was evaluated was ever demonstrated. Distances in metres, angles in radians.
"""

import zlib
from collections.abc import Mapping
from typing import Literal

import numpy as np
from jaxtyping import Float

from firsthand.envs.playtable.kinematics import euler, forward, inverse
from firsthand.envs.playtable.layouts import (
    DRAWER_TRAVEL,
    LAYOUTS,
    SPAWN_SHELF_Y,
    SPAWN_Z,
    SWITCH_TRAVEL,
    DeskLayout,
    Extent,
)
from firsthand.envs.playtable.robot import CLOSE, MAX_WIDTH, OPEN
from firsthand.envs.tasks.conditions import (
    BlockLifted,
    BlockPlaced,
    BlockPushed,
    BlockPushedInto,
    BlockRotated,
    BlockStacked,
    BlockUnstacked,
)
from firsthand.envs.tasks.feasibility import (
    BLOCK_EDGE,
    DESK_EDGE,
    DRAWER_FLOOR,
    DRAWER_INSIDE,
    feasible,
)
from firsthand.envs.tasks.tasks import (
    BLOCKS,
    BULB,
    DRAWER,
    LED,
    SCENE_SIZE,
    SLIDE,
    SWITCH,
    TASKS,
    block_slice,
)

Stream = Literal["evaluation", "recording", "scene"]
Place = str  # "table", "left" or "right" in the shelf, "drawer", "held", or "top" of a stack

# The neutral pose of CALVIN's evaluation: tool position, tool Euler angles, gripper width, seven
# joints, last gripper action. A reset sets the joints and the width; the rest follows from them.
HOME = np.array(
    [0.0259, -0.2313, 0.5713, 3.0905, -0.0291, 1.5001, MAX_WIDTH]
    + [-1.21779206, 1.03987646, 2.11978261, -2.34205014, -0.87015947, 1.64119353, 0.55344866]
    + [OPEN]
)
JOINT_JITTER = 0.01  # standard deviation of every arm joint's start
AWAY_SHARE = 0.5  # of starts that are not near the neutral pose, as after another task
AWAY = ((-0.25, 0.28), (-0.30, -0.08), (0.54, 0.66))  # x, y, z of the tool there
TOOL_YAW = 0.4  # how far the tool may then be turned from its neutral yaw
HELD_WIDTH = 0.0393  # between the fingers around a block, which they press in a little

TABLE_Y = (-0.15, -0.05)
SHELF_MARGIN = 0.045  # x kept between a block's centre and the cabinet's walls
DRAWER_MARGIN = (0.065, 0.045)  # x and y kept between a block's centre and the drawer's walls
YAW = (np.pi / 2 - np.pi / 8, np.pi / 2 + np.pi / 8)
STACK_OFFSET, STACK_TURN = 0.007, 0.3  # of a block on another
CLEARANCE = 0.11  # between the centres of two blocks: the longest block plus a finger
PUSH_CLEARANCE = (0.17, 0.23)  # along x, kept free behind and ahead of a block to be pushed

_LAYOUT_TRIES = 10_000
_STREAMS: Mapping[str, int] = {"evaluation": 0, "recording": 1, "scene": 2}


def generator(seed: int, stream: Stream, name: str, index: int) -> np.random.Generator:
    """An own random stream for every (seed, stream, name, index), the same on every machine."""
    key = (_STREAMS[stream], zlib.crc32(name.encode()), index)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def initial_state(
    task: str, index: int, seed: int, stream: Stream = "evaluation", scene: str = "D"
) -> tuple[Float[np.ndarray, "15"], Float[np.ndarray, "24"]]:
    """A random (robot_obs, scene_obs) from which a task can be begun; other things lie anywhere.

    Raises:
        KeyError: there is no such task or scene.
        ValueError: seed or index is negative.
    """
    TASKS[task]
    layout = LAYOUTS[scene]
    name = task if scene == "D" else f"{task} in scene {scene}"
    rng = generator(seed, stream, name, index)
    return sample_start(rng, layout, task)


def sample_start(
    rng: np.random.Generator, layout: DeskLayout, task: str
) -> tuple[Float[np.ndarray, "15"], Float[np.ndarray, "24"]]:
    """A random (robot_obs, scene_obs) from which a task can be begun, whose block is in the gripper
    if it is to be placed; other things lie anywhere.

    Raises:
        KeyError: there is no such task.
    """
    for _ in range(_LAYOUT_TRIES):
        robot_obs, scene_obs, held = _sample(rng, layout, task)
        if feasible(task, scene_obs, layout, held) and _has_room(task, scene_obs):
            return robot_obs, scene_obs
    raise RuntimeError(f"no layout for task={task} was found in {_LAYOUT_TRIES} tries")


def sample_robot(rng: np.random.Generator) -> Float[np.ndarray, "15"]:
    """The neutral pose with slightly shifted joints and an open gripper, or the arm somewhere above
    the desk, as another task may have left it."""
    if rng.random() > AWAY_SHARE:
        robot_obs = HOME.copy()
        robot_obs[7:14] += rng.normal(0.0, JOINT_JITTER, 7)
    else:
        gripper = OPEN if rng.random() < 0.5 else CLOSE
        robot_obs = _away(rng, MAX_WIDTH if gripper == OPEN else 0.0, gripper)
    position, matrix = forward(robot_obs[7:14])
    robot_obs[:6] = *position, *euler(matrix)
    return robot_obs


def _away(rng: np.random.Generator, width: float, gripper: float) -> Float[np.ndarray, "15"]:
    """The arm above the desk, fingers so far apart; the tool's pose is left to be filled in."""
    while True:
        position = np.array([rng.uniform(low, high) for low, high in AWAY])
        angles = np.array([np.pi, 0.0, np.pi / 2 + rng.uniform(-TOOL_YAW, TOOL_YAW)])
        joints = inverse(position, angles)
        if joints is not None:
            return np.array([*np.zeros(6), width, *joints, gripper])


def sample_scene(
    rng: np.random.Generator, layout: DeskLayout = LAYOUTS["D"], task: str | None = None
) -> Float[np.ndarray, "24"]:
    """A random layout of a scene: doors near one of their ends, lights on or off, the switch as its
    bulb says, blocks at rest on the desk and in the cabinet. A block that a `task` is about lies
    where the task wants it; one that is to be held is far above the desk.
    """
    return _sample(rng, layout, task)[1]


def _sample(
    rng: np.random.Generator, layout: DeskLayout, task: str | None
) -> tuple[Float[np.ndarray, "15"], Float[np.ndarray, "24"], str | None]:
    """The arm, the scene, and the block in the gripper."""
    scene_obs = np.zeros(SCENE_SIZE)
    for joint, limit in ((SLIDE, layout.door_travel), (DRAWER, DRAWER_TRAVEL)):
        from_end = rng.uniform(0.0, 0.15) * limit
        scene_obs[joint] = from_end if rng.random() < 0.5 else limit - from_end
    scene_obs[BULB], scene_obs[LED] = rng.integers(0, 2, 2)
    scene_obs[SWITCH] = SWITCH_TRAVEL * scene_obs[BULB]
    places = _places(rng, task)
    held = next((block for block, place in places.items() if place == "held"), None)
    robot_obs = sample_robot(rng)
    if held is not None:
        robot_obs = _away(rng, HELD_WIDTH, CLOSE)
        position, matrix = forward(robot_obs[7:14])
        robot_obs[:6] = *position, *euler(matrix)
    for block, pose in _sample_blocks(rng, layout, places, robot_obs, scene_obs).items():
        scene_obs[block_slice(block)] = pose
    return robot_obs, scene_obs, held


def _places(rng: np.random.Generator, task: str | None) -> dict[str, Place]:
    """Where each block lies: one or two on the table and the others in different compartments of
    the shelf, as in CALVIN's initial conditions, but for what the task asks for."""
    order = [BLOCKS[i] for i in rng.permutation(len(BLOCKS))]
    table_count = int(rng.integers(1, 3))
    sides: list[Place] = ["left", "right"] if rng.random() < 0.5 else ["right", "left"]
    condition = TASKS[task].condition if task else None
    first: list[Place] = []
    match condition:
        case BlockLifted(block, _, link):
            first = [{"base_link": "table", "plank_link": sides[0], "drawer_link": "drawer"}[link]]
            order.sort(key=lambda name: name != block)
        case BlockPushed(block) | BlockRotated(block):
            first = ["table"]
            order.sort(key=lambda name: name != block)
        case BlockPlaced():
            first = ["held"]
        case BlockStacked():
            first = ["held", "table"]
        case BlockUnstacked():
            first = ["table", "top"]
        case BlockPushedInto():
            first, table_count = ["table"], 1
    rest: list[Place] = ["table"] * table_count + sides
    for place in first:
        if place in rest:
            rest.remove(place)
    return dict(zip(order, [*first, *rest], strict=False))


def _sample_blocks(
    rng: np.random.Generator,
    layout: DeskLayout,
    places: Mapping[str, Place],
    robot_obs: Float[np.ndarray, "15"],
    scene_obs: Float[np.ndarray, "24"],
) -> dict[str, Float[np.ndarray, "6"]]:
    """Poses of the blocks; those that lie beside each other do so without touching."""
    front = DRAWER_INSIDE[0] - scene_obs[DRAWER]
    (wide, deep), (left, right) = DRAWER_MARGIN, layout.drawer
    areas = {
        "table": (layout.spawn_table, TABLE_Y, SPAWN_Z),
        "left": (_inside_shelf(layout.spawn_left, layout), SPAWN_SHELF_Y, SPAWN_Z),
        "right": (_inside_shelf(layout.spawn_right, layout), SPAWN_SHELF_Y, SPAWN_Z),
        "drawer": (
            (left + wide, right - wide),
            (min(front, DESK_EDGE - 2 * deep) + deep, DESK_EDGE - deep),
            DRAWER_FLOOR + BLOCK_EDGE / 2,
        ),
    }
    while True:
        poses = {}
        for block, place in places.items():
            if place == "held":
                poses[block] = np.array([*robot_obs[:3], 0, 0, robot_obs[5]])
            elif place == "top":
                below = next(poses[other] for other in poses if places[other] == "table")
                poses[block] = below + (0, 0, BLOCK_EDGE, 0, 0, rng.uniform(-1, 1) * STACK_TURN)
                poses[block][:2] += rng.uniform(-1, 1, 2) * STACK_OFFSET
            else:
                xs, ys, z = areas[place]
                poses[block] = np.array([rng.uniform(*xs), rng.uniform(*ys), z, 0, 0, 0])
                poses[block][5] = rng.uniform(*YAW)
        beside = [poses[block][:2] for block in places if places[block] not in ("held", "top")]
        if len(beside) < 2 or _nearest(np.array(beside)) > CLEARANCE:
            return poses


def _inside_shelf(stretch: Extent, layout: DeskLayout) -> Extent:
    """The part of a stretch along x in which no block touches the cabinet's walls."""
    low, high = layout.shelf
    return max(stretch[0], low + SHELF_MARGIN), min(stretch[1], high - SHELF_MARGIN)


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
        forward_by = (other_x - x) * np.sign(condition.by)
        if other != condition.block and other_y < 0 and -behind < forward_by < ahead:
            return False
    return True
