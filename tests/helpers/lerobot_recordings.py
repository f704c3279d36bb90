"""What was recorded in tests/data/lerobot_v21 and lerobot_v30, from episode and frame alone."""

import numpy as np

LENGTHS = (9, 12, 7)
SAID = (
    ("lift the cube",) * 9,
    ("open the drawer",) * 5 + ("close the drawer",) * 7,
    ("lift the cube",) * 7,
)


def picture(episode: int, frame: int, height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    wave = np.stack([x / 9 + frame / 5, y / 8 - frame / 7, (x + y) / 12 + frame / 3], -1)
    return (127 + 100 * np.sin(wave + episode)).astype(np.uint8)


def pictures(episode: int, height: int, width: int) -> np.ndarray:
    return np.stack([picture(episode, t, height, width) for t in range(LENGTHS[episode])])


def numbers(episode: int, width: int, ahead: int = 0) -> np.ndarray:
    frames = np.arange(LENGTHS[episode])[:, None] + ahead
    return (np.arange(width) / 8 + frames + 100 * episode).astype(np.float32)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Of the worst picture, in dB."""
    error = np.square(one.astype(float) - other).mean((1, 2, 3))
    return float(10 * np.log10(255**2 / error.max()))
