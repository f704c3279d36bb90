"""A hand: palm, fingers and forearm from simple meshes, posed by a `Hand`."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float

from firsthand.rendering.meshes import Mesh, box, capsule
from firsthand.synthetic.parts import Color, MeshPart, lathe, placed, pose, rotation

# In the hand's frame x points right, y along the fingers, z out of the back of the hand; the origin
# is where things are held, before the palm.
KNUCKLES = np.array([[x, -0.040, 0.030] for x in (-0.030, -0.010, 0.010, 0.030)])
LENGTHS = np.array([0.92, 1.06, 1.0, 0.80])
FIRST, SECOND = 0.042, 0.038  # lengths of a finger's two bones, metres
THUMB = np.array([0.036, -0.085, 0.016])
WRIST = np.array([0.0, -0.125, 0.032])
SKINS: tuple[Color, ...] = (
    (0.96, 0.79, 0.67),
    (0.88, 0.66, 0.52),
    (0.72, 0.49, 0.35),
    (0.52, 0.34, 0.23),
    (0.36, 0.23, 0.16),
)

Vector = Float[np.ndarray, "3"]


@dataclass(frozen=True)
class Hand:
    """Where the hand's grasp point is and how the hand is turned and bent.

    `pitch` and `roll` are radians (pitch bends the fingers down, roll turns the palm inwards),
    `curl` runs from 0 (flat) to 1 (closed).
    """

    point: Vector
    pitch: float = 0.35
    roll: float = 0.0
    curl: float = 0.25


def hand_parts(
    skin: Color, sleeve: Color, bare: float, thumb: float = 0.95, arm: float = 0.55
) -> tuple[MeshPart, ...]:
    """The meshes of `hand_poses`, in its order. `bare` is how much of the forearm shows, `arm` how
    much of the sleeve there is, in metres; `thumb` is its length, as `LENGTHS`."""
    palm = box((0.076, 0.085, 0.024), (0.0, -0.080, 0.030))
    heel = capsule(0.024, 0.03, 10, 4).transformed(pose(0, -0.115, 0.030, rotation(1, np.pi / 2)))
    knuckle = capsule(0.0125, 0.058, 8, 4).transformed(
        pose(0, -0.040, 0.030, rotation(1, np.pi / 2))
    )
    bones = []
    for length in (*LENGTHS, thumb):
        bones += [_bone(FIRST * length, 0.0098), _bone(SECOND * length, 0.0088)]
    forearm = lathe([(0.022, 0.0), (0.026, bare + 0.03)], 12).transformed(_BACK)
    cuff = lathe([(0.026, bare), (0.034, bare), (0.037, bare + 0.03)], 12).transformed(_BACK)
    upper = lathe([(0.034, bare + 0.02), (0.043, bare + arm)], 12).transformed(_BACK)
    return (
        MeshPart(palm, skin),
        MeshPart(heel, skin),
        MeshPart(knuckle, skin),
        *(MeshPart(bone, skin) for bone in bones),
        MeshPart(forearm, skin),
        MeshPart(cuff, sleeve),
        MeshPart(upper, sleeve),
    )


_BACK = pose(turn=rotation(0, np.pi / 2))  # z becomes -y: from the wrist back along the arm


@cache
def _bone(length: float, radius: float) -> Mesh:
    """A capsule from the origin along y."""
    return capsule(radius, length, 8, 4).transformed(
        pose(0, length / 2, 0, rotation(0, -np.pi / 2))
    )


def hand_poses(hand: Hand, shoulder: Vector, side: int) -> Float[np.ndarray, "n 4 4"]:
    """Where every part of the hand is, for an arm that comes from `shoulder`.

    Forward kinematics: two bones a finger that bend with the curl, a thumb that closes against
    them, and an arm that points from the wrist to the shoulder.
    """
    reach = hand.point - shoulder
    yaw = -0.6 * np.arctan2(reach[0], reach[1])
    turn = rotation(2, yaw) @ rotation(0, -hand.pitch) @ rotation(1, hand.roll)
    root = placed(hand.point, turn)
    poses = [root, root, root]
    first, second = -(0.10 + 0.95 * hand.curl), -(0.12 + 1.15 * hand.curl)
    for knuckle, length in zip(KNUCKLES, LENGTHS, strict=True):
        spread = rotation(2, -2.2 * knuckle[0] * (1 - hand.curl))
        bone = root @ placed(knuckle, spread @ rotation(0, first))
        poses += [bone, bone @ pose(0, FIRST * length, 0, rotation(0, second))]
    inward = -0.5 - 0.5 * hand.curl
    base = np.array([-side * THUMB[0], *THUMB[1:]])
    thumb = root @ placed(base, rotation(2, side * (0.75 - 0.55 * hand.curl)) @ rotation(0, inward))
    poses += [thumb, thumb @ pose(0, FIRST * 0.95, 0, rotation(2, -side * 0.5 * hand.curl))]
    wrist = (root @ np.append(WRIST, 1.0))[:3]
    arm = _along(wrist, wrist - shoulder)
    return np.stack([*poses, arm, arm, arm])


def _along(origin: Vector, forward: Vector) -> Float[np.ndarray, "4 4"]:
    """A frame whose y axis points `forward` and whose x axis is level."""
    y = forward / np.linalg.norm(forward)
    x = np.cross(y, [0.0, 0.0, 1.0])
    x /= max(np.linalg.norm(x), 1e-9)
    return placed(origin, np.stack([x, y, np.cross(x, y)], axis=1))
