"""Vehicles, sculpted: boat, car, plane, train, truck."""

import numpy as np

from firsthand.synthetic.home.world.shapes import FACING, LYING, Sculptor, smooth
from firsthand.synthetic.parts import DARK, PAPER, WOOD, Color, rotation

GLASS: Color = (0.62, 0.80, 0.90)
RUBBER: Color = (0.12, 0.12, 0.13)
STEEL: Color = (0.70, 0.72, 0.75)


def _wheels(s: Sculptor, x: float, places: tuple[float, ...], r: float, hub: Color) -> None:
    """Pairs of wheels that stand on the ground, their axles along x."""
    for y in places:
        for side in (-x, x):
            s.disc(r, 0.55 * r, (side, y, r), RUBBER, LYING)
            s.disc(0.5 * r, 0.62 * r, (side, y, r), hub, LYING)


def _profile(s: Sculptor, side: np.ndarray, width: float, color: Color | None = None) -> None:
    """A hull cut along a side view (y, z), of some width along x. The middle must see all of it."""
    middle = side.mean(0)
    s.plate(side - middle, width, (0, middle[0], middle[1]), color, rotation(2, np.pi / 2))


def boat(s: Sculptor) -> None:
    a = 0.07 * s.draw(0.9, 1.1)
    hull = np.array([(-0.75, 0.0), (0.7, 0.0), (1.0, 0.5), (-1.2, 0.55)]) * a
    _profile(s, hull, 0.75 * a)
    band = np.array([(-1.12, 0.42), (0.95, 0.36), (1.02, 0.54), (-1.24, 0.58)]) * a
    _profile(s, band, 0.8 * a, s.second)
    s.box((0.6 * a, 1.7 * a, 0.05 * a), (0, -0.05 * a, 0.56 * a), WOOD)
    if s.chance(0.65):
        s.tube([(0, 0, 0.5 * a), (0, 0, 2.7 * a)], 0.05 * a, WOOD)
        sail = s.pick(PAPER, PAPER, s.second)
        for outline in (
            [(0.06, 0.75), (1.0, 0.75), (0.06, 2.6)],
            [(-0.95, 0.8), (-0.06, 0.8), (-0.06, 2.3)],
        ):
            _profile(s, np.array(outline) * a, 0.03 * a, sail)
    else:
        s.box((0.5 * a, 0.8 * a, 0.45 * a), (0, 0.1 * a, 0.78 * a), PAPER)
        for y in (-0.1, 0.3):
            s.disc(0.1 * a, 0.55 * a, (0, y * a, 0.8 * a), GLASS, LYING)
        s.tube([(0, 0.15 * a, 1.0 * a), (0, 0.15 * a, 1.55 * a)], 0.14 * a, s.second)


def car(s: Sculptor) -> None:
    a, long = 0.045 * s.draw(0.9, 1.1), s.draw(0.9, 1.15)
    w, roof = 1.7 * a, s.draw(1.45, 1.75)
    body = smooth(
        [(-2.1, 0.35), (2.1, 0.35), (2.15, 0.95), (1.6, 1.1), (-1.3, 1.05), (-2.1, 0.85)], 1
    )
    _profile(s, body * [long * a, a], w)
    front, rear = s.draw(-1.0, -0.6), s.draw(1.2, 1.8)
    cabin = np.array(
        [(front - 0.35, 1.0), (rear + 0.2, 1.0), (rear - 0.3, roof), (front + 0.3, roof)]
    )
    _profile(s, cabin * [long * a, a], 0.86 * w, GLASS)
    s.box(
        (0.8 * w, (rear - front - 0.5) * long * a, 0.12 * a),
        (0, (front + rear) / 2 * long * a, (roof + 0.02) * a),
    )
    for y in (front + 0.12, (front + rear) / 2, rear - 0.12):
        s.box((0.89 * w, 0.13 * a, (roof - 1) * a), (0, y * long * a, (roof + 1) / 2 * a))
    _wheels(s, w / 2, (-1.25 * long * a, 1.25 * long * a), 0.48 * a, STEEL)
    for x in (-1, 1):
        s.ball(
            (0.17 * a, 0.08 * a, 0.17 * a),
            (x * 0.6 * a, -2.1 * long * a, 0.75 * a),
            (1.0, 0.95, 0.6),
        )
        s.ball(
            (0.17 * a, 0.08 * a, 0.12 * a),
            (x * 0.6 * a, 2.12 * long * a, 0.75 * a),
            (0.75, 0.1, 0.1),
        )
    s.box((1.02 * w, 0.12 * a, 0.2 * a), (0, -2.1 * long * a, 0.45 * a), STEEL)


