"""Things to eat, sculpted: apple, banana, cake, carrot, cookie, egg, mushroom, pizza."""

import numpy as np

from firsthand.synthetic.home.world.shapes import FACING, Sculptor
from firsthand.synthetic.parts import COLORS, rotation

LEAF = (0.20, 0.55, 0.20)
STALK = (0.40, 0.26, 0.13)
CREAM = (0.96, 0.92, 0.80)
CRUST = (0.80, 0.56, 0.28)


def apple(s: Sculptor) -> None:
    r, tall = 0.042, s.draw(0.85, 1.1)
    skin = s.pick((0.80, 0.10, 0.10), (0.80, 0.10, 0.10), (0.45, 0.70, 0.15), (0.88, 0.75, 0.20))
    turn = np.linspace(-np.pi / 2, np.pi / 2, 10)
    # A dimple above and below, the shoulders wider than the foot.
    wide = [
        (
            r * np.cos(a) ** 0.7 * (1 + 0.12 * np.sin(a)),
            r * tall * (np.sin(a) - 0.3 * np.sin(a) ** 9),
        )
        for a in turn[1:-1]
    ]
    profile = [(0, -0.62 * r * tall), *wide, (0, 0.55 * r * tall)]
    s.lathe(profile, (0, 0, 0.8 * r), skin, segments=16)
    s.tube([(0, 0, 1.3 * r), (0.1 * r, 0, 1.7 * r), (0.3 * r, 0, 2.05 * r)], 0.09 * r, STALK)
    leaf = rotation(1, -0.5) @ rotation(2, s.draw(-0.5, 0.5))
    s.ball((0.5 * r, 0.25 * r, 0.05 * r), (-0.4 * r, 0, 1.85 * r), LEAF, leaf)


def banana(s: Sculptor) -> None:
    length, bend = 0.17, s.draw(0.7, 1.2)
    skin = s.pick((0.95, 0.82, 0.15), (0.95, 0.82, 0.15), (0.70, 0.78, 0.22))
    turn = np.linspace(-bend, bend, 9)
    radius = length / (2 * bend)
    line = [(radius * np.sin(a), 0, radius * (1 - np.cos(a)) + 0.018) for a in turn]
    thick = [0.006, 0.013, 0.018, 0.020, 0.021, 0.020, 0.018, 0.012, 0.006]
    for k in range(int(s.rng.integers(1, 3))):
        shifted = [(x, y + 0.034 * k, z + 0.006 * k) for x, y, z in line]
        s.tube(shifted, thick, skin)
        s.tube(
            [shifted[-1], (shifted[-1][0] + 0.012, 0.03 * k, shifted[-1][2] + 0.018)], 0.006, STALK
        )
        s.ball(0.007, shifted[0], STALK)


def cake(s: Sculptor) -> None:
    r, h = 0.085 * s.draw(0.85, 1.15), 0.055
    dough = s.pick(CREAM, (0.42, 0.25, 0.15), (0.95, 0.70, 0.75))
    icing = s.paint
    tiers = [(r, 0.0)] + ([(0.62 * r, h)] if s.chance(0.5) else [])
    s.disc(1.25 * r, 0.008, (0, 0, 0.004), (0.93, 0.93, 0.95))
    for radius, low in tiers:
        z = low + 0.008
        s.lathe([(radius, z), (radius, z + h), (0, z + h)], color=dough, segments=18)
        s.lathe(
            [(1.03 * radius, z + 0.7 * h), (1.03 * radius, z + 1.04 * h), (0, z + 1.04 * h)],
            color=icing,
            segments=18,
        )
    radius, top = tiers[-1][0], tiers[-1][1] + h + 0.01
    count = int(s.rng.integers(1, 6))
    for a in np.arange(count) * 2 * np.pi / count:
        spot = (0.5 * radius * np.cos(a), 0.5 * radius * np.sin(a)) if count > 1 else (0, 0)
        s.tube([(*spot, top), (*spot, top + 0.05)], 0.0055, s.second)
        s.ball((0.007, 0.007, 0.014), (*spot, top + 0.062), (1.0, 0.80, 0.25))


