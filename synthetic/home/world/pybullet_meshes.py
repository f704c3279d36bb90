"""Shapes that come with PyBullet (`pybullet_data`), set up like our own sculptures."""

from functools import cache
from pathlib import Path

import numpy as np

from firsthand.rendering.meshes import Mesh, load
from firsthand.synthetic.parts import pose, rotation

_UPRIGHT = rotation(0, np.pi / 2)  # y, up in most files, becomes z, and z becomes -y
_FILES = {
    "bear": ("teddy2_VHACD_CHs.obj", _UPRIGHT),
    "block": ("lego/lego.obj", _UPRIGHT),
    "bunny": ("bunny.obj", rotation(2, np.pi / 2) @ _UPRIGHT),
    "cup": ("urdf/mug.obj", rotation(2, -np.pi / 2)),
    "duck": ("duck_vhacd.obj", rotation(2, np.pi / 2) @ _UPRIGHT),
}


@cache
def found(noun: str) -> Mesh:
    """A thing of a noun, one metre high, on the middle of the floor, looking towards -y.

    Raises:
        ImportError: PyBullet is not installed.
    """
    import pybullet_data

    file, turn = _FILES[noun]
    mesh = load(Path(pybullet_data.getDataPath()) / file).transformed(pose(turn=turn))
    corners = mesh.vertices.astype(np.float64)
    low, high = corners.min(0), corners.max(0)
    grown = np.diag([1.0, 1.0, 1.0, 0.0]) / float(high[2] - low[2])
    grown[3, 3] = 1.0
    middle = pose(-(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, -low[2])
    whole = Mesh(mesh.vertices, mesh.faces)  # textures that it may have are not ours
    return whole.transformed(grown @ middle)
