"""The layouts in which chains begin: words such as "behind the left half of the door" as numbers.

In scene D they are those of CALVIN's protocol (Mees et al. 2022) to the last bit. Its places do not
fit every desk; in scenes where they lie outside the stretches in which blocks are put, they are
moved along x with the middle of that stretch.
"""

import numpy as np
from jaxtyping import Float

from firsthand.envs.playtable.layouts import (
    DRAWER_TRAVEL,
    LAYOUTS,
    SWITCH_TRAVEL,
    DeskLayout,
    Extent,
)
from firsthand.envs.tasks.symbolic import COLOURS, SymbolicState
from firsthand.envs.tasks.tasks import BULB, DRAWER, LED, SCENE_SIZE, SLIDE, SWITCH, block_slice

# CALVIN's robot_obs at the start of every chain.
START = np.array(
    [0.02586889, -0.2313129, 0.5712808, 3.09045411, -0.02908596, 1.50013585, 0.07999963]
    + [-1.21779124, 1.03987629, 2.11978254, -2.34205014, -0.87015899, 1.64119093, 0.55344928]
    + [1.0]
)

# Where CALVIN puts blocks (m): two places on the table, one in each compartment of the shelf.
TABLE_PLACES = ((0.0500000896, -0.120000177, 0.459990009), (0.229995412, -0.11999514, 0.45999001))
SHELF_PLACES = {
    "slider_left": (-0.240851662, 0.0924044687, 0.460990009),
    "slider_right": (0.0703416330, 0.0924044687, 0.460990009),
}
YAW = (np.pi / 2 - np.pi / 8, np.pi / 2 + np.pi / 8)


def initial_layout(
    condition: SymbolicState, layout: DeskLayout = LAYOUTS["D"]
) -> tuple[Float[np.ndarray, "15"], Float[np.ndarray, "24"]]:
    """The (robot_obs, scene_obs) of a starting condition. Which block lies where on the table, and
    how each is turned, is drawn from a seed made of the condition's words."""
    scene_obs = np.zeros(SCENE_SIZE)
    scene_obs[SLIDE] = layout.door_travel if condition.slider == "left" else 0.0
    scene_obs[DRAWER] = DRAWER_TRAVEL if condition.drawer == "open" else 0.0
    scene_obs[BULB], scene_obs[LED] = condition.lightbulb, condition.led
    scene_obs[SWITCH] = SWITCH_TRAVEL if condition.lightbulb else 0.0
    rng = np.random.RandomState(fnv1(f"dict_values({list(condition)})"))  # noqa: NPY002
    on_table, on_shelf = places(layout)
    rng.shuffle(on_table)
    where = {colour: getattr(condition, f"{colour}_block") for colour in COLOURS}
    second = {"red": False, "blue": where["red"] == "table", "pink": True}
    for colour, place in where.items():
        pose = scene_obs[block_slice(f"block_{colour}")]
        pose[:3] = on_table[second[colour]] if place == "table" else on_shelf[place]
        pose[5] = rng.uniform(*YAW)
    return START.copy(), scene_obs


def places(
    layout: DeskLayout,
) -> tuple[list[Float[np.ndarray, "3"]], dict[str, Float[np.ndarray, "3"]]]:
    """A scene's two places on the table, and those in the shelf by the compartment's name."""
    own = LAYOUTS["D"]
    on_table = _fitted(TABLE_PLACES, layout.spawn_table, own.spawn_table)
    (left,) = _fitted((SHELF_PLACES["slider_left"],), layout.spawn_left, own.spawn_left)
    (right,) = _fitted((SHELF_PLACES["slider_right"],), layout.spawn_right, own.spawn_right)
    return on_table, {"slider_left": left, "slider_right": right}


def _fitted(
    points: tuple[tuple[float, float, float], ...], stretch: Extent, original: Extent
) -> list[Float[np.ndarray, "3"]]:
    """Points as they are if all their x lie in a stretch, else moved with its middle."""
    inside = all(stretch[0] <= x <= stretch[1] for x, _, _ in points)
    shift = 0.0 if inside else (sum(stretch) - sum(original)) / 2
    return [np.array([x + shift, y, z]) for x, y, z in points]


def fnv1(text: str) -> int:
    """32-bit FNV-1 hash (Fowler, Noll and Vo) of the UTF-16 bytes, starting from zero."""
    value = 0
    for byte in text.encode("utf-16-le"):
        value = (value * 0x01000193 & 0xFFFFFFFF) ^ byte
    return value
