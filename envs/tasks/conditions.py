"""When a task counts as done: CALVIN's conditions, written from their description.

A condition is a pure function of two `info` dictionaries, one from the moment the task was given
and one from now (Mees et al. 2022; distances in metres, angles in degrees).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from firsthand.envs.tasks.contacts import (
    Info,
    block_of,
    blocks_of,
    bodies,
    held_block,
    links,
    table_link,
    uids_of,
)

ROTATION_LIMITS = (30.0, 180.0)  # tilt at most, turn about z below
ROTATION_SHIFT = 0.1  # how far a turned block may have moved
CALM = 1.0  # m/s and rad/s along every axis, below which a stacked block may move


@runtime_checkable
class Condition(Protocol):
    """What must have happened between two moments.

    `resting` names the blocks that must lie still besides when `require_stable` is set: those whose
    contacts the condition reads while they may still bounce.
    """

    def succeeded(self, start: Info, now: Info) -> bool: ...

    def resting(self, start: Info, now: Info) -> tuple[str, ...]: ...


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

    def resting(self, start: Info, now: Info) -> tuple[str, ...]:
        return ()


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

    def resting(self, start: Info, now: Info) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True)
class BlockRotated:
    """A block turned about the vertical by more than `degrees` in the direction of its sign (above
    0: anticlockwise) without tilting or moving far, and touches something besides the robot."""

    block: str
    degrees: float

    def succeeded(self, start: Info, now: Info) -> bool:
        before, after = block_of(start, self.block), block_of(now, self.block)
        moved = np.subtract(after["current_pos"], before["current_pos"])
        touching = bodies(after) - {now["robot_info"]["uid"]}
        if np.linalg.norm(moved) > ROTATION_SHIFT or not touching:
            return False
        roll, pitch, yaw = rotation_between(before["current_orn"], after["current_orn"])
        tilt, most = ROTATION_LIMITS
        turned = self.degrees < yaw < most if self.degrees > 0 else -most < yaw < self.degrees
        return bool(turned and abs(roll) < tilt and abs(pitch) < tilt)

    def resting(self, start: Info, now: Info) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True)
class BlockPushed:
    """A block moved along x by more than `by` metres, and still rests on what it rested on."""

    block: str
    by: float

    def succeeded(self, start: Info, now: Info) -> bool:
        first, last = block_of(start, self.block), block_of(now, self.block)
        robot = now["robot_info"]["uid"]
        before, after = (
            {link for link in links(block) if link[0] != robot} for block in (first, last)
        )
        moved = float(last["current_pos"][0]) - float(first["current_pos"][0])
        return _exceeds(moved, self.by) and bool(before) and bool(after) and before <= after

    def resting(self, start: Info, now: Info) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True)
class BlockLifted:
    """A block rose more than `rise` metres from a link of the table; only the robot holds it."""

    block: str
    rise: float
    link: str

    def succeeded(self, start: Info, now: Info) -> bool:
        before, after = block_of(start, self.block), block_of(now, self.block)
        risen = float(after["current_pos"][2]) - float(before["current_pos"][2]) > self.rise
        rested = table_link(start, self.link) in links(before)
        return bool(risen and rested and bodies(after) == {now["robot_info"]["uid"]})

    def resting(self, start: Info, now: Info) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True)
class BlockPlaced:
    """The block that the robot held, and nothing else touched, was put down on a link of the table
    and let go."""

    link: str

    def succeeded(self, start: Info, now: Info) -> bool:
        name = held_block(start)
        if name is None:
            return False
        after = block_of(now, name)
        released = now["robot_info"]["uid"] not in bodies(after)
        return released and table_link(now, self.link) in links(after)

    def resting(self, start: Info, now: Info) -> tuple[str, ...]:
        name = held_block(start)
        return () if name is None else (name,)


@dataclass(frozen=True)
class BlockPushedInto:
    """Some block left one link of the table, on which it lay alone, for another. The robot may
    still touch it: CALVIN means to forbid that, but compares a body with (body, link) pairs."""

    source: str
    target: str

    def succeeded(self, start: Info, now: Info) -> bool:
        return bool(self.resting(start, now))

    def resting(self, start: Info, now: Info) -> tuple[str, ...]:
        source, target = table_link(start, self.source), table_link(now, self.target)
        return tuple(
            name
            for name, after in blocks_of(now).items()
            if links(block_of(start, name)) == {source} and target in links(after)
        )


@dataclass(frozen=True)
class BlockStacked:
    """Some block that touched no other lies on blocks alone, nearly still."""

    def succeeded(self, start: Info, now: Info) -> bool:
        return bool(self.resting(start, now))

    def resting(self, start: Info, now: Info) -> tuple[str, ...]:
        blocks = uids_of(now)
        return tuple(
            name
            for name, after in blocks_of(now).items()
            if not bodies(block_of(start, name)) & blocks
            and bodies(after)
            and bodies(after) <= blocks
            and _calm(after)
        )


@dataclass(frozen=True)
class BlockUnstacked:
    """Some block that lay nearly still on blocks alone touches no other."""

    def succeeded(self, start: Info, now: Info) -> bool:
        return bool(self._freed(start, now))

    def resting(self, start: Info, now: Info) -> tuple[str, ...]:
        """Not one that the robot holds, which moves with it."""
        robot = now["robot_info"]["uid"]
        freed = self._freed(start, now)
        return () if any(bodies(block_of(now, name)) == {robot} for name in freed) else freed

    def _freed(self, start: Info, now: Info) -> tuple[str, ...]:
        blocks = uids_of(now)
        return tuple(
            name
            for name, before in blocks_of(start).items()
            if bodies(before)
            and bodies(before) <= blocks
            and _calm(before)
            and not bodies(block_of(now, name)) & blocks
        )


def _exceeds(change: float, threshold: float) -> bool:
    return bool(change > threshold if threshold > 0 else change < threshold)


def _calm(block: Mapping[str, Any]) -> bool:
    speeds = np.abs([*block["current_lin_vel"], *block["current_ang_vel"]])
    return bool((speeds < CALM).all())


def rotation_between(start: Any, now: Any) -> Float[np.ndarray, "3"]:
    """The turn from one orientation (quaternion x, y, z, w) to another, as angles in degrees about
    the fixed axes x, y, z."""
    x, y, z, w = _multiply(np.asarray(now, np.float64), _conjugate(np.asarray(start, np.float64)))
    return np.degrees([
        math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y)),
        math.asin(np.clip(2 * (w * y - z * x), -1, 1)),
        math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)),
    ])  # fmt: skip


def _conjugate(quaternion: Float[np.ndarray, "4"]) -> Float[np.ndarray, "4"]:
    """The opposite turn; also makes the length one."""
    return quaternion * (-1, -1, -1, 1) / np.linalg.norm(quaternion)


def _multiply(a: Float[np.ndarray, "4"], b: Float[np.ndarray, "4"]) -> Float[np.ndarray, "4"]:
    """The turn `b` followed by the turn `a`."""
    vector = a[3] * b[:3] + b[3] * a[:3] + np.cross(a[:3], b[:3])
    return np.append(vector, a[3] * b[3] - a[:3] @ b[:3]) / np.linalg.norm(a)
