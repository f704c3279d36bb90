"""Procedural textures, each a pure function of a seed: square, power of two, seamless.

`Atlas` packs textures for the rasteriser.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8, UInt32

from firsthand.common.errors import UserError

Color = Sequence[float | int]


def _grid(size: int) -> tuple[Float[np.ndarray, "s s"], Float[np.ndarray, "s s"]]:
    """Coordinates (across, down) of the texel centres, in 0..1."""
    if size < 1 or size & (size - 1):
        raise UserError(f"a texture's size must be a power of two, not {size}")
    line = (np.arange(size) + 0.5) / size
    across, down = np.meshgrid(line, line)
    return across, down


def _picture(shade: Float[np.ndarray, "s s 3"]) -> UInt8[np.ndarray, "s s 3"]:
    return np.round(np.clip(shade, 0, 1) * 255).astype(np.uint8)


def _smooth_noise(
    rng: np.random.Generator, size: int, cells: tuple[int, int], octaves: int = 4
) -> Float[np.ndarray, "s s"]:
    """Seamless value noise in 0..1; its coarsest octave has `cells` = (across, down) features."""
    across, down = _grid(size)
    total, weight = np.zeros((size, size)), 0.0
    for octave in range(octaves):
        columns, rows = (min(count << octave, size) for count in cells)
        values = rng.random((rows, columns))
        x, y = across * columns, down * rows
        i, j = np.floor(x).astype(int), np.floor(y).astype(int)
        p, q = (t * t * (3 - 2 * t) for t in (x - i, y - j))
        i0, i1, j0, j1 = i % columns, (i + 1) % columns, j % rows, (j + 1) % rows
        above = values[j0, i0] * (1 - p) + values[j0, i1] * p
        below = values[j1, i0] * (1 - p) + values[j1, i1] * p
        total += 0.5**octave * (above * (1 - q) + below * q)
        weight += 0.5**octave
    return total / weight


def _between(low: Color, high: Color, mix: Float[np.ndarray, "s s"]) -> Float[np.ndarray, "s s 3"]:
    return np.array(low) + mix[..., None] * (np.array(high) - np.array(low))


def wood(
    seed: int,
    size: int = 256,
    light: Color = (0.80, 0.62, 0.42),
    dark: Color = (0.56, 0.38, 0.22),
    count: int = 6,
) -> UInt8[np.ndarray, "s s 3"]:
    """Planks' grain running across the picture: stretched noise bent into `count` rings."""
    rng = np.random.default_rng(seed)
    _, down = _grid(size)
    bend = _smooth_noise(rng, size, (2, 4))
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (count * down + 2.5 * bend))
    fibre = _smooth_noise(rng, size, (4, 64), octaves=3)
    return _picture(_between(light, dark, 0.55 * rings**2 + 0.45 * fibre))


def fabric(
    seed: int, size: int = 256, color: Color = (0.35, 0.45, 0.60)
) -> UInt8[np.ndarray, "s s 3"]:
    """A plain weave with uneven threads."""
    rng = np.random.default_rng(seed)
    across, down = _grid(size)
    threads = size // 8
    weave = np.sin(np.pi * threads * across) * np.sin(np.pi * threads * down)
    uneven = _smooth_noise(rng, size, (16, 16))
    return _picture(np.array(color) * (0.85 + 0.12 * weave + 0.3 * (uneven - 0.5))[..., None])


def tiles(
    seed: int,
    size: int = 256,
    count: int = 4,
    color: Color = (0.78, 0.76, 0.72),
    joint: Color = (0.45, 0.44, 0.43),
) -> UInt8[np.ndarray, "s s 3"]:
    """`count` x `count` tiles of slightly different shades with joints between them."""
    rng = np.random.default_rng(seed)
    across, down = _grid(size)
    shade = 0.9 + 0.15 * rng.random((count, count))
    i, j = (across * count).astype(int), (down * count).astype(int)
    edge = np.minimum(*(np.minimum(t % 1, 1 - t % 1) for t in (across * count, down * count)))
    grain = 0.97 + 0.06 * _smooth_noise(rng, size, (32, 32), octaves=2)
    face = np.array(color) * (shade[j, i] * grain)[..., None]
    return _picture(np.where((edge < 0.03)[..., None], np.array(joint), face))


