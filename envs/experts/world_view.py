"""What an expert knows when it plans: where everything is now, and how it likes to work."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from firsthand.envs.playtable.layouts import BLOCK_SIZES, DeskLayout
from firsthand.envs.playtable.robot import BASE_POSITION, CLOSE
from firsthand.rendering.bullet import pybullet

Info = Mapping[str, Any]
Number = float | int
Vector = tuple[Number, Number, Number]

FINGER = 0.013  # metres from the middle of the closed gripper to its sides, along its opening
PAD = 0.0105  # metres from the middle of the gripper to the faces of its pads, across its opening
OPEN_FINGER = 0.047  # metres from the middle of the open gripper to the middle of a finger
NEUTRAL_YAW = math.pi / 2
ON_DESK = 0.46  # metres, the height of the centre of a block on the desk or in the cabinet

# The arm's reach: from the shoulder to the wrist at most, the wrist's offset, the hand's length.
SHOULDER_HEIGHT, REACH, WRIST_OFFSET, HAND = 0.573, 0.712, 0.088, 0.247
REACH_MARGIN = 0.03  # metres short of the longest reach, where the arm still follows well
MOST_LEAN = 0.65  # radians


@dataclass(frozen=True)
class ExpertParams:
    """How an expert differs from the others: drawn anew for every attempt.

    Only by how much, never which of several ways: what is drawn is not to be seen in a picture, and
    who imitates two ways goes between them.

    Attributes:
        speed: share of the fastest action at which it moves freely.
        height: factor on how high above things it begins to come down.
        sway: -1 to 1, from which side along x it comes down.
        offset: metres off the middle at which it grasps or pushes.
    """

    speed: float = 0.65
    height: float = 1.0
    sway: float = 0.0
    offset: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "ExpertParams":
        return cls(
            speed=float(rng.uniform(0.55, 0.8)),
            height=float(rng.uniform(0.8, 1.3)),
            sway=float(rng.uniform(-1, 1)),
            offset=float(rng.uniform(-0.006, 0.006)),
        )

    def above(self, height: float = 0.08) -> Vector:
        """A way in from above."""
        return 0.02 * self.sway, 0.0, height * self.height


@dataclass(frozen=True)
class Waypoint:
    """A pose to bring the tool to.

    The tool points down at Euler angles (pi, 0, pi/2), its fingers opening along x; a negative
    pitch tilts it forward along its yaw. It comes in along `approach`, the vector from the waypoint
    to where the way in begins. The waypoint is reached when the tool is within `tolerance` of it
    (metres along each axis), turned as asked, and the gripper no wider than `width` and no narrower
    than `opened`. Tolerances are as wide as what follows allows: who imitates an expert that waits
    for the last millimetre learns to wait. A waypoint is `open` as long as the way to it makes
    sense: a push only while the tool is behind the block; what is `done` is passed over. The way to
    one that `carries` is made with a block in the closed gripper.
    """

    position: Vector
    gripper: Number = CLOSE
    pitch: Number = 0.0
    yaw: Number = NEUTRAL_YAW
    tolerance: Vector = (0.015, 0.015, 0.015)
    approach: Vector = (0.0, 0.0, 0.0)
    speed: float | None = None  # share of the fastest action; None: as the style says
    width: float = math.inf
    opened: float = -math.inf
    open: bool = True
    done: bool = False
    carries: bool = False


@dataclass(frozen=True)
class BlockPose:
    """A block as it lies: its edges' lengths, and the angle of the longer of the two level ones."""

    name: str
    position: Float[np.ndarray, "3"]
    angle: float
    length: float
    depth: float
    height: float

    @property
    def top(self) -> float:
        return float(self.position[2]) + self.height / 2

    def half_width(self, direction: Sequence[float]) -> float:
        """Half its extent along a level direction."""
        along = direction[0] * math.cos(self.angle) + direction[1] * math.sin(self.angle)
        across = direction[1] * math.cos(self.angle) - direction[0] * math.sin(self.angle)
        return abs(along) * self.length / 2 + abs(across) * self.depth / 2

    def covers(self, x: float, y: float, margin: float) -> bool:
        """Whether a point seen from above is on the block or less than `margin` beside it."""
        dx, dy = x - float(self.position[0]), y - float(self.position[1])
        along = abs(dx * math.cos(self.angle) + dy * math.sin(self.angle))
        across = abs(dy * math.cos(self.angle) - dx * math.sin(self.angle))
        return along < self.length / 2 + margin and across < self.depth / 2 + margin


