"""Animals, sculpted: bear, bunny, butterfly, cat, dog, duck, elephant, fish, giraffe, turtle."""

import numpy as np

from firsthand.synthetic.home.world.shapes import FOUND, Sculptor, ellipse, smooth
from firsthand.synthetic.parts import DARK, Color, rotation

FUR: tuple[Color, ...] = (
    (0.50, 0.31, 0.17),
    (0.72, 0.52, 0.32),
    (0.88, 0.82, 0.74),
    (0.30, 0.22, 0.18),
    (0.55, 0.55, 0.57),
)
BEAK: Color = (0.95, 0.52, 0.08)
ROSE: Color = (0.92, 0.62, 0.62)


def bear(s: Sculptor) -> None:
    r, fur = 0.075 * s.draw(0.9, 1.1), s.pick(*FUR[:4])
    if s.chance(FOUND):
        s.find("bear", 3.4 * r, fur)
        return
    pale = s.pick((0.93, 0.85, 0.70), (0.85, 0.70, 0.52))
    fat, head = s.draw(0.9, 1.15), s.draw(0.72, 0.85)
    s.ball((fat * r, 0.9 * fat * r, 1.05 * r), (0, 0, 1.05 * r), fur)
    s.ball((0.6 * r, 0.3 * r, 0.7 * r), (0, -0.72 * fat * r, 1.0 * r), pale)
    top = 2.55 * r
    s.ball((head * r, 0.85 * head * r, head * r), (0, -0.1 * r, top), fur)
    s.ball((0.38 * r, 0.32 * r, 0.30 * r), (0, -0.72 * r, top - 0.18 * r), pale)
    s.ball(0.12 * r, (0, -1.02 * r, top - 0.08 * r), DARK)
    s.eyes(0.28 * r, (0, -0.72 * r, top + 0.2 * r), 0.09 * r)
    for x in (-1, 1):
        s.ball((0.30 * r, 0.16 * r, 0.30 * r), (x * 0.68 * r, 0, top + 0.68 * r), fur)
        s.ball((0.17 * r, 0.1 * r, 0.17 * r), (x * 0.68 * r, -0.1 * r, top + 0.68 * r), pale)
        s.ball(
            (0.3 * r, 0.3 * r, 0.62 * r),
            (x * fat * r, -0.25 * r, 1.25 * r),
            fur,
            rotation(1, -x * 0.6),
        )
        s.ball((0.38 * r, 0.6 * r, 0.38 * r), (x * 0.62 * r, -0.75 * r, 0.38 * r), fur)
        s.ball((0.24 * r, 0.1 * r, 0.24 * r), (x * 0.62 * r, -1.3 * r, 0.4 * r), pale)
    if s.chance(0.4):
        s.ball((0.5 * r, 0.3 * r, 0.16 * r), (0, -0.5 * r, 1.85 * r), s.paint)


def bunny(s: Sculptor) -> None:
    r = 0.06 * s.draw(0.9, 1.1)
    fur = s.pick((0.93, 0.92, 0.90), (0.72, 0.62, 0.52), (0.60, 0.60, 0.62), (0.96, 0.80, 0.82))
    if s.chance(FOUND):
        s.find("bunny", 3.2 * r, fur)
        return
    s.ball((0.9 * r, 1.0 * r, 1.1 * r), (0, 0.1 * r, 1.0 * r), fur)
    top = 2.35 * r
    s.ball((0.72 * r, 0.68 * r, 0.70 * r), (0, -0.25 * r, top), fur)
    s.ball((0.3 * r, 0.22 * r, 0.22 * r), (0, -0.82 * r, top - 0.2 * r), (0.96, 0.95, 0.93))
    s.ball(0.09 * r, (0, -1.03 * r, top - 0.1 * r), ROSE)
    s.eyes(0.36 * r, (0, -0.8 * r, top + 0.15 * r), 0.10 * r)
    long, lean = s.draw(0.9, 1.3) * r, s.draw(0.1, 0.35)
    for x in (-1, 1):
        turn = rotation(1, x * lean)
        up = np.array([x * 0.32 * r, -0.15 * r, top + 0.5 * r])
        ear = up + turn @ np.array([0, 0, 0.75 * long])
        s.ball((0.24 * r, 0.12 * r, long), ear, fur, turn)
        s.ball((0.13 * r, 0.06 * r, 0.75 * long), ear + [0, -0.09 * r, 0], ROSE, turn)
        s.ball((0.26 * r, 0.55 * r, 0.22 * r), (x * 0.5 * r, -0.7 * r, 0.22 * r), fur)
        s.ball((0.2 * r, 0.2 * r, 0.42 * r), (x * 0.6 * r, -0.65 * r, 1.15 * r), fur)
    s.ball(0.28 * r, (0, 1.1 * r, 0.6 * r), (0.97, 0.97, 0.97))


