"""Things on white, each alone and whole, as in Konkle's object categories."""

import numpy as np
from jaxtyping import UInt8

from firsthand.rendering.camera import Camera
from firsthand.rendering.rasterizer import Instance, Light, Rasteriser
from firsthand.synthetic.home.recording import STREAMS
from firsthand.synthetic.home.world.nouns import NOUNS, make_thing
from firsthand.synthetic.home.world.shapes import size_of

IMAGES = 15  # a noun
_FOV = 30.0
WHITE = (1.0, 1.0, 1.0)


def draw_object(seed: int, noun: str, number: int, size: int) -> UInt8[np.ndarray, "s s 3"]:
    """Picture `number` of a noun, `size` pixels a side: another thing in each."""
    which = list(NOUNS).index(noun)
    rng = np.random.default_rng([seed, STREAMS["objects"], which, number])
    thing = make_thing(noun, rng)
    low, high = size_of(thing.parts)
    middle, reach = (low + high) / 2, float(np.linalg.norm(high - low)) / 2
    turn, rise = rng.uniform(-0.9, 0.9), rng.uniform(0.1, 0.6)
    back = np.array([np.sin(turn) * np.cos(rise), -np.cos(turn) * np.cos(rise), np.sin(rise)])
    eye = middle + back * reach * rng.uniform(0.95, 1.1) / np.sin(np.radians(_FOV / 2))
    light = Light(
        (rng.uniform(-0.8, 0.8), -0.7, 1.0),
        ambient=0.55,
        diffuse=0.5,
        center=tuple(middle),
        radius=1.5 * reach,
        resolution=192,
    )
    instances = [Instance(part.mesh, part.color or WHITE, part.texture) for part in thing.parts]
    camera = Camera.look_at(
        eye, middle, (0, 0, 1), fov=_FOV, near=0.02, far=50, width=size, height=size
    )
    still = np.tile(np.eye(4), (len(instances), 1, 1))
    return Rasteriser(instances, light, WHITE).draw(camera, still).rgb
