import numpy as np

from firsthand.episodes.episode import Episode

COLOURS = {"red": (255, 0, 0), "blue": (0, 0, 255)}


def tabletop(index: int, length: int = 5, known: bool = True, state: bool = False) -> Episode:
    """Two squares on a grey table, 1 cm a pixel, one of which is named."""
    rng = np.random.default_rng(index)
    frames = np.full((length, 32, 32, 3), 90, np.uint8)
    places = rng.permutation([6, 22])[:, None] + rng.integers(-4, 5, (2, 2))
    for (x, y), colour in zip(places, COLOURS.values(), strict=True):
        frames[:, y - 2 : y + 2, x - 2 : x + 2] = colour
    where = np.tile(places / 100, (length, 1, 1)).astype(np.float32)
    states = rng.standard_normal((length, 15)).astype(np.float32)
    return Episode(
        {"rgb_static": frames}, fps=10.0, instruction=f"push the {rng.choice([*COLOURS])} block",
        state=states if state else None, signals={"blocks": where} if known else {},
        source={"blocks": [*COLOURS]} if known else {},
    )  # fmt: skip
