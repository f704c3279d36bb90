"""Playthings, sculpted: ball, block, book, drum, guitar, key, robot, star, umbrella."""

import numpy as np

from firsthand.rendering import meshes
from firsthand.synthetic.home.world.shapes import FACING, FOUND, Sculptor, ellipse
from firsthand.synthetic.parts import DARK, PAPER, WOOD, Color, Number, rotation

STEEL: Color = (0.75, 0.77, 0.80)


def ball(s: Sculptor) -> None:
    r = 0.085
    s.ball(r, (0, 0, r), patterned=True, turn=rotation(0, s.draw(-1.5, 1.5)))
    if s.pattern is None and s.chance(0.7):
        stripe = [
            (r * 1.005 * np.cos(a), r * 1.005 * np.sin(a)) for a in np.linspace(-0.25, 0.25, 4)
        ]
        s.lathe(stripe, (0, 0, r), s.second, rotation(0, s.draw(0, 3)), segments=18)


def block(s: Sculptor) -> None:
    a = 0.055
    if s.chance(FOUND):
        s.find("block", 0.8 * a)
        return
    faces = [s.paint, s.second, PAPER]
    for axis in range(3):
        size = np.full(3, 0.88 * a)
        size[axis] = a
        s.box(size, (0, 0, a / 2), faces[axis])
    s.box((0.93 * a, 0.93 * a, 0.93 * a), (0, 0, a / 2), WOOD)
    # A letter of bars on the two sides that are seen most.
    bars = s.rng.permutation(
        [
            (0, -0.25, 0.5, 0.12),
            (0, 0.0, 0.5, 0.12),
            (0, 0.25, 0.5, 0.12),
            (-0.2, 0, 0.12, 0.6),
            (0.2, 0, 0.12, 0.6),
            (0, 0, 0.12, 0.6),
        ]
    )
    for u, v, w, h in bars[:3] * a:
        s.box((w, 1.02 * a, h), (u, 0, v + a / 2), faces[0])
        s.box((1.02 * a, w, h), (0, u, v + a / 2), faces[1])


def book(s: Sculptor) -> None:
    w, h, t = 0.15 * s.draw(0.85, 1.1), 0.19 * s.draw(0.9, 1.1), 0.02 * s.draw(0.8, 1.6)
    if s.chance(0.5):  # open, leaning back
        lean, half = rotation(0, -s.draw(0.35, 0.8)), s.draw(0.15, 0.35)
        for x in (-1, 1):
            turn = lean @ rotation(2, x * half)
            for size, y, color in ((w, 0.006, s.paint), (0.95 * w, -0.004, PAPER)):
                at = turn @ np.array([x * size / 2, y, 0.0]) + [0, 0, 0.45 * h]
                s.box(
                    (
                        size,
                        0.006 if color == s.paint else 0.012,
                        h if color == s.paint else 0.94 * h,
                    ),
                    at,
                    color,
                    turn,
                )
            for k, z in enumerate((-0.28, -0.12, 0.04, 0.2)):
                at = turn @ np.array([x * w / 2, -0.011, z * h]) + [0, 0, 0.45 * h]
                if x < 0 and k > 1:
                    s.box((0.6 * w, 0.002, 0.13 * h), at, s.second, turn)
                else:
                    s.box((0.7 * w, 0.002, 0.03 * h), at, (0.35, 0.35, 0.38), turn)
        return
    lean = rotation(0, -s.draw(0.25, 0.6))
    lift = np.array([0, 0, 0.47 * h])
    for y in (-0.45 * t, 0.45 * t):
        s.box((w, 0.1 * t, h), lift + lean @ np.array([0, y, 0]), turn=lean)
    s.box((0.06 * w, t, h), lift + lean @ np.array([-0.49 * w, 0, 0]), turn=lean)
    s.box((0.94 * w, 0.8 * t, 0.95 * h), lift + lean @ np.array([0, 0, 0]), PAPER, lean)
    s.box(
        (0.7 * w, 0.02 * t, 0.14 * h), lift + lean @ np.array([0, -0.52 * t, 0.3 * h]), PAPER, lean
    )
    s.plate(
        ellipse(0.28 * w, 0.25 * h),
        0.02 * t,
        lift + lean @ np.array([0, -0.52 * t, -0.1 * h]),
        s.second,
        lean,
    )


