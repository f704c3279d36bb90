"""Where the two cameras stand: a fixed one that sees the whole desk, and one in the hand."""

from functools import cache

import numpy as np

from firsthand.rendering.bullet import pybullet
from firsthand.rendering.camera import Camera


@cache
def static_camera(size: int) -> Camera:
    """CALVIN's static camera: a long lens from the right front, 4.2 m away."""
    return Camera.look_at(
        eye=(2.871459, -2.166602, 2.555160),
        target=(-0.026242, -0.030233, 0.392000),
        up=(0.404140, 0.226298, 0.886262),
        fov=10.0, near=0.01, far=10.0, width=size, height=size, fixed=True,
    )  # fmt: skip


def gripper_camera(size: int, position: tuple[float, ...], quaternion: tuple[float, ...]) -> Camera:
    """CALVIN's gripper camera: looks along the +y axis of its link, the image's up being -z."""
    rotation = np.array(pybullet.getMatrixFromQuaternion(quaternion)).reshape(3, 3)
    x, y, z = rotation.T
    view = np.eye(4)
    view[:3, :3] = -x, -z, -y  # right, up, backward
    view[:3, 3] = -view[:3, :3] @ position
    return Camera(view, fov=75.0, near=0.01, far=2.0, width=size, height=size)