def butterfly(s: Sculptor) -> None:
    r, spread = 0.065, s.draw(0.15, 0.6)
    edge = s.pick(DARK, s.second)
    upper = smooth([(0.0, 0.0), (0.9, -0.1), (1.25, 0.5), (1.0, 1.0), (0.3, 0.7)], 2) * r
    lower = smooth([(0.0, 0.05), (0.25, -0.8), (0.8, -0.95), (0.95, -0.35), (0.6, 0.05)], 2) * r
    lift = np.array([0, 0, 1.0 * r])
    lean = rotation(0, s.draw(0.2, 0.7))
    for x in (-1, 1):
        turn = lean @ rotation(2, x * spread)
        for wing, spots in ((upper, ((0.75, 0.45), (0.95, 0.7))), (lower, ((0.55, -0.55),))):
            middle = wing.mean(0)
            shape = (wing - middle) * [x, 1]
            outline = shape if x > 0 else shape[::-1]
            at = turn @ np.array([x * middle[0], 0, middle[1]]) + lift
            s.plate(outline * 1.12, 0.004, at, edge, turn)
            s.plate(outline * 0.9, 0.008, at, s.paint, turn)
            for u, v in spots:
                at = turn @ np.array([x * u * r, 0, v * r]) + lift
                s.plate(ellipse(0.16 * r, 0.16 * r, 8), 0.011, at, s.second, turn)
    s.ball((0.1 * r, 0.1 * r, 0.75 * r), lift, DARK, lean)
    s.ball(0.15 * r, lift + lean @ np.array([0, 0, 0.8 * r]), DARK)
    for x in (-1, 1):
        root = lift + lean @ np.array([0, 0, 0.85 * r])
        s.tube([root, root + lean @ np.array([x * 0.3 * r, 0, 0.5 * r])], 0.03 * r, DARK)


def _legs(s: Sculptor, x: float, y: float, high: float, r: float, color: Color) -> None:
    for a in (-x, x):
        for b in (-y, y):
            s.tube([(a, b, 0), (a, b, high)], [1.05 * r, r], color)


def cat(s: Sculptor) -> None:
    r = 0.055
    fur = s.pick((0.88, 0.55, 0.22), (0.45, 0.45, 0.47), (0.14, 0.13, 0.14), (0.92, 0.90, 0.86))
    pale = (0.95, 0.93, 0.90)
    s.ball((0.75 * r, 1.0 * r, 1.2 * r), (0, 0.3 * r, 1.1 * r), fur, rotation(0, -0.25))
    s.ball((0.45 * r, 0.3 * r, 0.7 * r), (0, -0.45 * r, 1.1 * r), pale)
    top = 2.6 * r
    s.ball((0.85 * r, 0.7 * r, 0.7 * r), (0, -0.35 * r, top), fur)
    for x in (-1, 1):
        ear = rotation(1, x * 0.3)
        at = np.array([x * 0.52 * r, -0.35 * r, top + 0.4 * r])
        s.lathe([(0.33 * r, 0), (0, 0.75 * r)], at, fur, ear, segments=4)
        s.lathe([(0.2 * r, 0), (0, 0.5 * r)], at + [0, -0.14 * r, 0.02 * r], ROSE, ear, segments=4)
        s.ball(
            (0.13 * r, 0.08 * r, 0.16 * r),
            (x * 0.34 * r, -0.98 * r, top + 0.12 * r),
            (0.55, 0.75, 0.25),
        )
        s.ball(0.075 * r, (x * 0.34 * r, -1.05 * r, top + 0.12 * r), DARK)
        s.ball((0.2 * r, 0.15 * r, 0.15 * r), (x * 0.15 * r, -1.0 * r, top - 0.25 * r), pale)
        s.tube([(x * 0.35 * r, -0.6 * r, 0), (x * 0.35 * r, -0.45 * r, 1.1 * r)], 0.2 * r, fur)
        s.ball((0.45 * r, 0.65 * r, 0.45 * r), (x * 0.6 * r, 0.55 * r, 0.45 * r), fur)
        for z in (-0.05, 0.08):
            whisker = [
                (x * 0.3 * r, -1.05 * r, top - 0.2 * r),
                (x * 1.2 * r, -0.95 * r, top + (z - 0.2) * r),
            ]
            s.tube(whisker, 0.02 * r, pale)
    s.ball(0.07 * r, (0, -1.1 * r, top - 0.12 * r), ROSE)
    bend = s.draw(0.5, 1.0)
    tail = [
        (0, 1.1 * r, 0.3 * r),
        (0.7 * r, 1.6 * r, 0.4 * r),
        (1.1 * r, 1.5 * r, bend * 1.2 * r),
        (1.0 * r, 1.3 * r, bend * 2.2 * r),
    ]
    s.tube(tail, [0.2 * r, 0.19 * r, 0.18 * r, 0.12 * r], fur)


