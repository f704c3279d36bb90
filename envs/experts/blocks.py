"""Where the tool has to go to lift, push and turn blocks."""

import math

import numpy as np

from firsthand.envs.experts import calvin_cabinet
from firsthand.envs.experts.grasps import MOST_TURN, find_grasp, grasp
from firsthand.envs.experts.world_view import (
    FINGER,
    NEUTRAL_YAW,
    ON_DESK,
    PAD,
    Waypoint,
    WorldView,
    lean,
)
from firsthand.envs.playtable.robot import CLOSE, OPEN
from firsthand.envs.tasks.conditions import rotation_between

LIFTED = {"table": 0.60, "slider": 0.62, "drawer": 0.50}  # metres, height of the tool
BESIDE = 0.022  # metres between a finger and what it is going to push
PUSHED = 0.112  # metres by which a block is pushed
FURTHER = 0.02  # metres more in the original, where the fingers are a little thinner
TURN_Y = -0.11
TURN = math.radians(82)


def make_room(view: WorldView, name: str) -> list[Waypoint]:
    """Push a block on the table lengthwise past the one beside it that would be in the fingers'
    way; nothing where the block can be grasped or is held."""
    block = view.blocks[name]
    on_table = abs(block.position[2] - ON_DESK) < 0.02 and block.position[1] < 0.0
    if not on_table or view.holds(name) or not find_grasp(view, block).obstructed:
        return []
    if view.near(block.position, (0.02, 0.02, 0.02)):
        return []  # the fingers are around it
    direction = 1.0 if block.position[1] < -0.09 else -1.0
    x, y = float(block.position[0]), float(block.position[1])
    half = block.half_width((0.0, 1.0))
    beside = (x, y - direction * (half + PAD + 0.02), ON_DESK)
    behind = view.near(beside, (0.03, 0.045, 0.03))
    pitch = lean(beside)
    return [
        Waypoint(beside, pitch=pitch, approach=view.style.above(), tolerance=(0.018, 0.016, 0.02)),
        Waypoint((x, y + direction * 0.03, ON_DESK), pitch=pitch, speed=0.4, open=behind),
    ]


def lift_block(view: WorldView, name: str, place: str) -> list[Waypoint]:
    """Grasp across the short side, close, raise."""
    if room := make_room(view, name):
        return room
    tool = view.tool
    yaw, pitch = view.tool_yaw, float(view.info["robot_info"]["tcp_orn"][1])
    held = view.near(view.blocks[name].position, (0.035, 0.035, 0.035))
    raised = (float(tool[0]), float(tool[1]), LIFTED[place])
    raise_it = Waypoint(raised, CLOSE, min(pitch, lean(tool, yaw)), yaw, open=held)
    if view.layout.original and place == "slider":
        first = calvin_cabinet.uncover(view, float(view.blocks[name].position[0]))
        return [*first, *grasp(view, name), raise_it]
    return [*grasp(view, name), raise_it]


def push_block(view: WorldView, name: str, direction: float) -> list[Waypoint]:
    """Come down beside the block and push it along x; where another block is in the way of the
    fingers, take the block and move it over the table."""
    block = view.blocks[name]
    x, y = float(block.position[0]), float(block.position[1]) + view.style.offset
    half = block.half_width((1.0, 0.0))
    beside = (x - direction * (half + FINGER + BESIDE), y, ON_DESK)
    crowded = any(other.covers(beside[0], beside[1], FINGER + 0.007) for other in view.others(name))
    if crowded or view.holds(name):
        return drag_block(view, name, direction)
    behind = view.near(beside, (0.045, 0.03, 0.03))
    began = float(view.start["scene_info"]["movable_objects"][name]["current_pos"][0])
    distance = PUSHED + FURTHER * view.layout.original
    end = began + direction * (distance - half - FINGER)
    beyond = (direction * min(direction * end, direction * x + 0.03), y, ON_DESK)
    return [
        Waypoint(
            beside, pitch=lean(beside), approach=view.style.above(), tolerance=(0.02, 0.018, 0.02)
        ),
        Waypoint(beyond, pitch=lean(beyond), tolerance=(0.004, 0.02, 0.02), speed=0.4, open=behind),
    ]


def drag_block(view: WorldView, name: str, direction: float) -> list[Waypoint]:
    """Take the block and move it along x without lifting it."""
    began = view.start["scene_info"]["movable_objects"][name]["current_pos"]
    position = view.blocks[name].position
    offset = view.tool - position
    goal = began[0] + direction * PUSHED + offset[0]
    held = view.near(position, (0.035, 0.035, 0.035))
    at = (float(goal), float(view.tool[1]), float(position[2]) - 0.006)
    pitch, yaw = lean(at, view.tool_yaw), view.tool_yaw
    return [
        *grasp(view, name),
        Waypoint(at, CLOSE, pitch, yaw, speed=0.35, open=held),
        Waypoint(at, OPEN, pitch, yaw, opened=0.06, open=held),
    ]


def rotate_block(view: WorldView, name: str, sense: float) -> list[Waypoint]:
    """Grasp the block, turn it on the spot, let go."""
    if room := make_room(view, name):
        return room
    states = [info["scene_info"]["movable_objects"][name] for info in (view.start, view.info)]
    turned = math.radians(rotation_between(*(state["current_orn"] for state in states))[2])
    rest = sense * TURN - turned
    position = view.blocks[name].position
    held = view.near(position, (0.035, 0.035, 0.035))
    yaw = view.tool_yaw + rest
    yaw = float(np.clip(yaw, NEUTRAL_YAW - MOST_TURN - 0.1, NEUTRAL_YAW + MOST_TURN + 0.1))
    # With room for the hand to turn in front of the cabinet.
    at = (float(view.tool[0]), min(float(view.tool[1]), TURN_Y), ON_DESK - 0.003)
    pitch = lean(at, yaw)
    return [
        *grasp(view, name, turn=rest),
        Waypoint(at, CLOSE, pitch, yaw, open=held),
        Waypoint(at, OPEN, pitch, view.tool_yaw, opened=0.06, open=held),
    ]