@dataclass(frozen=True)
class WorldView:
    """The world as `info` describes it now and did when the task was given; `velocity` is the
    tool's, in metres a control step."""

    info: Info
    start: Info
    layout: DeskLayout
    style: ExpertParams
    velocity: Float[np.ndarray, "3"] = field(default_factory=lambda: np.zeros(3))

    @property
    def tool(self) -> Float[np.ndarray, "3"]:
        return self.info["robot_info"]["tcp_pos"]

    @property
    def tool_yaw(self) -> float:
        """Less than half a turn from the neutral yaw."""
        return unwound(float(self.info["robot_info"]["tcp_orn"][2]))

    @property
    def width(self) -> float:
        return float(self.info["robot_info"]["gripper_opening_width"])

    def door(self, name: str) -> float:
        """How far a door is open, in metres."""
        return float(self.info["scene_info"]["doors"][name]["current_state"])

    @cached_property
    def blocks(self) -> dict[str, BlockPose]:
        states = self.info["scene_info"]["movable_objects"]
        return {name: _block(name, states[name], self.layout) for name in self.layout.blocks}

    def others(self, *names: str) -> list[BlockPose]:
        return [block for block in self.blocks.values() if block.name not in names]

    def near(self, position: Sequence[float] | np.ndarray, distance: Vector) -> bool:
        """Whether the tool is no farther from a position than `distance` along any axis."""
        return bool((np.abs(self.tool - np.asarray(position)) <= distance).all())

    def holds(self, name: str) -> bool:
        """Whether a block is between the fingers and they press on it."""
        contacts = self.info["scene_info"]["movable_objects"][name]["contacts"]
        touched = any(contact[2] == self.info["robot_info"]["uid"] for contact in contacts)
        around = self.near(self.blocks[name].position, (0.035, 0.035, 0.035))
        return touched and around and 0.03 < self.width < 0.076

    @cached_property
    def between_fingers(self) -> BlockPose | None:
        """The block that closing the gripper would catch."""
        if self.width < 0.03:
            return None
        for block in self.blocks.values():
            low = self.tool[2] < block.top + 0.02
            if low and np.hypot(*(block.position - self.tool)[:2]) < 0.05:
                return block
        return None


def unwound(yaw: float) -> float:
    """The same yaw less than half a turn from the neutral one, where the wrist has its stop."""
    return NEUTRAL_YAW + (yaw - NEUTRAL_YAW + math.pi) % (2 * math.pi) - math.pi


def lean(position: Sequence[float] | np.ndarray, yaw: Number = NEUTRAL_YAW) -> float:
    """The pitch with which the tool reaches a position, when it is turned to a yaw: 0 or, where the
    upright arm would be too short, below."""
    dx, dy = position[0] - BASE_POSITION[0], position[1] - BASE_POSITION[1]
    distance, toward = math.hypot(dx, dy), math.cos(yaw - math.atan2(dy, dx))
    for angle in np.arange(0.0, MOST_LEAN, 0.05):
        rise = position[2] + HAND * math.cos(angle) - SHOULDER_HEIGHT
        limit = WRIST_OFFSET + math.sqrt(max(REACH**2 - rise**2, 0.0)) - REACH_MARGIN
        if distance - HAND * math.sin(angle) * toward <= limit:
            return -float(angle)
    return -MOST_LEAN


def _block(name: str, state: Mapping[str, Any], layout: DeskLayout) -> BlockPose:
    sizes = BLOCK_SIZES[layout.blocks[name]]
    axes = np.array(pybullet.getMatrixFromQuaternion(state["current_orn"])).reshape(3, 3)
    upright = int(np.argmax(np.abs(axes[2])))
    first, second = sorted((i for i in range(3) if i != upright), key=lambda i: -sizes[i])
    angle = math.atan2(axes[1, first], axes[0, first])
    position = np.asarray(state["current_pos"], np.float64)
    return BlockPose(name, position, angle, sizes[first], sizes[second], sizes[upright])
