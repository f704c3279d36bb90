"""Household things, sculpted: bottle, bowl, brush, bucket, clock, cup, hat, shoe, sock, spoon."""

import numpy as np

from firsthand.synthetic.home.world.shapes import FACING, FOUND, Sculptor, smooth
from firsthand.synthetic.parts import DARK, PAPER, WOOD, Color, lathe, rotation

STEEL: Color = (0.75, 0.77, 0.80)


def bottle(s: Sculptor) -> None:
    r, h = 0.032 * s.draw(0.85, 1.15), 0.19 * s.draw(0.85, 1.15)
    shoulder, neck = s.draw(0.5, 0.68), s.draw(0.32, 0.45)
    body = s.pick(s.paint, s.paint, (0.85, 0.90, 0.95))
    wall = [
        (0, 0),
        (0.92 * r, 0),
        (r, 0.04 * h),
        (r, shoulder * h),
        (neck * r, (shoulder + 0.2) * h),
        (neck * r, 0.9 * h),
    ]
    s.lathe(wall, color=body, segments=16)
    s.lathe([(1.15 * neck * r, 0.87 * h), (1.15 * neck * r, h), (0, h)], color=s.second)
    s.lathe([(1.03 * r, 0.15 * h), (1.03 * r, 0.4 * h)], color=PAPER, segments=16)


def bowl(s: Sculptor) -> None:
    r, h = 0.085 * s.draw(0.85, 1.15), 0.05 * s.draw(0.85, 1.2)
    turn = np.linspace(0.15, np.pi / 2, 6)
    outside = [(r * np.sin(a), h * (1 - np.cos(a))) for a in turn]
    inside = [(0.93 * r * np.sin(a), h * (1.1 - np.cos(a)) + 0.002) for a in turn[::-1]]
    s.lathe([(0, 0), (0.4 * r, 0), *outside], segments=20, patterned=True)
    s.lathe(
        [outside[-1], inside[0], *inside[1:], (0, inside[-1][1])],
        color=s.pick(PAPER, s.paint),
        segments=20,
    )
    if s.chance(0.5):  # something to eat in it
        s.lathe(
            [(0.85 * r, 0.75 * h), (0, 0.85 * h)],
            color=s.pick((0.95, 0.85, 0.55), (0.80, 0.35, 0.15), (0.55, 0.75, 0.3)),
        )


def brush(s: Sculptor) -> None:
    """A toothbrush or a hairbrush."""
    tooth = s.chance(0.5)
    a = 0.17 if tooth else 0.2
    w = 0.007 if tooth else 0.014
    s.tube([(-0.5 * a, 0, 0.02), (0.1 * a, 0, 0.02), (0.22 * a, 0, 0.02)], [1.3 * w, w, 0.8 * w])
    head = 0.16 * a if tooth else 0.26 * a
    s.ball((head, 1.6 * w, 0.8 * w), (0.36 * a, 0, 0.02), s.paint)
    for k in np.linspace(-0.8, 0.8, 7):
        for y in (-0.8, 0.0, 0.8):
            tip = 0.02 + (0.024 if tooth else 0.035)
            at = (0.36 * a + k * head * 0.85, y * w)
            s.tube([(*at, 0.02), (*at, tip)], 0.0035, PAPER if tooth else DARK)


def bucket(s: Sculptor) -> None:
    r, h = 0.09 * s.draw(0.9, 1.1), 0.16 * s.draw(0.8, 1.1)
    low = s.draw(0.65, 0.8) * r
    s.lathe(
        [
            (0, 0),
            (low, 0),
            (r, h),
            (1.06 * r, h),
            (1.06 * r, 1.04 * h),
            (0.94 * r, 1.04 * h),
            (0.94 * low, 0.05 * h),
            (0, 0.05 * h),
        ],
        segments=20,
    )
    middle = 0.5 * (low + r)
    s.lathe([(1.02 * middle, 0.42 * h), (1.04 * middle, 0.58 * h)], color=s.second, segments=20)
    up = s.draw(0.3, 1.0)
    arc = [
        (r * np.cos(a), -0.6 * (1 - up) * r * np.sin(a), h + up * r * np.sin(a))
        for a in np.linspace(0, np.pi, 9)
    ]
    s.tube(arc, 0.006, STEEL)
    if s.chance(0.3):
        s.ball((0.85 * r, 0.85 * r, 0.3 * h), (0, 0, 0.9 * h), (0.88, 0.76, 0.52))