def checker(
    seed: int,
    size: int = 256,
    count: int = 8,
    light: Color = (0.85, 0.85, 0.85),
    dark: Color = (0.35, 0.40, 0.50),
) -> UInt8[np.ndarray, "s s 3"]:
    """`count` x `count` squares, each with a little of its own shade."""
    rng = np.random.default_rng(seed)
    across, down = _grid(size)
    i, j = (across * count).astype(int), (down * count).astype(int)
    shade = 1 + 0.06 * (rng.random((count, count)) - 0.5)
    odd = ((i + j) % 2).astype(np.float64)
    return _picture(_between(light, dark, odd) * shade[j, i][..., None])


def noise(
    seed: int,
    size: int = 256,
    cells: int = 8,
    low: Color = (0.30, 0.42, 0.25),
    high: Color = (0.55, 0.65, 0.40),
) -> UInt8[np.ndarray, "s s 3"]:
    """Clouds between two colours, with `cells` features across."""
    rng = np.random.default_rng(seed)
    return _picture(_between(low, high, _smooth_noise(rng, size, (cells, cells), octaves=5)))


def stripes(size: int, first: Color, second: Color) -> UInt8[np.ndarray, "s s 3"]:
    """One bar of each colour."""
    bars = np.empty((size, size, 3), np.uint8)
    bars[:, : size // 2], bars[:, size // 2 :] = (
        np.round(np.array(color) * 255) for color in (second, first)
    )
    return bars


def surface(
    kind: str, seed: int, size: int, color: Color, darker: Color
) -> UInt8[np.ndarray, "s s 3"]:
    """What walls, floors and furniture are made of: `kind` is wood, checker, tiles, fabric, stripes
    or noise."""
    if kind == "wood":
        return wood(seed, size, color, darker)
    if kind == "checker":
        return checker(seed, size, 4, color, darker)
    if kind == "tiles":
        return tiles(seed, size, 4, color, darker)
    if kind == "fabric":
        return fabric(seed, size, color)
    if kind == "stripes":
        return stripes(size, color, darker)
    return noise(seed, size, 6, darker, color)


@dataclass(frozen=True)
class Atlas:
    """Every texture with its coarser levels (each half as fine), in one array.

    A texel is red + green << 8 + blue << 16.
    """

    texels: UInt32[np.ndarray, "t"]
    where: dict[int, tuple[int, int, int, int]]

    @classmethod
    def of(cls, textures: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> "Atlas":
        parts = [np.zeros(0, np.uint32)]
        where: dict[int, tuple[int, int, int, int]] = {}
        start = 0
        for texture in textures:
            if id(texture) in where:
                continue
            high, wide = texture.shape[:2]
            if high & (high - 1) or wide & (wide - 1) or not high or not wide:
                raise UserError(f"a texture's sides must be powers of two, not {wide}x{high}")
            levels = [texture.astype(np.float64)]
            while min(levels[-1].shape[:2]) > 1:
                fine = levels[-1]
                coarse = fine.reshape(fine.shape[0] // 2, 2, fine.shape[1] // 2, 2, 3)
                levels.append(coarse.mean(axis=(1, 3)))
            where[id(texture)] = (start, wide.bit_length() - 1, high.bit_length() - 1, len(levels))
            lanes = np.array([1, 1 << 8, 1 << 16])
            parts += [(np.round(level) @ lanes).astype(np.uint32).reshape(-1) for level in levels]
            start += sum(level.size // 3 for level in levels)
        return cls(np.concatenate(parts), where)
