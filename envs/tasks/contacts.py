"""Who touches whom, as `info` dictionaries tell it.

Contacts are PyBullet's tuples, of which `contact[2]` is the other body and `contact[4]` the other
body's link.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

Info = Mapping[str, Any]

REST_SPEED = 0.05  # m/s, below which a block is taken to be at rest
REST_SPIN = 0.5  # rad/s


def blocks_of(info: Info) -> Mapping[str, Any]:
    """The state of every block by its name."""
    return info["scene_info"]["movable_objects"]


def block_of(info: Info, name: str) -> Mapping[str, Any]:
    """The state of a block."""
    return blocks_of(info)[name]


def uids_of(info: Info) -> set[int]:
    """The bodies that are blocks."""
    return {block["uid"] for block in blocks_of(info).values()}


def bodies(block: Mapping[str, Any]) -> set[int]:
    """The bodies that touch a block."""
    return {contact[2] for contact in block["contacts"]}


def links(block: Mapping[str, Any]) -> set[tuple[int, int]]:
    """The (body, link) pairs that touch a block."""
    return {(contact[2], contact[4]) for contact in block["contacts"]}


def table_link(info: Info, link: str) -> tuple[int, int]:
    """A link of the table as (body, link)."""
    table = info["scene_info"]["fixed_objects"]["table"]
    return table["uid"], table["links"][link]


def held_block(info: Info) -> str | None:
    """The block in the gripper: the only thing that the robot touches, and touched by it alone."""
    robot = info["robot_info"]
    touched = {contact[2] for contact in robot["contacts"]}
    for name, block in blocks_of(info).items():
        if touched == {block["uid"]} and bodies(block) == {robot["uid"]}:
            return name
    return None


def let_go(info: Info) -> Info:
    """The same moment, had the robot let go of every block that also touches something else.

    After a push, say, the fingers still touch the block when the next task is given. CALVIN then
    denies the block was lying on the table alone, whatever is done with it."""
    robot = info["robot_info"]["uid"]
    blocks = {
        name: {**block, "contacts": tuple(c for c in block["contacts"] if c[2] != robot)}
        if bodies(block) - {robot}
        else block
        for name, block in blocks_of(info).items()
    }
    return {**info, "scene_info": {**info["scene_info"], "movable_objects": blocks}}


def at_rest(info: Info, block: str) -> bool:
    """Whether a block lies still and on something; in a bounce nothing touches it."""
    state = block_of(info, block)
    return bool(
        bodies(state)
        and np.linalg.norm(state["current_lin_vel"]) < REST_SPEED
        and np.linalg.norm(state["current_ang_vel"]) < REST_SPIN
    )
