"""What the robot can be asked to do, and how one tells that it was done.

The names, their order and the success conditions are those of CALVIN (Mees et al. 2022). A
condition is a pure function of two `info` dictionaries: one from the moment the task was given and
one from now. Contacts are PyBullet's tuples, of which `contact[2]` is the other body and
`contact[4]` the other body's link.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

Info = Mapping[str, Any]

# scene_obs: six joints and lights, then position (m) and Euler angles (rad) of each block.
SLIDE, DRAWER, BUTTON, SWITCH, BULB, LED = range(6)
BLOCKS = ("block_red", "block_blue", "block_pink")
SCENE_SIZE = 6 + 6 * len(BLOCKS)
SLIDE_OPEN, DRAWER_OPEN, SWITCH_ON = 0.28, 0.22, 0.088  # upper joint limits in scene D
TABLE_HEIGHT = 0.46  # m, the centre of a block that lies on the table or in the shelf

_JOINT_INDEX = {"base__slide": SLIDE, "base__drawer": DRAWER}
_JOINT_LIMIT = {"base__slide": SLIDE_OPEN, "base__drawer": DRAWER_OPEN}
_LIGHT_INDEX = {"lightbulb": BULB, "led": LED}
_SLACK = 0.01  # m of joint travel that must remain beyond the threshold
_PUSH_RANGE = (-0.07, 0.40)  # m, the x where a push may end: right of the button, in reach


def block_slice(block: str) -> slice:
    """Where `scene_obs` keeps the six numbers of a block."""
    start = 6 + 6 * BLOCKS.index(block)
    return slice(start, start + 6)


@runtime_checkable
class Condition(Protocol):
    """When a task has succeeded, and from which layouts it can be begun."""

    def succeeded(self, start: Info, now: Info) -> bool: ...

    def feasible(self, scene_obs: Float[np.ndarray, "24"]) -> bool: ...


@dataclass(frozen=True)
class DoorMoved:
    """A sliding joint moved by more than `by` metres, in the direction of its sign."""

    joint: str
    by: float

    def succeeded(self, start: Info, now: Info) -> bool:
        before, after = (
            float(info["scene_info"]["doors"][self.joint]["current_state"]) for info in (start, now)
        )
        return _exceeds(after - before, self.by)

    def feasible(self, scene_obs: Float[np.ndarray, "24"]) -> bool:
        target = scene_obs[_JOINT_INDEX[self.joint]] + self.by + np.sign(self.by) * _SLACK
        return bool(0 <= target <= _JOINT_LIMIT[self.joint])


@dataclass(frozen=True)
class LightToggled:
    """A light went from `before` to its opposite."""

    light: str
    before: bool

    def succeeded(self, start: Info, now: Info) -> bool:
        was, is_now = (
            bool(info["scene_info"]["lights"][self.light]["logical_state"]) for info in (start, now)
        )
        return was == self.before and is_now != self.before

    def feasible(self, scene_obs: Float[np.ndarray, "24"]) -> bool:
        return bool(scene_obs[_LIGHT_INDEX[self.light]] > 0.5) == self.before


@dataclass(frozen=True)
class BlockLifted:
    """A block rose more than `rise` metres from a link of the table; only the robot holds it."""

    block: str
    rise: float
    link: str

    def succeeded(self, start: Info, now: Info) -> bool:
        table = start["scene_info"]["fixed_objects"]["table"]
        risen = _position(now, self.block)[2] - _position(start, self.block)[2] > self.rise
        rested = (table["uid"], table["links"][self.link]) in _contacts(start, self.block)
        touching = {body for body, _ in _contacts(now, self.block)}
        return bool(risen and rested and touching == {now["robot_info"]["uid"]})

    def feasible(self, scene_obs: Float[np.ndarray, "24"]) -> bool:
        return on_table(scene_obs, self.block)


@dataclass(frozen=True)
class BlockPushed:
    """A block moved along x by more than `by` metres, and still rests on what it rested on."""

    block: str
    by: float

    def succeeded(self, start: Info, now: Info) -> bool:
        moved = _position(now, self.block)[0] - _position(start, self.block)[0]
        before, after = (
            {link for link in _contacts(info, self.block) if link[0] != info["robot_info"]["uid"]}
            for info in (start, now)
        )
        return _exceeds(moved, self.by) and bool(before) and bool(after) and before <= after

    def feasible(self, scene_obs: Float[np.ndarray, "24"]) -> bool:
        low, high = _PUSH_RANGE
        end = scene_obs[block_slice(self.block)][0] + self.by
        return on_table(scene_obs, self.block) and bool(low <= end <= high)


@dataclass(frozen=True)
class Task:
    """An instruction's meaning. A chain of instructions never has two tasks of one `category`."""

    name: str
    category: str
    condition: Condition

    def succeeded(self, start_info: Info, info: Info) -> bool:
        """Whether the task, given when the world was in `start_info`, is done in `info`."""
        return self.condition.succeeded(start_info, info)


def feasible(task: str, scene_obs: Float[np.ndarray, "24"]) -> bool:
    """Whether the task can be begun from a layout: its door can move, its light is as it must be,
    its block lies on the table with room to be pushed.

    Raises:
        KeyError: there is no such task.
    """
    return TASKS[task].condition.feasible(scene_obs)


def on_table(scene_obs: Float[np.ndarray, "24"], block: str) -> bool:
    """Whether a block lies on the table's open top, in front of the sliding door."""
    x, y, z = scene_obs[block_slice(block)][:3]
    return bool(abs(x) < 0.42 and -0.18 < y < 0.0 and abs(z - TABLE_HEIGHT) < 0.02)


def _exceeds(change: float, threshold: float) -> bool:
    return bool(change > threshold if threshold > 0 else change < threshold)


def _position(info: Info, block: str) -> Float[np.ndarray, "3"]:
    return np.asarray(info["scene_info"]["movable_objects"][block]["current_pos"], dtype=np.float64)


def _contacts(info: Info, block: str) -> set[tuple[int, int]]:
    """The (body, link) pairs that touch a block."""
    contacts = info["scene_info"]["movable_objects"][block]["contacts"]
    return {(contact[2], contact[4]) for contact in contacts}


def _tasks() -> dict[str, Task]:
    colours = [block.removeprefix("block_") for block in BLOCKS]
    tasks = [
        Task(f"push_{colour}_block_{side}", "push", BlockPushed(f"block_{colour}", by))
        for colour in colours
        for side, by in (("right", 0.1), ("left", -0.1))
    ]
    tasks += [
        Task("move_slider_left", "slider", DoorMoved("base__slide", 0.15)),
        Task("move_slider_right", "slider", DoorMoved("base__slide", -0.15)),
        Task("open_drawer", "drawer", DoorMoved("base__drawer", 0.12)),
        Task("close_drawer", "drawer", DoorMoved("base__drawer", -0.12)),
    ]
    tasks += [
        Task(
            f"lift_{colour}_block_table",
            "lift_table",
            BlockLifted(f"block_{colour}", 0.05, "base_link"),
        )
        for colour in colours
    ]
    tasks += [
        Task(f"turn_{'off' if before else 'on'}_{light}", "light", LightToggled(light, before))
        for light in ("lightbulb", "led")
        for before in (False, True)
    ]
    return {task.name: task for task in tasks}


TASKS: dict[str, Task] = _tasks()