def dog(s: Sculptor) -> None:
    r, fur = 0.055, s.pick(*FUR)
    ears = s.pick(*FUR) if s.chance(0.6) else fur
    tall = s.draw(0.8, 1.3) * r
    _legs(s, 0.42 * r, 0.85 * r, tall + 0.3 * r, 0.22 * r, fur)
    s.ball((0.68 * r, 1.35 * r, 0.68 * r), (0, 0, tall + 0.5 * r), fur)
    if s.chance(0.5):
        s.ball((0.5 * r, 0.6 * r, 0.3 * r), (0.1 * r, 0.3 * r, tall + 0.93 * r), ears)
    top = tall + 1.55 * r
    s.tube([(0, -0.9 * r, tall + 0.7 * r), (0, -1.3 * r, top)], [0.5 * r, 0.42 * r], fur)
    s.ball((0.6 * r, 0.65 * r, 0.58 * r), (0, -1.4 * r, top), fur)
    s.ball((0.33 * r, 0.55 * r, 0.28 * r), (0, -2.0 * r, top - 0.15 * r), fur)
    s.ball(0.15 * r, (0, -2.5 * r, top - 0.02 * r), DARK)
    s.eyes(0.3 * r, (0, -1.92 * r, top + 0.22 * r), 0.1 * r)
    for x in (-1, 1):
        s.ball(
            (0.14 * r, 0.3 * r, 0.6 * r),
            (x * 0.66 * r, -1.3 * r, top - 0.05 * r),
            ears,
            rotation(1, -x * 0.25),
        )
    s.tube(
        [(0, 1.2 * r, tall + 0.8 * r), (0, 1.7 * r, tall + 1.3 * r), (0, 1.8 * r, tall + 1.9 * r)],
        [0.17 * r, 0.14 * r, 0.08 * r],
        fur,
    )
    s.lathe(
        [(0.5 * r, -0.1 * r), (0.5 * r, 0.1 * r)],
        (0, -1.12 * r, tall + 1.0 * r),
        s.paint,
        rotation(0, 0.6),
    )


def duck(s: Sculptor) -> None:
    r, long, big = 0.05, s.draw(1.15, 1.5), s.draw(0.55, 0.78)
    yellow = (0.97, 0.82, 0.10)
    down = s.pick(yellow, yellow, (0.95, 0.70, 0.05), (0.93, 0.93, 0.90))
    if s.chance(FOUND):
        s.find("duck", 2.6 * r, down)
        return
    s.ball((0.95 * r, long * r, 0.8 * r), (0, 0, 0.75 * r), down)
    s.ball((0.4 * r, 0.6 * r, 0.3 * r), (0, 0.9 * long * r, 1.15 * r), down, rotation(0, 0.7))
    head = s.draw(1.8, 2.2) * r
    front = -0.75 * r - big * r
    s.tube([(0, -0.6 * r, r), (0, -0.75 * r, head)], [0.55 * r, 0.4 * r], down)
    s.ball(big * r, (0, -0.75 * r, head), down)
    s.ball((0.36 * r, 0.5 * r, 0.12 * r), (0, front - 0.1 * r, head - 0.1 * r), BEAK)
    s.ball((0.28 * r, 0.4 * r, 0.08 * r), (0, front, head - 0.25 * r), BEAK)
    s.eyes(0.55 * big * r, (0, -0.75 * r - 0.72 * big * r, head + 0.33 * big * r), 0.11 * r)
    for x in (-1, 1):
        wing = (0.16 * r, 0.75 * r, 0.45 * r)
        s.ball(wing, (x * 0.9 * r, 0.2 * r, 0.95 * r), down, rotation(0, 0.35))
    if s.chance(0.3):
        s.lathe([(0.58 * r, 0), (0.5 * r, 0.25 * r)], (0, -0.68 * r, 1.25 * r), s.paint)


