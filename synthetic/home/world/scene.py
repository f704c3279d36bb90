"""What a recording shows: a room, the things that lie about in it, hands that come and go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from firsthand.rendering.meshes import box, merge
from firsthand.synthetic.hand import SKINS, Hand, hand_parts, hand_poses
from firsthand.synthetic.home.world.furnishings import MARGIN, Rng
from firsthand.synthetic.home.world.house import House, build_house
from firsthand.synthetic.home.world.nouns import NOUNS, Thing, make_thing
from firsthand.synthetic.parts import COLORS, Color, MeshPart, dyed, placed, rotation

THINGS = 14  # in a room
STEEP = 0.7  # how much rarer nouns get with their rank


@dataclass(frozen=True)
class HomeScene:
    """Everything that stays the same during a recording.

    `places` are where the things stand when nobody moves them, metres, and `turns` how they are
    turned about z, radians. `boards` can hide the things and `trays` lie under those that are shown
    (one for each thing, as large as it needs). Hands have their grasp point at the origin and come
    from the viewer (`own`) or from somebody else.
    """

    house: House
    things: tuple[Thing, ...]
    places: Float[np.ndarray, "n 3"]
    turns: Float[np.ndarray, "n"]
    boards: tuple[MeshPart, ...]
    trays: tuple[MeshPart, ...]
    own_hand: tuple[MeshPart, ...]
    other_hand: tuple[MeshPart, ...]


def noun_weights(kind: str) -> Mapping[str, float]:
    """How often each noun is met in a kind of room: by rank, three times as often at home."""
    return {
        noun: (rank + 2) ** -STEEP * (3.0 if kind in made.rooms else 1.0)
        for rank, (noun, made) in enumerate(NOUNS.items())
    }


def make_scene(kind: str, rng: Rng, weights: Mapping[str, float], count: int = THINGS) -> HomeScene:
    """A room of a kind with `count` things of different nouns, drawn by their weights."""
    house = build_house(kind, rng)
    share = np.array(list(weights.values()))
    nouns = rng.choice(list(weights), count, replace=False, p=share / share.sum())
    things = [make_thing(str(noun), rng) for noun in nouns]
    places, kept = _place(things, house, rng)
    things = [things[i] for i in kept]
    skin, other = (np.array(SKINS[i]) for i in rng.integers(len(SKINS), size=2))
    cloth = house.parts[0].texture
    boards = [_board(thing, rng) for thing in things]
    trays = [
        MeshPart(
            box((4.2 * t.reach, 3.0 * t.reach, 0.02)).tiled(0.6 * t.reach),
            (0.95, 0.95, 0.95),
            cloth,
        )
        for t in things
    ]
    return HomeScene(
        house,
        tuple(things),
        places,
        rng.uniform(-np.pi, np.pi, len(things)),
        tuple(boards),
        tuple(trays),
        _hand(dyed(skin), rng, 0.7, np.array([0.1, -0.3, -0.4])),
        _hand(dyed(other), rng, 0.9, np.array([0.1, -0.5, -0.1])),
    )


def _board(thing: Thing, rng: Rng) -> MeshPart:
    color = dyed(np.array(COLORS[str(rng.choice(list(COLORS)))]) * rng.uniform(0.6, 1.1))
    size = 2.3 * thing.reach
    return MeshPart(box((size, 0.01, size)), color)


def _hand(skin: Color, rng: Rng, scale: float, shoulder: np.ndarray) -> tuple[MeshPart, ...]:
    """A hand that holds something, as two meshes: skin and sleeve."""
    sleeve = dyed(np.array(COLORS[str(rng.choice(list(COLORS)))]) * rng.uniform(0.5, 1.0))
    parts = hand_parts(skin, sleeve, rng.uniform(0.02, 0.15))
    side = 1 if rng.random() < 0.7 else -1
    held = Hand(np.zeros(3), rng.uniform(-0.2, 0.4), 1.6 * side, rng.uniform(0.2, 0.6))
    poses = hand_poses(held, shoulder * [side, 1, 1], side)
    grown = np.diag([scale, scale, scale, 1.0])
    moved = [
        (part.color, part.mesh.transformed(grown @ at))
        for part, at in zip(parts, poses, strict=True)
    ]
    return tuple(
        MeshPart(merge([mesh for worn, mesh in moved if worn == color]), color)
        for color in (skin, sleeve)
    )


def _place(
    things: Sequence[Thing], house: House, rng: Rng
) -> tuple[Float[np.ndarray, "n 3"], list[int]]:
    """Where things stand, apart from each other; those for which there is no room are left out."""
    reach = house.half - MARGIN
    places: list[np.ndarray] = []
    kept: list[int] = []
    for index, thing in enumerate(things):
        for _ in range(40):
            height = 0.0
            spot = rng.uniform(-reach, reach)
            if house.supports and thing.carried and rng.random() < 0.3:
                on = house.supports[int(rng.integers(len(house.supports)))]
                spot, height = on.middle + rng.uniform(-0.85, 0.85, 2) * on.half, on.height
            else:
                outside = [np.abs(spot - s.middle) - s.half - thing.radius for s in house.supports]
                if any((gap < 0).all() for gap in outside):
                    continue
            gaps = [
                np.hypot(*(spot - other[:2])) - 0.8 * (thing.radius + things[k].radius)
                for other, k in zip(places, kept, strict=True)
            ]
            if min(gaps, default=1.0) > 0.02:
                places.append(np.array([*spot, height]))
                kept.append(index)
                break
    return np.array(places).reshape(-1, 3), kept


def resting(scene: HomeScene) -> Float[np.ndarray, "n 4 4"]:
    """Where the things are when nobody moves them."""
    return np.stack(
        [
            placed(position, rotation(2, turn))
            for position, turn in zip(scene.places, scene.turns, strict=True)
        ]
    )
