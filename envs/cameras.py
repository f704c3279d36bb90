"""Where the two cameras stand: a fixed one that sees the whole desk, and one in the hand."""

from collections.abc import Mapping

import numpy as np
import pybullet

from envs.raster import Camera

SIZES_CALVIN: Mapping[str, int] = {"rgb_static": 200, "rgb_gripper": 84}  # pixels, square


def static_camera(size: int) -> Camera:
    """CALVIN's static camera: a long lens from the right front, 4.2 m away."""
    return Camera.look_at(
        eye=(2.871459, -2.166602, 2.555160),
        target=(-0.026242, -0.030233, 0.392000),
        up=(0.404140, 0.226298, 0.886262),
        fov=10.0, near=0.01, far=10.0, width=size, height=size,
    )  # fmt: skip


def gripper_camera(size: int, position: tuple[float, ...], quaternion: tuple[float, ...]) -> Camera:
    """CALVIN's gripper camera: looks along the +y axis of its link, the image's up being -z."""
    rotation = np.array(pybullet.getMatrixFromQuaternion(quaternion)).reshape(3, 3)
    return Camera.look_at(
        eye=position,
        target=tuple(np.array(position) + rotation[:, 1]),
        up=tuple(-rotation[:, 2]),
        fov=75.0, near=0.01, far=2.0, width=size, height=size,
    )  # fmt: skip