def drum(s: Sculptor) -> None:
    r, h = 0.085 * s.draw(0.9, 1.1), 0.11 * s.draw(0.75, 1.15)
    s.lathe([(r, 0), (r, h)], segments=20, patterned=True)
    s.lathe([(r, h), (0, h + 0.002)], color=PAPER, segments=20)
    for z in (0.05 * h, 0.95 * h):
        s.lathe(
            [
                (r, z - 0.05 * h),
                (1.06 * r, z - 0.05 * h),
                (1.06 * r, z + 0.05 * h),
                (r, z + 0.05 * h),
            ],
            color=s.second,
            segments=20,
        )
    for k in range(12):
        a, b = k * np.pi / 6, (k + 1) * np.pi / 6
        low, high = (0.1 * h, 0.9 * h) if k % 2 else (0.9 * h, 0.1 * h)
        ends = [
            (1.02 * r * np.cos(a), 1.02 * r * np.sin(a), low),
            (1.02 * r * np.cos(b), 1.02 * r * np.sin(b), high),
        ]
        s.tube(ends, 0.003, PAPER)
    for x in (-1, 1):
        s.tube(
            [(x * 0.9 * r, -0.3 * r, h + 0.03), (-x * 0.25 * r, 0.2 * r, h + 0.012)], 0.005, WOOD
        )
        s.ball(0.011, (-x * 0.25 * r, 0.2 * r, h + 0.012), WOOD)


def guitar(s: Sculptor) -> None:
    a = 0.075 * s.draw(0.9, 1.1)
    wood = s.pick((0.80, 0.52, 0.22), (0.62, 0.36, 0.16), s.paint)
    waist = s.draw(0.6, 0.72)
    lower = np.array([(np.cos(t), np.sin(t)) for t in np.linspace(np.pi * 0.85, 2.15 * np.pi, 16)])
    upper = np.array(
        [
            (0.72 * np.cos(t), 1.45 + 0.62 * np.sin(t))
            for t in np.linspace(-0.15 * np.pi, 1.15 * np.pi, 12)
        ]
    )
    side = np.concatenate([lower, [(waist, 0.82)], upper, [(-waist, 0.82)]]) * a
    lean = rotation(0, -0.2)
    lift = np.array([0, 0, 1.0 * a])
    middle = np.array([0, 0.72 * a])
    at = lift + lean @ np.array([0, 0, 0.72 * a])
    s.plate((side - middle) * 1.04, 0.36 * a, at, DARK if s.chance(0.5) else WOOD, lean)
    s.plate((side - middle) * 0.98, 0.4 * a, at, wood, lean)

    def on(u: Number, v: Number, out: Number) -> np.ndarray:
        return lift + lean @ np.array([u * a, -out * a, v * a])

    s.plate(ellipse(0.32 * a, 0.32 * a), 0.02 * a, on(0, 0.85, 0.21), DARK, lean)
    s.box((0.7 * a, 0.08 * a, 0.14 * a), on(0, -0.15, 0.23), DARK, lean)
    s.box((0.26 * a, 0.12 * a, 2.6 * a), on(0, 2.6, 0.2), WOOD, lean)
    s.box((0.42 * a, 0.12 * a, 0.6 * a), on(0, 4.1, 0.2), DARK, lean)
    for k in range(3):
        for x in (-1, 1):
            s.ball(0.07 * a, on(x * 0.27, 3.95 + 0.17 * k, 0.2), PAPER)
    for u in (-0.07, 0.0, 0.07):
        s.tube([on(u, -0.15, 0.28), on(u, 3.9, 0.28)], 0.012 * a, PAPER)


def key(s: Sculptor) -> None:
    a = 0.03
    metal = s.pick((0.90, 0.75, 0.25), (0.75, 0.77, 0.80), s.paint)
    lift = np.array([0, 0, 1.0 * a])
    turn = np.linspace(0, 2 * np.pi, 13)
    wide = s.draw(0.75, 1.1)
    ring = [(-1.6 * a + wide * a * np.cos(t), 0, lift[2] + 0.8 * a * np.sin(t)) for t in turn]
    s.tube(ring, 0.22 * a, metal)
    s.box((3.2 * a, 0.3 * a, 0.36 * a), (0.9 * a, 0, lift[2]), metal)
    for x in s.rng.permutation([1.3, 1.75, 2.2])[:2]:
        s.box((0.3 * a, 0.3 * a, 0.75 * a), (x * a, 0, lift[2] - 0.5 * a), metal)


