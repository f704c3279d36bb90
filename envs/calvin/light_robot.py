"""The original arm with fewer triangles: drawn by the meshes that it collides with.

CALVIN's Panda has some 100,000 triangles, and drawing them takes most of a step of its simulator.
Its collision meshes have 3,400 and look alike from afar. Physics do not change.
"""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from firsthand.common.errors import UserError

_SCHEME = "package://"


def light_urdf(urdf: Path) -> str:
    """A robot description whose visual meshes are replaced by collision meshes of the same name.

    Paths become absolute, so that the document can be stored anywhere.

    Raises:
        UserError: the file is missing or no URDF, or no mesh can be replaced.
    """
    try:
        tree = ElementTree.fromstring(urdf.read_bytes())
    except OSError as error:
        raise UserError(f"{urdf} cannot be read: {error.strerror}") from error
    except ElementTree.ParseError as error:
        raise UserError(f"{urdf} is no robot description: {error}") from error
    replaced = 0
    for shape in (*tree.iter("visual"), *tree.iter("collision")):
        for mesh in shape.iter("mesh"):
            file = urdf.parent / mesh.get("filename", "").removeprefix(_SCHEME)
            light = file.parent.parent / "collision" / file.name
            if shape.tag == "visual" and file.parent.name == "visual" and light.is_file():
                file, replaced = light, replaced + 1
            mesh.set("filename", str(file.resolve()))
    if not replaced:
        raise UserError(f"{urdf}: no visual mesh has a collision mesh of the same name")
    return ElementTree.tostring(tree, encoding="unicode")