def plane(s: Sculptor) -> None:
    a = 0.045
    z = 0.95 * a
    body = s.pick(PAPER, PAPER, s.paint)
    wing = s.paint if body != s.paint else s.second
    line = [(0, y * a, z) for y in (-2.3, -2.05, -1.5, -0.5, 0.8, 2.0, 2.4)]
    s.tube(line, [r * a for r in (0.12, 0.38, 0.5, 0.52, 0.48, 0.25, 0.1)], body)
    sweep = s.draw(0.0, 0.8)
    for x in (-1, 1):
        # Along x from the body, swept back; a plate stands, so it is laid down.
        flat = np.array([(0.3, 0.55), (2.3, 0.3 - sweep), (2.3, -0.25 - sweep), (0.3, -0.45)]) * a
        outline = (flat * [x, 1])[::-x]
        middle = outline.mean(0)
        s.plate(
            outline - middle,
            0.1 * a,
            (middle[0], -middle[1] - 0.2 * a, z),
            wing,
            rotation(0, np.pi / 2),
        )
        small = np.array([(0.1, 0.2), (0.95, 0.0), (0.95, -0.3), (0.1, -0.3)]) * a
        outline = (small * [x, 1])[::-x]
        middle = outline.mean(0)
        s.plate(
            outline - middle,
            0.08 * a,
            (middle[0], 2.05 * a - middle[1], z + 0.1 * a),
            wing,
            rotation(0, np.pi / 2),
        )
        s.disc(0.28 * a, 0.2 * a, (x * 0.6 * a, -0.3 * a, 0.28 * a), RUBBER, LYING)
    fin = np.array([(1.6, 1.2), (2.35, 1.2), (2.5, 2.2), (2.15, 2.2)]) * a
    _profile(s, fin, 0.1 * a, wing)
    s.ball((0.36 * a, 0.5 * a, 0.3 * a), (0, -1.5 * a, z + 0.33 * a), GLASS)
    for y in (-0.7, -0.2, 0.3, 0.8):
        s.disc(0.12 * a, 1.04 * a, (0, y * a, z + 0.12 * a), GLASS, LYING)
    if s.chance(0.5):
        s.box((1.7 * a, 0.05 * a, 0.16 * a), (0, -2.35 * a, z), DARK, rotation(1, s.draw(0, 3)))


def train(s: Sculptor) -> None:
    a = 0.04
    trim = s.second
    s.box((1.5 * a, 4.0 * a, 0.3 * a), (0, 0, 0.75 * a), DARK)
    boiler = [(0, -0.0), (0.72 * a, 0), (0.72 * a, 2.3 * a), (0, 2.3 * a)]
    s.lathe(boiler, (0, 0.4 * a, 1.6 * a), turn=FACING, segments=16)
    s.disc(0.6 * a, 0.2 * a, (0, -1.95 * a, 1.6 * a), trim, FACING)
    s.box((1.5 * a, 1.3 * a, 2.0 * a), (0, 1.15 * a, 1.9 * a), trim)
    s.box((1.54 * a, 0.7 * a, 0.7 * a), (0, 1.15 * a, 2.3 * a), GLASS)
    s.box((1.75 * a, 1.7 * a, 0.16 * a), (0, 1.15 * a, 2.95 * a))
    flare = s.draw(0.3, 0.5)
    s.lathe(
        [(0.22 * a, 0), (0.24 * a, 0.6 * a), (flare * a, 0.95 * a), (0, 0.95 * a)],
        (0, -1.3 * a, 2.2 * a),
        DARK,
    )
    s.ball(0.3 * a, (0, -0.3 * a, 2.3 * a), (0.95, 0.80, 0.25))
    s.plate(
        np.array([(-0.75, 0.5), (-0.85, 0), (0.85, 0), (0.75, 0.5)]) * a,
        0.3 * a,
        (0, -2.1 * a, 0.15 * a),
        trim,
    )
    _wheels(
        s,
        0.75 * a,
        (-1.3 * a, -0.2 * a, 1.2 * a),
        0.52 * a,
        s.pick((0.85, 0.15, 0.12), (0.95, 0.8, 0.25)),
    )


def truck(s: Sculptor) -> None:
    a = 0.045
    s.box((1.5 * a, 4.6 * a, 0.3 * a), (0, 0.1 * a, 0.7 * a), DARK)
    s.box((1.6 * a, 1.3 * a, 1.6 * a), (0, -1.6 * a, 1.55 * a))
    s.box((1.4 * a, 0.1 * a, 0.65 * a), (0, -2.26 * a, 1.85 * a), GLASS)
    s.box((1.64 * a, 0.7 * a, 0.55 * a), (0, -1.65 * a, 1.9 * a), GLASS)
    load = s.second
    if s.chance(0.5):
        s.box((1.7 * a, 2.9 * a, 2.1 * a), (0, 0.75 * a, 1.95 * a), load)
        s.box((1.74 * a, 2.2 * a, 0.4 * a), (0, 0.75 * a, 2.1 * a), s.paint)
    else:
        tip = rotation(0, -s.draw(0.0, 0.35))
        for size, at in (
            ((1.8 * a, 3.0 * a, 0.15 * a), (0, 0, -0.45 * a)),
            ((0.15 * a, 3.0 * a, 1.0 * a), (-0.85 * a, 0, 0)),
            ((0.15 * a, 3.0 * a, 1.0 * a), (0.85 * a, 0, 0)),
            ((1.8 * a, 0.15 * a, 1.2 * a), (0, -1.45 * a, 0.1 * a)),
        ):
            s.box(size, tip @ np.array(at) + [0, 0.8 * a, 1.5 * a], load, tip)
    for x in (-1, 1):
        s.ball((0.2 * a, 0.1 * a, 0.2 * a), (x * 0.55 * a, -2.27 * a, 1.1 * a), (1.0, 0.95, 0.6))
    _wheels(s, 0.8 * a, (-1.5 * a, 0.5 * a, 1.6 * a), 0.55 * a, STEEL)
