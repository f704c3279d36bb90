"""Large things, sculpted: bed, chair, flower, lamp, table, tree."""

import numpy as np

from firsthand.synthetic.home.world.shapes import Sculptor
from firsthand.synthetic.parts import DARK, PAPER, WOOD, Color, rotation

WOODS: tuple[Color, ...] = ((0.72, 0.52, 0.32), (0.50, 0.33, 0.20), (0.88, 0.80, 0.68))
POT: Color = (0.72, 0.38, 0.22)
GREENS: tuple[Color, ...] = ((0.15, 0.48, 0.18), (0.25, 0.58, 0.22), (0.10, 0.38, 0.16))


def bed(s: Sculptor) -> None:
    w, d, h = 0.42, 0.72, 0.2
    frame = s.pick(*WOODS, s.second)
    high = s.draw(1.5, 2.4)
    for y, k in ((-d / 2, high * 0.75), (d / 2, high)):
        s.box((w, 0.03, k * h), (0, y, k * h / 2), frame)
        for x in (-w / 2, w / 2):
            s.tube([(x, y, 0), (x, y, (k + 0.12) * h)], 0.02, frame)
            s.ball(0.028, (x, y, (k + 0.18) * h), frame)
    s.box((w, d, 0.06), (0, 0, 0.6 * h), frame)
    s.box((0.94 * w, 0.95 * d, 0.09), (0, 0, 0.9 * h), PAPER)
    s.box((0.97 * w, 0.64 * d, 0.1), (0, -0.15 * d, 0.94 * h), patterned=True)
    s.ball((0.3 * w, 0.11 * d, 0.05), (0, 0.36 * d, 1.25 * h), (0.97, 0.97, 0.97))


def chair(s: Sculptor) -> None:
    w, seat, high = 0.30 * s.draw(0.9, 1.1), 0.28 * s.draw(0.9, 1.1), s.draw(0.26, 0.36)
    wood = s.pick(*WOODS, s.paint, s.paint)
    t = 0.028
    for x in (-1, 1):
        for y in (-1, 1):
            top = seat + (high if y > 0 else 0)
            s.box((t, t, top), (x * (w - t) / 2, y * (w - t) / 2, top / 2), wood)
    s.box((w, w, 0.03), (0, 0, seat), s.second if s.chance(0.4) else wood)
    back = int(s.rng.integers(3))
    y = (w - t) / 2
    s.box((w, 0.8 * t, 0.07), (0, y, seat + high - 0.035), wood)
    if back == 0:
        s.box((w - t, 0.6 * t, 0.06), (0, y, seat + 0.45 * high), wood)
    elif back == 1:
        for x in (-0.25, 0, 0.25):
            s.box((0.025, 0.5 * t, high), (x * w, y, seat + high / 2), wood)
    else:
        s.box((0.9 * w, 0.5 * t, 0.8 * high), (0, y, seat + 0.55 * high), s.second)


def flower(s: Sculptor) -> None:
    r, high = 0.075 * s.draw(0.85, 1.1), 0.22 * s.draw(0.85, 1.15)
    petals, heart = int(s.rng.integers(5, 9)), s.pick((0.98, 0.80, 0.15), (0.45, 0.25, 0.1), PAPER)
    lean = rotation(0, -s.draw(0.1, 0.5))
    top = np.array([0, -0.02, high + 0.06])
    s.tube([(0, 0, 0.05), (0.01, 0, 0.5 * high), top], 0.006, GREENS[1])
    for k in range(petals):
        turn = lean @ rotation(1, k * 2 * np.pi / petals)
        at = top + turn @ np.array([0, 0, 0.62 * r])
        s.ball((0.95 * r * np.sin(np.pi / petals), 0.08 * r, 0.48 * r), at, s.paint, turn)
    s.ball((0.28 * r, 0.14 * r, 0.28 * r), top, heart, lean)
    for x in (-1, 1):
        s.ball(
            (0.06, 0.02, 0.018),
            (x * 0.055, 0, 0.4 * high + 0.02 * x),
            GREENS[1],
            rotation(1, -x * 0.6),
        )
    if s.chance(0.7):
        s.lathe(
            [(0, 0), (0.04, 0), (0.055, 0.085), (0.062, 0.085), (0.062, 0.1), (0, 0.095)],
            color=s.pick(POT, POT, s.second),
        )


