"""The pictures that a PyBullet world's meshes are painted with, for our rasteriser.

PyBullet finds them through a mesh's material file and does not say which it used: they are looked
up in the same way here.
"""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from firsthand.common.errors import UserError
from firsthand.rendering.bullet import pybullet
from firsthand.rendering.pybullet_renderer import BodyLink

SIDE = 512  # texels; the desk's pictures have 720 x 480


def textures(client: int) -> dict[BodyLink, UInt8[np.ndarray, "h w 3"]]:
    """The texture of every link whose mesh has one. As PyBullet reads it, v = 0 is the first row.

    Raises:
        UserError: a picture that a material names cannot be read.
    """
    found: dict[BodyLink, UInt8[np.ndarray, "h w 3"]] = {}
    read: dict[Path, UInt8[np.ndarray, "h w 3"]] = {}
    for index in range(pybullet.getNumBodies(physicsClientId=client)):
        body = pybullet.getBodyUniqueId(index, physicsClientId=client)
        for shape in pybullet.getVisualShapeData(body, physicsClientId=client):
            picture = _picture(Path(shape[4].decode()))
            if picture is not None:
                if picture not in read:
                    read[picture] = _read(picture)
                found[body, shape[1]] = read[picture]
    return found


def _picture(mesh: Path) -> Path | None:
    """The picture that an .obj file is painted with: the first that its materials name and that is
    there. Some name one on the disk of whoever made them, and PyBullet passes over those."""
    if mesh.suffix != ".obj":
        return None
    materials = [mesh.with_name(name) for name in _values(mesh, "mtllib")]
    pictures = [mesh.parent / name for file in materials for name in _values(file, "map_Kd")]
    return next((picture for picture in pictures if picture.is_file()), None)


def _values(file: Path, key: str) -> list[str]:
    """What follows `key` on lines that begin with it; nothing where there is no such file."""
    if not file.is_file():
        return []
    lines = file.read_text(errors="replace").splitlines()
    words = [line.split(maxsplit=1) for line in lines if line.strip().startswith(key)]
    return [pair[1].strip() for pair in words if len(pair) == 2]


def _read(file: Path) -> UInt8[np.ndarray, "h w 3"]:
    from PIL import Image

    try:
        with Image.open(file) as picture:
            pixels = np.asarray(picture.convert("RGB").resize((SIDE, SIDE)))
    except OSError as error:
        raise UserError(f"{file}, a texture of calvin_env, cannot be read: {error}") from error
    return np.ascontiguousarray(pixels)