def robot(s: Sculptor) -> None:
    a = 0.05
    metal = s.pick(STEEL, STEEL, s.paint)
    s.box((1.6 * a, 1.0 * a, 1.7 * a), (0, 0, 1.75 * a), metal)
    s.box((1.0 * a, 0.1 * a, 0.8 * a), (0, -0.52 * a, 1.85 * a), s.second)
    for x in (-0.3, 0.0, 0.3):
        s.ball(0.11 * a, (x * a, -0.6 * a, 1.85 * a), (0.95, 0.85, 0.2))
    s.box((1.2 * a, 0.9 * a, 0.9 * a), (0, 0, 3.15 * a), metal)
    for x in (-1, 1):
        s.disc(0.2 * a, 0.1 * a, (x * 0.3 * a, -0.47 * a, 3.25 * a), (0.95, 0.9, 0.3), FACING)
        s.disc(0.1 * a, 0.12 * a, (x * 0.3 * a, -0.48 * a, 3.25 * a), DARK, FACING)
        s.box((0.35 * a, 0.4 * a, 1.5 * a), (x * 1.05 * a, 0, 1.8 * a), s.second)
        s.ball(0.26 * a, (x * 1.05 * a, -0.05 * a, 0.98 * a), metal)
        s.box((0.5 * a, 0.6 * a, 0.8 * a), (x * 0.45 * a, 0, 0.5 * a), s.second)
        s.box((0.6 * a, 0.95 * a, 0.22 * a), (x * 0.45 * a, -0.15 * a, 0.11 * a), DARK)
    s.box((0.6 * a, 0.05 * a, 0.12 * a), (0, -0.47 * a, 2.92 * a), DARK)
    s.tube([(0, 0, 3.55 * a), (0, 0, 4.0 * a)], 0.05 * a, DARK)
    s.ball(0.14 * a, (0, 0, 4.05 * a), (0.85, 0.15, 0.12))


def star(s: Sculptor) -> None:
    r, inner = 0.075, s.draw(0.42, 0.52)
    color = s.pick((0.98, 0.82, 0.15), (0.98, 0.82, 0.15), s.paint)
    turn = np.pi / 2 + np.arange(10) * np.pi / 5
    radii = np.where(np.arange(10) % 2, inner * r, r)
    outline = np.stack([radii * np.cos(turn), radii * np.sin(turn)], 1)
    lean, at = rotation(0, -0.2), (0, 0, 0.85 * r)
    s.plate(outline, 0.3 * r, at, color, lean)
    s.plate(0.8 * outline, 0.4 * r, at, color, lean)
    if s.chance(0.5):
        s.eyes(0.15 * r, (0, -0.24 * r, 0.95 * r), 0.06 * r)


def umbrella(s: Sculptor) -> None:
    r, high = 0.24 * s.draw(0.85, 1.1), 0.42
    turn = np.linspace(0.1, np.pi / 2, 6)
    dome = [(r * np.cos(a) ** 0.9, high + 0.5 * r * np.sin(a)) for a in turn]
    dome[-1] = (0.0, dome[-1][1])
    lean = rotation(0, s.draw(0.3, 1.2))
    lift = np.array([0, 0, 0.02])
    for k in range(8):  # panels of two colours, seen from both sides
        panel, color = _panel(dome, k, 8), s.paint if k % 2 else s.second
        inside = meshes.Mesh(panel.vertices, np.ascontiguousarray(panel.faces[:, ::-1]))
        s.add(panel, lift, color, lean)
        s.add(inside, lift, color, lean)

    def on(x: Number, z: Number) -> np.ndarray:
        return lean @ np.array([x, 0, z]) + lift

    s.tube([on(0, 0.05), on(0, high + 0.56 * r)], 0.008, DARK)
    hook = [on(0.03 - 0.03 * np.cos(a), 0.05 - 0.03 * np.sin(a)) for a in np.linspace(0, np.pi, 6)]
    s.tube(hook, 0.011, WOOD)


def _panel(dome: list[tuple[float, float]], number: int, count: int) -> meshes.Mesh:
    """One of the panels of a canopy whose outline is turned round z."""
    ends = np.array([number, number + 1]) * (2 * np.pi / count)
    radii, heights = np.array(dome).T
    rows = [np.stack([radii * np.cos(a), radii * np.sin(a), heights], 1) for a in ends]
    n = len(dome)
    this = np.arange(n - 1)
    faces = np.concatenate(
        [np.stack([this, n + this, n + this + 1], 1), np.stack([this, n + this + 1, this + 1], 1)]
    )
    return meshes.Mesh(np.concatenate(rows).astype(np.float32), faces.astype(np.int32))