def elephant(s: Sculptor) -> None:
    r = 0.075
    skin = s.pick((0.55, 0.58, 0.62), (0.55, 0.58, 0.62), (0.50, 0.60, 0.75), (0.80, 0.62, 0.70))
    _legs(s, 0.55 * r, 0.6 * r, 1.0 * r, 0.32 * r, skin)
    s.ball((0.95 * r, 1.2 * r, 0.95 * r), (0, 0.1 * r, 1.45 * r), skin)
    top = 1.9 * r
    s.ball((0.72 * r, 0.7 * r, 0.75 * r), (0, -1.1 * r, top), skin)
    curl = s.draw(-0.2, 1.0)
    trunk = [
        (0, -1.65 * r, top - 0.1 * r),
        (0, -2.0 * r, top - 0.7 * r),
        (0, -2.1 * r, top - 1.25 * r),
        (0, -2.4 * r, top - (1.6 - 0.6 * curl) * r),
    ]
    s.tube(trunk, [0.34 * r, 0.26 * r, 0.2 * r, 0.16 * r], skin)
    s.eyes(0.42 * r, (0, -1.68 * r, top + 0.2 * r), 0.08 * r)
    for x in (-1, 1):
        fan = rotation(2, x * 0.5)
        s.ball((0.72 * r, 0.1 * r, 0.8 * r), (x * 1.15 * r, -0.85 * r, top + 0.1 * r), skin, fan)
        s.ball((0.5 * r, 0.08 * r, 0.58 * r), (x * 1.15 * r, -0.93 * r, top + 0.08 * r), ROSE, fan)
        tusk = [(x * 0.35 * r, -1.6 * r, top - 0.4 * r), (x * 0.42 * r, -2.1 * r, top - 0.55 * r)]
        s.tube(tusk, [0.1 * r, 0.03 * r], (0.96, 0.95, 0.88))
    s.tube([(0, 1.25 * r, 1.6 * r), (0, 1.5 * r, 0.9 * r)], 0.05 * r, skin)


def fish(s: Sculptor) -> None:
    r, tall = 0.05, s.draw(0.55, 0.85)
    lift = np.array([0, 0, 1.0 * r])
    s.ball((1.35 * r, 0.4 * r, tall * r), lift, patterned=True)
    fin = s.second
    tail = np.array([(-0.1, 0.0), (0.75, -0.7), (0.5, 0.0), (0.75, 0.7)]) * r
    s.plate(tail, 0.012, lift + [1.3 * r, 0, 0], fin)
    top = np.array([(-0.6, -0.15), (0.6, -0.15), (0.75, 0.45), (0.0, 0.4)]) * r
    s.plate(top, 0.010, lift + [0.1 * r, 0, (tall + 0.05) * r], fin)
    for y in (-1, 1):
        s.ball((0.3 * r, 0.05 * r, 0.2 * r), lift + [0.1 * r, 0.42 * y * r, -0.15 * r], fin)
        s.ball(
            (0.17 * r, 0.08 * r, 0.17 * r),
            lift + [-0.85 * r, 0.27 * y * r, 0.15 * r],
            (0.97, 0.97, 0.97),
        )
        s.ball(0.085 * r, lift + [-0.87 * r, 0.35 * y * r, 0.15 * r], DARK)
    s.ball((0.1 * r, 0.12 * r, 0.08 * r), lift + [-1.33 * r, 0, -0.1 * r], ROSE)


