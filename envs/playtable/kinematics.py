"""Where the arm's tool is for given joints, and which joints bring it somewhere, without physics.

The Panda's modified Denavit-Hartenberg parameters are those that Franka Emika publishes; the tool
point lies 0.14 m in front of the hand, as in CALVIN.
"""

import math

import numpy as np
from jaxtyping import Float

from firsthand.envs.playtable.robot import BASE_POSITION, INITIAL_JOINTS, LOWER, UPPER

# Of the seven joints, then of the tool on the last: m, m, rad.
_A = (0.0, 0.0, 0.0, 0.0825, -0.0825, 0.0, 0.088, 0.0)
_D = (0.333, 0.0, 0.316, 0.0, 0.384, 0.0, 0.0, 0.107 + 0.14)
_Q = math.pi / 2
_ALPHA = (0.0, -_Q, _Q, _Q, -_Q, _Q, _Q, 0.0)
_HAND_TURN = -math.pi / 4  # of the hand on the flange
_ITERATIONS = 60
_DAMPING = 0.03
_MARGIN = 0.05  # rad kept to the joint limits
_POSITION_TOLERANCE, _ANGLE_TOLERANCE = 1e-4, 1e-3  # m, rad


def forward(
    joints: Float[np.ndarray, "7"],
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3 3"]]:
    """Position and rotation matrix of the tool in the world."""
    frame = _frames(joints)[-1]
    return frame[:3, 3], frame[:3, :3]


def inverse(
    position: Float[np.ndarray, "3"], euler: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "7"] | None:
    """Joints that bring the tool to a pose, near the neutral ones, or None if none are found.

    Damped least squares (Wampler 1986) from the neutral pose.
    """
    joints, goal = np.array(INITIAL_JOINTS), rotation(euler)
    for _ in range(_ITERATIONS):
        frames = _frames(joints)
        tool = frames[-1]
        turn = tool[:3, :3].T @ goal
        turn_error = tool[:3, :3] @ _vector(turn)
        error = np.concatenate([position - tool[:3, 3], turn_error])
        if (
            np.linalg.norm(error[:3]) < _POSITION_TOLERANCE
            and np.linalg.norm(error[3:]) < _ANGLE_TOLERANCE
        ):
            inside = (joints > LOWER + _MARGIN).all() and (joints < UPPER - _MARGIN).all()
            return joints if inside else None
        axes = np.stack([frame[:3, 2] for frame in frames[:7]])
        arms = np.stack([tool[:3, 3] - frame[:3, 3] for frame in frames[:7]])
        jacobian = np.concatenate([np.cross(axes, arms), axes], axis=1).T
        damped = jacobian @ jacobian.T + _DAMPING**2 * np.eye(6)
        joints = joints + jacobian.T @ np.linalg.solve(damped, error)
    return None


def rotation(euler: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """The rotation matrix of turns about the fixed axes x, y and z, in that order."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(euler), np.sin(euler)
    return np.array([
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ])  # fmt: skip


def euler(matrix: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3"]:
    """Angles about the fixed axes x, y and z of a rotation matrix."""
    return np.array([
        math.atan2(matrix[2, 1], matrix[2, 2]),
        math.asin(np.clip(-matrix[2, 0], -1, 1)),
        math.atan2(matrix[1, 0], matrix[0, 0]),
    ])  # fmt: skip


def _frames(joints: Float[np.ndarray, "7"]) -> list[Float[np.ndarray, "4 4"]]:
    """The frame of every joint after its turn, then that of the tool."""
    frame = np.eye(4)
    frame[:3, 3] = BASE_POSITION
    frames = []
    for a, d, alpha, theta in zip(_A, _D, _ALPHA, [*joints, _HAND_TURN], strict=True):
        ct, st, ca, sa = math.cos(theta), math.sin(theta), math.cos(alpha), math.sin(alpha)
        frame = frame @ np.array([
            [ct, -st, 0, a],
            [st * ca, ct * ca, -sa, -d * sa],
            [st * sa, ct * sa, ca, d * ca],
            [0, 0, 0, 1],
        ])  # fmt: skip
        frames.append(frame)
    return frames


def _vector(turn: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3"]:
    """Axis times angle of a rotation matrix that turns less than half round."""
    angle = math.acos(np.clip((np.trace(turn) - 1) / 2, -1, 1))
    axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    return axis * (0.5 if angle < 1e-6 else angle / (2 * math.sin(angle)))