def lamp(s: Sculptor) -> None:
    high, r = s.draw(0.30, 0.42), s.draw(0.11, 0.15)
    base = s.pick(DARK, WOOD, PAPER, s.second)
    glow = s.pick((1.0, 0.93, 0.70), (1.0, 0.93, 0.70), s.paint)
    s.lathe([(0, 0), (0.09, 0), (0.085, 0.02), (0.015, 0.035), (0.012, high)], color=base)
    if s.chance(0.5):
        s.ball((0.05, 0.05, 0.06), (0, 0, 0.09), base)
    narrow = s.draw(0.5, 0.75)
    tall = s.draw(0.14, 0.2)
    s.lathe(
        [(r, high - 0.02), (narrow * r, high + tall - 0.02), (0, high + tall - 0.02)],
        color=glow,
        segments=18,
    )
    s.lathe([(0.9 * r, high - 0.015), (0.95 * r, high - 0.02)], color=glow, segments=18)


def table(s: Sculptor) -> None:
    w, d, h = s.draw(0.5, 0.7), s.draw(0.4, 0.55), s.draw(0.36, 0.46)
    wood = s.pick(*WOODS, s.paint)
    if s.chance(0.4):
        s.disc(w / 2, 0.03, (0, 0, h), wood)
        if s.chance(0.5):
            s.lathe([(0.16, 0), (0.16, 0.02), (0.03, 0.05), (0.03, h)], color=wood)
            return
        w = d = 0.6 * w
    else:
        s.box((w, d, 0.03), (0, 0, h), wood)
    for x in (-1, 1):
        for y in (-1, 1):
            s.box((0.04, 0.04, h), (x * (w / 2 - 0.03), y * (d / 2 - 0.03), h / 2), wood)


def tree(s: Sculptor) -> None:
    high = s.draw(0.55, 0.8)
    trunk = s.pick((0.42, 0.28, 0.16), (0.35, 0.24, 0.15))
    leaf = s.pick(*GREENS)
    s.lathe([(0, 0), (0.07, 0), (0.1, 0.14), (0, 0.13)], color=s.pick(POT, s.paint, DARK))
    s.tube([(0, 0, 0.1), (0, 0, 0.6 * high)], [0.03, 0.022], trunk)
    if s.chance(0.5):  # a fir
        for k in range(3):
            low, r = high * (0.35 + 0.2 * k), 0.22 * (1 - 0.25 * k)
            s.lathe([(0, low), (r, low), (0, low + 0.3 * high)], color=leaf, segments=12)
        if s.chance(0.4):
            for k in range(8):
                a, z = k * 2.4, k / 8
                s.ball(
                    0.018,
                    (
                        0.17 * (1 - z) * np.cos(a),
                        0.17 * (1 - z) * np.sin(a),
                        high * (0.42 + 0.42 * z),
                    ),
                    s.pick(s.paint, s.second),
                )
    else:  # a round crown
        for k in range(6):
            a = k * 1.26
            away = 0.0 if k == 5 else 0.1
            at = (away * np.cos(a), away * np.sin(a), high * (0.75 if k < 5 else 0.92))
            s.ball(s.draw(0.12, 0.16), at, leaf)
        if s.chance(0.4):
            for k in range(7):
                a = k * 0.9 + 0.3
                s.ball(
                    0.025,
                    (0.22 * np.cos(a), 0.22 * np.sin(a), high * s.draw(0.65, 0.95)),
                    (0.85, 0.12, 0.1),
                )