def giraffe(s: Sculptor) -> None:
    r = 0.05
    coat = s.pick((0.95, 0.78, 0.30), (0.90, 0.70, 0.38))
    patch = s.pick((0.55, 0.30, 0.12), (0.70, 0.42, 0.15))
    _legs(s, 0.45 * r, 0.75 * r, 2.0 * r, s.draw(0.14, 0.22) * r, coat)
    s.ball((0.7 * r, s.draw(1.1, 1.45) * r, s.draw(0.6, 0.8) * r), (0, 0, 2.2 * r), coat)
    neck = [(0, -0.8 * r, 2.4 * r), (0, -1.15 * r, 3.6 * r), (0, -1.35 * r, 4.9 * r)]
    s.tube(neck, [0.4 * r, 0.3 * r, 0.27 * r], coat)
    s.ball((0.34 * r, 0.62 * r, 0.32 * r), (0, -1.65 * r, 5.0 * r), coat, rotation(0, 0.35))
    s.ball((0.24 * r, 0.2 * r, 0.2 * r), (0, -2.15 * r, 4.8 * r), (0.97, 0.90, 0.75))
    s.eyes(0.28 * r, (0, -1.8 * r, 5.2 * r), 0.09 * r)
    for x in (-1, 1):
        s.tube(
            [(x * 0.15 * r, -1.4 * r, 5.2 * r), (x * 0.2 * r, -1.35 * r, 5.65 * r)], 0.05 * r, patch
        )
        s.ball(0.09 * r, (x * 0.2 * r, -1.35 * r, 5.68 * r), patch)
        s.ball((0.22 * r, 0.06 * r, 0.12 * r), (x * 0.42 * r, -1.35 * r, 5.15 * r), coat)
        for y, z, k in (
            (-0.5, 2.5, 0.3),
            (0.1, 2.35, 0.33),
            (0.65, 2.45, 0.28),
            (-0.1, 1.95, 0.22),
            (0.5, 2.0, 0.22),
        ):
            s.ball((0.12 * r, k * r, k * r), (x * 0.6 * r, y * r, z * r), patch)
        for k in range(4):
            up = 0.2 + 0.22 * k
            s.ball(
                (0.1 * r, 0.16 * r, 0.2 * r),
                (x * 0.24 * r, -(0.85 + 0.5 * up) * r, (2.5 + 2.4 * up) * r),
                patch,
            )
    s.tube([(0, 1.15 * r, 2.4 * r), (0, 1.4 * r, 1.5 * r)], [0.06 * r, 0.04 * r], patch)


def turtle(s: Sculptor) -> None:
    r = 0.07
    skin = s.pick((0.35, 0.62, 0.25), (0.62, 0.60, 0.30))
    shell = s.pick((0.25, 0.42, 0.15), (0.50, 0.33, 0.16), s.paint)
    turn = np.linspace(0, np.pi / 2, 6)
    dome = [(r * np.cos(a), 0.3 * r + 0.62 * r * np.sin(a)) for a in turn]
    s.lathe([(0, 0.2 * r), (1.06 * r, 0.2 * r), *dome], color=shell, segments=16)
    for k in range(7):
        a, up = k * np.pi / 3, 0.75 if k else np.pi / 2
        out = np.array([np.cos(a) * np.cos(up), np.sin(a) * np.cos(up), 0.64 * np.sin(up)])
        s.ball(0.2 * r, r * out * 0.88 + [0, 0, 0.3 * r], skin)
    s.tube([(0, -0.9 * r, 0.35 * r), (0, -1.35 * r, 0.6 * r)], [0.2 * r, 0.2 * r], skin)
    s.ball((0.3 * r, 0.34 * r, 0.28 * r), (0, -1.5 * r, 0.68 * r), skin)
    s.eyes(0.17 * r, (0, -1.75 * r, 0.78 * r), 0.06 * r)
    for x in (-1, 1):
        for y in (-1, 1):
            s.ball(
                (0.38 * r, 0.22 * r, 0.14 * r),
                (x * 0.95 * r, y * 0.65 * r, 0.15 * r),
                skin,
                rotation(2, x * y * 0.5),
            )
    s.tube([(0, 0.95 * r, 0.25 * r), (0, 1.3 * r, 0.15 * r)], [0.12 * r, 0.03 * r], skin)