def clock(s: Sculptor) -> None:
    r = 0.08
    if s.chance(0.5):  # an alarm clock with bells and feet
        for x in (-1, 1):
            s.ball(
                (0.32 * r, 0.25 * r, 0.25 * r),
                (x * 0.5 * r, 0, 2.1 * r),
                STEEL,
                rotation(1, x * 0.5),
            )
            s.tube([(x * 0.5 * r, 0, 0.4 * r), (x * 0.7 * r, 0, 0.0)], 0.08 * r, STEEL)
        s.ball(0.12 * r, (0, 0, 2.3 * r), STEEL)
    z = 1.1 * r
    s.disc(r, 0.5 * r, (0, 0, z), turn=FACING)
    s.disc(0.86 * r, 0.54 * r, (0, 0, z), PAPER, FACING)
    for k in range(12):
        a = k * np.pi / 6
        long = 0.16 if k % 3 == 0 else 0.09
        at = (0.72 * r * np.sin(a), -0.28 * r, z + 0.72 * r * np.cos(a))
        s.box((0.06 * r, 0.02 * r, long * r), at, DARK, rotation(1, a))
    for long, wide in ((0.42, 0.09), (0.62, 0.06)):
        turn = rotation(1, s.draw(0, 2 * np.pi))
        s.box(
            (wide * r, 0.03 * r, long * r),
            turn @ np.array([0, 0, long * r / 2]) + [0, -0.29 * r, z],
            DARK,
            turn,
        )
    s.ball(0.07 * r, (0, -0.29 * r, z), s.paint)


def cup(s: Sculptor) -> None:
    r, h = 0.042 * s.draw(0.9, 1.1), 0.09 * s.draw(0.8, 1.1)
    if s.chance(FOUND):
        s.find("cup", h)
        return
    low = s.draw(0.75, 1.0) * r
    s.lathe([(0, 0), (low, 0), (r, h)], segments=18, patterned=True)
    s.lathe(
        [(r, h), (0.9 * r, h), (0.88 * low, 0.08 * h), (0, 0.08 * h)],
        color=s.pick(PAPER, s.paint),
        segments=18,
    )
    s.lathe(
        [(0.89 * r, 0.8 * h), (0, 0.8 * h)],
        color=s.pick((0.35, 0.2, 0.1), (0.95, 0.92, 0.85), (0.9, 0.55, 0.15)),
    )
    grip = [
        (0.95 * r + 0.62 * r * np.sin(a), 0, 0.52 * h + 0.33 * h * np.cos(a))
        for a in np.linspace(0, np.pi, 8)
    ]
    s.tube(grip, 0.13 * r)


def hat(s: Sculptor) -> None:
    r = 0.11
    kind = int(s.rng.integers(3))
    if kind == 0:  # a brim and a crown
        h = s.draw(0.7, 1.1) * r
        s.lathe(
            [
                (0, 0),
                (1.5 * r, 0.02 * r),
                (1.5 * r, 0.08 * r),
                (0.85 * r, 0.12 * r),
                (0.78 * r, h),
                (0.6 * r, 1.12 * h),
                (0, 1.1 * h),
            ],
            segments=20,
        )
        s.lathe([(0.86 * r, 0.13 * r), (0.84 * r, 0.4 * r)], color=s.second, segments=20)
    elif kind == 1:  # a party hat
        s.lathe([(0.75 * r, 0), (0, 1.9 * r)], segments=18, patterned=True)
        s.ball(0.18 * r, (0, 0, 1.95 * r), s.second)
        s.lathe(
            [(0.8 * r, 0), (0.78 * r, 0.14 * r), (0.7 * r, 0.14 * r)], color=s.second, segments=18
        )
    else:  # a cap with a peak
        turn = np.linspace(0, np.pi / 2, 6)
        s.lathe([(0.85 * r * np.cos(a), 0.8 * r * np.sin(a)) for a in turn], segments=18)
        peak = smooth([(-0.75, 0.3), (-0.7, -0.8), (0.7, -0.8), (0.75, 0.3)], 2) * r
        s.plate(peak, 0.06 * r, (0, -0.85 * r, 0.06 * r), s.second, rotation(0, -np.pi / 2 + 0.12))
        s.ball(0.1 * r, (0, 0, 0.82 * r), s.second)


