"""A hand whose fingertips are where a gripper's were: forward kinematics from the tips back.

Thumb and fingers close along the gripper's axis. From there the palm follows, which is turned the
way a wrist can be, with the thumb on the side that is natural for the hand, then the forearm, which
comes from the shoulder.
"""

import numpy as np
from jaxtyping import Bool, Float

from firsthand.envs.playtable.kinematics import rotation
from firsthand.synthetic.hand import FIRST, KNUCKLES, LENGTHS, SECOND, WRIST, hand_parts
from firsthand.synthetic.parts import Color, MeshPart

THUMB_LENGTH = 1.45  # as a finger's in `LENGTHS`: with the bone that lies in the palm
THUMB_BASE = np.array([0.034, -0.072, 0.012])  # in the frame of `synthetic.hand`
ARM = 0.9  # metres of sleeve: more than any picture shows
PAD = 0.007  # metres from the middle of a fingertip to its skin
REACH = 0.060  # metres from the knuckles to the fingertips, bent as they are
TIP_SPREAD = 0.5  # how far apart fingertips are, as a share of the knuckles
IDLE = np.array([0.0, 0.0, 0.010, 0.018])  # metres by which ring and little finger stay behind
NATURAL = 0.35  # radians by which thumb and fingers rather close across than along the forearm
CLOSED = 0.02  # metres of the gripper's width below which nothing is in it
SLANT = 0.9  # how much the fingers slant towards the shoulder, as a share of how they point down
HOOK = (0.35, 0.85)  # radians by which they bend over: always, and more where they close along it
DEEPER = 0.004  # metres from the tool to the middle of the fingertips
RELAXED = 0.3  # share of the gripper's turn that a closed, empty hand follows


def grip_parts(skin: Color, sleeve: Color, bare: float) -> tuple[MeshPart, ...]:
    """The meshes of `grip_poses`, in its order."""
    return hand_parts(skin, sleeve, bare, THUMB_LENGTH, ARM)


def grip_poses(
    robot: Float[np.ndarray, "t 15"], shoulder: Float[np.ndarray, "3"], side: int
) -> Float[np.ndarray, "t n 4 4"]:
    """Where every part of the hand is while the gripper is where `robot_obs` says. `side` is 1 for
    a right hand and -1 for a left one."""
    tool, width = robot[:, :3], robot[:, 6:7]
    turns = np.stack([rotation(euler) for euler in robot[:, 3:6]])
    forward = _unit((tool - shoulder) * [1.0, 1.0, 0.0])
    yaw = _closing_yaw(turns[:, :, 1], forward, width[:, 0], side)
    closing = np.stack([np.cos(yaw), np.sin(yaw), np.zeros(len(yaw))], axis=1)
    along = (forward * closing).sum(1, keepdims=True)
    # Fingers come from the viewer's side as far as that does not turn them about the closing axis.
    point = _unit(turns[:, :, 2] + SLANT * (forward - along * closing))
    across = _orthogonal(closing, point)
    # Across the forearm the fingers are nearly straight, along it they hook over what they hold.
    hook = HOOK[0] + HOOK[1] * np.maximum(along, 0.0)
    y = np.cos(hook) * point + np.sin(hook) * across
    frame = _frame(y, np.cos(hook) * across - np.sin(hook) * point)
    x, z = frame[..., 0], frame[..., 2]
    pinch = tool + DEEPER * point
    tips = pinch + across * (width / 2 + PAD)
    root = tips - REACH * point + 0.012 * across - frame @ KNUCKLES.mean(0)
    palm = _placed(root, frame)
    poses = [palm, palm, palm]
    for knuckle, length, idle in zip(KNUCKLES, LENGTHS, IDLE[::side], strict=True):
        tip = tips + TIP_SPREAD * (knuckle[0] + 0.01 * side) * x + idle * (across - point)
        poses += _finger(root + frame @ knuckle, tip, length, z)
    thumb = root + frame @ (THUMB_BASE * [-side, 1, 1])
    poses += _finger(
        thumb, pinch - across * (width / 2 + PAD), THUMB_LENGTH, -side * x - 0.6 * across
    )
    wrist = root + frame @ WRIST
    arm = _bone(wrist, wrist - shoulder)
    return np.stack([*poses, arm, arm, arm], axis=1)


def _closing_yaw(
    axis: Float[np.ndarray, "t 3"],
    ahead: Float[np.ndarray, "t 3"],
    width: Float[np.ndarray, "t"],
    side: int,
) -> Float[np.ndarray, "t"]:
    """The direction from thumb to fingers. A gripper is the same turned by half a turn, a hand is
    not: between two things that it holds it turns to where the next is grasped with least effort.
    """
    natural = np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0])) - side * NATURAL
    off = np.arctan2(axis[:, 1], axis[:, 0]) - natural
    off = (off + np.pi / 2) % np.pi - np.pi / 2
    empty = width < CLOSED
    for stretch in _stretches(~empty):
        turned = np.unwrap(off[stretch], period=np.pi)
        off[stretch] = turned - np.pi * np.round(turned.mean() / np.pi)
    off[empty] *= RELAXED
    weights = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9
    return natural + np.convolve(np.pad(off, 2, mode="edge"), weights, mode="valid")


def _stretches(chosen: Bool[np.ndarray, "t"]) -> list[slice]:
    """The runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]])))
    return [slice(start, end) for start, end in edges.reshape(-1, 2)]


def _finger(
    base: Float[np.ndarray, "t 3"],
    tip: Float[np.ndarray, "t 3"],
    length: float,
    outward: Float[np.ndarray, "t 3"],
) -> list[Float[np.ndarray, "t 4 4"]]:
    """Two bones from `base` to `tip`, bent `outward`; stretched out where that is too far."""
    first, second = FIRST * length, SECOND * length
    way = _unit(tip - base)
    reach = np.linalg.norm(tip - base, axis=1, keepdims=True)
    reach = np.clip(reach, abs(first - second) + 1e-3, first + second - 1e-4)
    cosine = (first**2 + reach**2 - second**2) / (2 * first * reach)
    one = cosine * way + np.sqrt(1 - cosine**2) * _orthogonal(outward, way)
    joint = base + first * one
    return [_bone(base, one), _bone(joint, base + reach * way - joint)]


def _bone(
    origin: Float[np.ndarray, "t 3"], forward: Float[np.ndarray, "t 3"]
) -> Float[np.ndarray, "t 4 4"]:
    """Frames whose y axis points `forward`."""
    y = _unit(forward)
    beside = np.where(np.abs(y[:, 2:]) < 0.95, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0])
    return _placed(origin, _frame(y, _orthogonal(beside, y)))


def _frame(y: Float[np.ndarray, "t 3"], z: Float[np.ndarray, "t 3"]) -> Float[np.ndarray, "t 3 3"]:
    return np.stack([np.cross(y, z), y, z], axis=2)


def _placed(
    origin: Float[np.ndarray, "t 3"], turn: Float[np.ndarray, "t 3 3"]
) -> Float[np.ndarray, "t 4 4"]:
    poses = np.tile(np.eye(4), (len(origin), 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = turn, origin
    return poses


def _orthogonal(
    vector: Float[np.ndarray, "t 3"], axis: Float[np.ndarray, "t 3"]
) -> Float[np.ndarray, "t 3"]:
    """The part of vectors that is orthogonal to unit vectors, with length 1."""
    return _unit(vector - (vector * axis).sum(1, keepdims=True) * axis)


def _unit(vector: Float[np.ndarray, "t 3"]) -> Float[np.ndarray, "t 3"]:
    return vector / np.linalg.norm(vector, axis=1, keepdims=True)
