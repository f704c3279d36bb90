"""The nouns of the home: what a thing of each looks like, how often and where it is met.

No two things of a noun are alike: shape, proportions, colours, decoration and size are drawn anew.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import UInt8

from firsthand.rendering import textures
from firsthand.synthetic.home.world import animals, food, furniture, household, playthings, vehicles
from firsthand.synthetic.home.world.shapes import Sculptor, size_of
from firsthand.synthetic.parts import COLORS, MeshPart, dyed

PATTERN_TEXELS = 32


@dataclass(frozen=True)
class Noun:
    """How things of a noun are made.

    `painted`: any colour will do, and its word is said of it. `carried`: a child can lift it.
    `rooms`: where it is met most.
    """

    sculpt: Callable[[Sculptor], None]
    rooms: tuple[str, ...] = ()
    painted: bool = True
    carried: bool = True


# The most frequent first: a noun's frequency falls with its rank.
NOUNS: dict[str, Noun] = {
    "ball": Noun(playthings.ball, ("nursery", "garden")),
    "car": Noun(vehicles.car, ("nursery", "living room")),
    "book": Noun(playthings.book, ("nursery", "bedroom")),
    "cup": Noun(household.cup, ("kitchen",)),
    "bear": Noun(animals.bear, ("nursery", "bedroom"), painted=False),
    "hat": Noun(household.hat, ("bedroom", "garden")),
    "chair": Noun(furniture.chair, ("kitchen", "living room"), carried=False),
    "banana": Noun(food.banana, ("kitchen",), painted=False),
    "train": Noun(vehicles.train, ("nursery",)),
    "flower": Noun(furniture.flower, ("garden", "living room")),
    "duck": Noun(animals.duck, ("nursery",), painted=False),
    "bottle": Noun(household.bottle, ("kitchen",)),
    "boat": Noun(vehicles.boat, ("garden",)),
    "cake": Noun(food.cake, ("kitchen",), painted=False),
    "drum": Noun(playthings.drum, ("nursery",)),
    "bunny": Noun(animals.bunny, ("nursery", "garden"), painted=False),
    "giraffe": Noun(animals.giraffe, ("nursery",), painted=False),
    "butterfly": Noun(animals.butterfly, ("garden",)),
    "tree": Noun(furniture.tree, ("garden", "living room"), painted=False, carried=False),
    "clock": Noun(household.clock, ("living room", "kitchen")),
    "fish": Noun(animals.fish, ("kitchen", "nursery")),
    "lamp": Noun(furniture.lamp, ("living room", "bedroom"), painted=False, carried=False),
    "carrot": Noun(food.carrot, ("kitchen", "garden"), painted=False),
    "guitar": Noun(playthings.guitar, ("living room",), painted=False),
    "apple": Noun(food.apple, ("kitchen", "garden"), painted=False),
    "plane": Noun(vehicles.plane, ("nursery",)),
    "umbrella": Noun(playthings.umbrella, ("garden", "bedroom")),
    "bucket": Noun(household.bucket, ("garden", "kitchen")),
    "truck": Noun(vehicles.truck, ("nursery", "garden")),
    "shoe": Noun(household.shoe, ("bedroom",)),
    "pizza": Noun(food.pizza, ("kitchen",), painted=False),
    "star": Noun(playthings.star, ("bedroom",), painted=False),
    "mushroom": Noun(food.mushroom, ("garden", "kitchen"), painted=False),
    "table": Noun(furniture.table, ("kitchen", "living room"), painted=False, carried=False),
    "cat": Noun(animals.cat, ("living room", "garden"), painted=False),
    "dog": Noun(animals.dog, ("living room", "garden"), painted=False),
    "turtle": Noun(animals.turtle, ("garden", "nursery"), painted=False),
    "elephant": Noun(animals.elephant, ("nursery",), painted=False),
    "block": Noun(playthings.block, ("nursery",), painted=False),
    "robot": Noun(playthings.robot, ("nursery",), painted=False),
    "bowl": Noun(household.bowl, ("kitchen",)),
    "sock": Noun(household.sock, ("bedroom",)),
    "bed": Noun(furniture.bed, ("bedroom",), painted=False, carried=False),
    "spoon": Noun(household.spoon, ("kitchen",), painted=False),
    "key": Noun(playthings.key, ("living room",), painted=False),
    "brush": Noun(household.brush, ("bedroom",)),
    "cookie": Noun(food.cookie, ("kitchen",), painted=False),
    "egg": Noun(food.egg, ("kitchen",), painted=False),
}


@dataclass(frozen=True)
class Thing:
    """One thing, standing on z = 0 and facing -y. `color` and `size` are words, or empty."""

    noun: str
    color: str
    size: str
    parts: tuple[MeshPart, ...]
    radius: float  # metres from its middle, seen from above
    height: float

    @property
    def carried(self) -> bool:
        return NOUNS[self.noun].carried

    @property
    def reach(self) -> float:
        """How far it goes from its middle, metres."""
        return float(np.hypot(self.radius, self.height / 2))


@cache
def _patterns() -> tuple[UInt8[np.ndarray, "s s 3"], ...]:
    """Decorations that a thing's colour multiplies: stripes, rings, squares, dots."""
    ramp = np.arange(PATTERN_TEXELS)
    across, down = np.meshgrid(ramp, ramp)
    dots = np.hypot(across % 16 - 8, down % 16 - 8) < 4.5
    masks = [across % 16 < 6, down % 16 < 6, (across // 8 + down // 8) % 2 > 0, dots]
    found = []
    for mask in masks:
        for shade in (0.45, 0.65):
            found.append(np.where(mask[..., None], 255 * shade, 255).repeat(3, 2).astype(np.uint8))
        found.append(np.where(mask[..., None], (255, 90, 90), (255, 255, 255)).astype(np.uint8))
    found.append(textures.noise(0, PATTERN_TEXELS, 4, (0.6, 0.6, 0.6), (1.0, 1.0, 1.0)))
    return tuple(found)


def make_thing(noun: str, rng: np.random.Generator) -> Thing:
    """A new thing of a noun."""
    names = list(COLORS)
    first, second = rng.choice(len(names), 2, replace=False)
    shade = rng.uniform(0.8, 1.1, 2)
    paint, other = (
        dyed(np.array(COLORS[names[i]]) + rng.uniform(-0.06, 0.06, 3), k)
        for i, k in zip((first, second), shade, strict=True)
    )
    patterns = _patterns()
    pattern = patterns[rng.integers(len(patterns))] if rng.random() < 0.45 else None
    kind = NOUNS[noun]
    sculptor = Sculptor(rng, paint, other, pattern)
    kind.sculpt(sculptor)
    grown = float(rng.uniform(-1, 1))
    parts = sculptor.parts(np.exp(0.3 * grown))
    low, high = size_of(parts)
    size = "little" if grown < -0.5 else "big" if grown > 0.5 else ""
    radius = float(np.hypot(*np.maximum(-low, high)[:2])) * 0.8
    return Thing(noun, names[first] if kind.painted else "", size, parts, radius, float(high[2]))