def shoe(s: Sculptor) -> None:
    a, gap = 0.05, 0.085
    sole = (
        smooth(
            [
                (-0.8, 1.6),
                (-0.7, 0.0),
                (-0.9, -1.2),
                (-0.3, -2.0),
                (0.5, -1.9),
                (0.9, -1.1),
                (0.65, 0.1),
                (0.75, 1.6),
            ],
            2,
        )
        * a
    )
    for x in (-0.5, 0.5) if s.chance(0.6) else (0.0,):
        at = np.array([x * gap * 1.2, 0, 0])
        s.plate(sole, 0.35 * a, at + [0, 0, 0.18 * a], PAPER, rotation(0, -np.pi / 2))
        s.ball((0.75 * a, 1.15 * a, 0.75 * a), at + [0, -0.75 * a, 0.45 * a])
        s.ball((0.66 * a, 0.85 * a, 0.95 * a), at + [0, 0.75 * a, 0.75 * a])
        s.lathe(
            [
                (0.5 * a, 0),
                (0.56 * a, 0.62 * a),
                (0.44 * a, 0.62 * a),
                (0.3 * a, 0.3 * a),
                (0, 0.3 * a),
            ],
            at + [0, 0.72 * a, 1.0 * a],
        )
        for k in range(3):
            y = (-0.55 + 0.32 * k) * a
            s.box(
                (0.75 * a, 0.1 * a, 0.08 * a),
                at + [0, y, (1.12 + 0.12 * k) * a],
                s.second,
                rotation(0, 0.3),
            )


def sock(s: Sculptor) -> None:
    a = 0.045
    high, z = s.draw(2.2, 3.4), 0.55 * a
    leg = [
        (0, 0.0, z + high * a),
        (0, 0.0, z + 1.0 * a),
        (0, -0.05 * a, z + 0.45 * a),
        (0, -0.6 * a, z),
        (0, -1.5 * a, z),
        (0, -2.1 * a, z),
    ]
    s.tube(leg, [0.62 * a, 0.6 * a, 0.66 * a, 0.6 * a, 0.5 * a, 0.3 * a])
    for z1 in np.linspace(0.35, 0.9, 3):
        s.lathe(
            [(0.64 * a, 0), (0.64 * a, 0.16 * high * a)],
            (0, 0, z + z1 * high * a),
            s.second,
        )
    s.ball((0.6 * a, 0.5 * a, 0.55 * a), (0, 0.2 * a, z + 0.1 * a), s.second)
    s.ball((0.44 * a, 0.35 * a, 0.42 * a), (0, -1.95 * a, z), s.second)


def spoon(s: Sculptor) -> None:
    a = 0.15 * s.draw(0.85, 1.15)
    metal = s.pick(STEEL, STEEL, WOOD, s.paint)
    turn = np.linspace(0.3, np.pi / 2, 4)
    wide = s.draw(0.75, 1.0)
    scoop = [(0.15 * a * np.sin(t), -0.06 * a * np.cos(t)) for t in turn]
    inner = [(r * 0.92, z + 0.006) for r, z in scoop[::-1]]
    s.tube(
        [(-0.62 * a, 0, 0.11 * a), (-0.1 * a, 0, 0.07 * a), (0.2 * a, 0, 0.07 * a)],
        [0.035 * a, 0.025 * a, 0.03 * a],
        metal,
    )
    stretched = np.diag([1.35, wide, 1.0])
    for profile in ([(0, -0.06 * a), *scoop], [*inner, (0, -0.05 * a)]):
        s.add(lathe(profile, 16), (0.36 * a, 0, 0.07 * a), metal, stretched)