def carrot(s: Sculptor) -> None:
    length, r = 0.17 * s.draw(0.85, 1.15), 0.024 * s.draw(0.85, 1.2)
    orange = s.pick((0.95, 0.45, 0.08), (0.90, 0.38, 0.05))
    share = [0.05, 0.3, 0.55, 0.8, 1.0, 0.9]
    along = [0.0, 0.2, 0.45, 0.75, 0.95, 1.0]
    s.tube([(length * (a - 0.5), 0, r) for a in along], [r * k for k in share], orange)
    root = length * 0.5
    for _ in range(6):
        y, z = s.draw(-0.035, 0.035), s.draw(0.0, 0.05)
        tip = (root + s.draw(0.06, 0.085), y, r + z)
        s.tube(
            [(root, 0, r), (root + 0.035, 0.4 * y, r + 0.5 * z), tip], [0.004, 0.006, 0.003], LEAF
        )


def cookie(s: Sculptor) -> None:
    r, h = 0.048 * s.draw(0.85, 1.2), 0.014
    dough = s.pick((0.80, 0.58, 0.32), (0.68, 0.45, 0.24))
    lean = rotation(0, s.draw(0.9, 1.3))
    s.lathe(
        [(0, 0), (0.9 * r, 0), (r, 0.4 * h), (0.85 * r, h), (0, 1.1 * h)], (0, 0, r), dough, lean
    )
    chip = s.pick((0.22, 0.12, 0.08), (0.22, 0.12, 0.08), COLORS["red"])
    for k in range(9):
        away, a = r * (0.0 if k == 0 else s.draw(0.4, 0.75)), k * 2.4
        spot = lean @ np.array([away * np.cos(a), away * np.sin(a), 1.05 * h])
        s.ball(0.13 * r, spot + [0, 0, r], chip)


def egg(s: Sculptor) -> None:
    r = 0.024
    shell = s.pick((0.96, 0.94, 0.90), (0.86, 0.66, 0.50))
    turn = np.linspace(-np.pi / 2, np.pi / 2, 10)
    profile = [(r * np.cos(a) * (1 - 0.14 * np.sin(a)), 1.35 * r * np.sin(a)) for a in turn]
    s.lathe(profile, (0, 0, 1.6 * r), shell, segments=16)
    s.lathe([(0, 0), (0.7 * r, 0), (0.95 * r, 1.3 * r), (0.9 * r, 1.3 * r)], color=s.paint)


def mushroom(s: Sculptor) -> None:
    r = 0.055 * s.draw(0.85, 1.15)
    cap = s.pick((0.80, 0.10, 0.10), (0.80, 0.10, 0.10), (0.55, 0.36, 0.20))
    tall = s.draw(0.8, 1.2) * r
    s.lathe([(0, 0), (0.42 * r, 0), (0.30 * r, 0.5 * tall), (0.34 * r, tall)], color=CREAM)
    turn = np.linspace(0, np.pi / 2, 6)
    dome = [(r * np.cos(a), tall + 0.75 * r * np.sin(a)) for a in turn]
    s.lathe([(0.2 * r, tall + 0.08 * r), *dome], color=cap, segments=18)
    for k in range(9):
        a, up = k * 2.4, s.draw(0.15, 1.1)
        out = np.array([np.cos(a) * np.cos(up), np.sin(a) * np.cos(up), 0.75 * np.sin(up)])
        s.ball(0.13 * r, r * out + [0, 0, tall], CREAM)


def pizza(s: Sculptor) -> None:
    r, h = 0.13 * s.draw(0.85, 1.1), 0.016
    lean = rotation(0, s.draw(0.7, 1.1))
    lift = np.array([0, 0, r * 0.85])
    gone = int(s.rng.integers(0, 3))  # slices already eaten
    angles = np.linspace(0, 2 * np.pi * (1 - gone / 8), 20)
    lying = lean @ FACING.T  # a plate stands; this lays it down first
    for radius, depth, color in ((r, h, CRUST), (0.88 * r, 1.25 * h, (0.93, 0.74, 0.28))):
        rim = [(radius * np.cos(a), radius * np.sin(a)) for a in angles]
        outline = [(0.0, 0.0), *rim] if gone else rim[:-1]
        s.plate(outline, depth, lift, color, lying)
    topping = s.pick((0.75, 0.12, 0.08), (0.75, 0.12, 0.08), LEAF)
    for k in range(10):
        a = (k + 0.5) / 10 * angles[-1]
        away = r * (0.35 if k % 2 else 0.65)
        spot = lean @ np.array([away * np.cos(a), away * np.sin(a), 0.66 * h])
        s.disc(0.11 * r, 0.3 * h, spot + lift, topping, lean)
