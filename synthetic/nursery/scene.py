"""The nursery: first-person scenes of a room, a table with toys and the viewer's own hand.

A clip is a pure function of (seed, index): scene, script, head motion and wording are drawn from
four streams of one seed. It holds the true poses of everything at every frame, what happened when,
and what was said of it. `synthetic.nursery.render` draws it.
"""

from copy import copy
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from firsthand.episodes.episode import Narration
from firsthand.rendering.rasterizer import Light
from firsthand.synthetic.hand import SKINS, hand_parts
from firsthand.synthetic.nursery.actions import play
from firsthand.synthetic.nursery.motions import REACH
from firsthand.synthetic.nursery.narration import sentence
from firsthand.synthetic.nursery.room import Furniture, furnish, pattern, room
from firsthand.synthetic.nursery.simulation import TICKS, Body, Event, Hand, Stage, Vector
from firsthand.synthetic.nursery.toys import KINDS, Toy, make_toy
from firsthand.synthetic.parts import COLORS, MeshPart, dyed, rotation


@dataclass(frozen=True)
class NurseryScene:
    """Everything that does not change during a clip."""

    room: tuple[MeshPart, ...]
    furniture: Furniture
    toys: tuple[Toy, ...]
    spots: Float[np.ndarray, "n 2"]  # where the toys stand at first
    covered: int | None  # which of them stands under the bucket at first
    turns: Float[np.ndarray, "n"]  # how they are turned about z, radians
    hand: tuple[MeshPart, ...]
    side: int  # 1: a right hand, -1: a left one
    eye: Vector
    home: Vector  # what the viewer looks at when nothing draws the gaze
    fov: float
    light: Light
    gain: Vector  # of the camera: exposure and white balance
    tempo: float

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(toy.name for toy in self.toys)


@dataclass(frozen=True)
class NurseryClip:
    """What happened in a scene, frame by frame: the ground truth.

    `turns` and `positions` are the toys' poses, `sliders` the furniture's values in the order of
    `scene.furniture.sliders`, `eye` and `target` where the head is and what it looks at.
    """

    scene: NurseryScene
    fps: int
    positions: Float[np.ndarray, "t n 3"]
    turns: Float[np.ndarray, "t n 3 3"]
    sliders: Float[np.ndarray, "t s"]
    lit: Bool[np.ndarray, "t"]
    hands: tuple[Hand, ...]
    eye: Float[np.ndarray, "t 3"]
    target: Float[np.ndarray, "t 3"]
    tilt: Float[np.ndarray, "t"]
    events: tuple[Event, ...]
    narrations: tuple[Narration, ...]

    def __len__(self) -> int:
        return len(self.positions)


def make_scene(rng: np.random.Generator) -> NurseryScene:
    """Choose a room, furniture, toys, a hand, a viewer and a light."""
    furniture = furnish(rng)
    toys = _choose_toys(rng)
    spots, kept = _place(rng, toys, furniture)
    toys = [toys[i] for i in kept]
    covered = _cover(rng, toys, spots)
    side = 1 if rng.random() < 0.75 else -1
    skin = np.array(SKINS[rng.integers(len(SKINS))]) * rng.uniform(0.9, 1.05)
    sleeve = np.array(COLORS[str(rng.choice(list(COLORS)))]) * rng.uniform(0.5, 1.0)
    sun = (rng.uniform(-0.7, 0.7), rng.uniform(-0.7, 0.3), rng.uniform(0.7, 1.1))
    ambient = rng.uniform(0.42, 0.55)
    light = Light(
        sun,
        ambient=ambient,
        diffuse=rng.uniform(0.95, 1.1) - 1.25 * ambient,
        shaded=rng.uniform(0.1, 0.4),
        center=(0.0, 0.2, 0.1),
        radius=0.62,
        resolution=192,
    )
    return NurseryScene(
        room=room(rng),
        furniture=furniture,
        toys=tuple(toys),
        spots=spots,
        covered=covered,
        turns=rng.uniform(-0.6, 0.6, len(toys)),
        hand=hand_parts(dyed(skin), dyed(sleeve), rng.uniform(0.02, 0.2)),
        side=side,
        eye=np.array(
            [rng.uniform(-0.04, 0.04), rng.uniform(-0.36, -0.29), rng.uniform(0.34, 0.42)]
        ),
        home=np.array([rng.uniform(-0.03, 0.03), rng.uniform(0.15, 0.2), 0.0]),
        fov=rng.uniform(54.0, 64.0),
        light=light,
        gain=rng.uniform(0.85, 1.12) * (1 + rng.uniform(-0.07, 0.07, 3)),
        tempo=rng.uniform(0.85, 1.3),
    )


def _choose_toys(rng: np.random.Generator) -> list[Toy]:
    """Four to six toys of different names; often blocks of two colours, as on a robot's table."""
    nouns = ["block", "block"] if rng.random() < 0.6 else []
    if rng.random() < 0.35:
        nouns.append("bucket")
    if rng.random() < 0.4:
        nouns.append("ball")
    others = [noun for noun in KINDS if noun != "bucket"]
    while len(nouns) < 4 or (len(nouns) < 6 and rng.random() < 0.4):
        nouns.append(str(rng.choice(others)))
    toys: dict[tuple[str, str], Toy] = {}
    for noun in nouns:
        color = str(rng.choice(list(COLORS)))
        if (color, noun) not in toys:
            size = str(rng.choice(["small", "", "", "big"]))
            shade = rng.uniform(0.85, 1.1)
            toys[color, noun] = make_toy(noun, color, size, shade, pattern(rng))
    return list(toys.values())


def _place(
    rng: np.random.Generator, toys: list[Toy], furniture: Furniture
) -> tuple[Float[np.ndarray, "n 2"], list[int]]:
    """Spots for the toys that keep them apart; toys for which there is no room are left out."""
    spots: list[np.ndarray] = []
    kept: list[int] = []
    boxes = [(obstacle.low, obstacle.high) for obstacle in furniture.obstacles]
    boxes += [(s.position - s.half, s.position + s.half) for s, _ in furniture.sliders]
    for index, toy in enumerate(toys):
        for _ in range(60):
            spot = rng.uniform(REACH[0], REACH[1])
            gaps = [
                np.hypot(*(spot - other)) - toy.radius - toys[k].radius
                for other, k in zip(spots, kept, strict=True)
            ]
            gaps += [
                np.hypot(*(np.clip(spot, low[:2], high[:2]) - spot)) - toy.radius
                for low, high in boxes
            ]
            if min(gaps, default=1.0) > 0.02:
                spots.append(spot)
                kept.append(index)
                break
    return np.array(spots).reshape(-1, 2), kept


def _cover(
    rng: np.random.Generator, toys: list[Toy], spots: Float[np.ndarray, "n 2"]
) -> int | None:
    """Sometimes the bucket is put over a toy (its spot is changed); which one is returned."""
    for bucket, lid in enumerate(toys):
        for index, toy in enumerate(toys):
            away = np.hypot(*(spots - spots[index]).T)
            needed = np.array([lid.radius + other.radius + 0.01 for other in toys])
            needed[[bucket, index]] = 0.0
            if lid.covers(toy) and (away >= needed).all() and rng.random() < 0.4:
                spots[bucket] = spots[index]
                return index
    return None


def sample_scene(seed: int, index: int, seconds: float, fps: int) -> NurseryClip:
    """Clip number `index` of the world `seed`: what happens in it and what is said.

    The same arguments give the same bits in any process. `fps` should divide `TICKS`.
    """
    streams = np.random.SeedSequence([seed, index]).spawn(4)
    scene_rng, script_rng, head_rng, word_rng = (np.random.default_rng(s) for s in streams)
    scene = make_scene(scene_rng)
    stage = _set_up(scene)
    script = play(stage, script_rng)
    count, every = round(seconds * fps), round(TICKS / fps)
    positions, turns, sliders, lit, hands, gaze = [], [], [], [], [], []
    for tick in range(count * every):
        gaze.append(scene.home if stage.gaze is None else stage.gaze.position)
        if tick % every == 0:
            positions.append([body.position.copy() for body in stage.bodies])
            turns.append([body.turn for body in stage.bodies])
            sliders.append([slider.value for slider in stage.sliders.values()])
            lit.append(any(slider.lit for slider in stage.sliders.values()))
            hands.append(stage.hand)
        next(script)
        stage.tick()
    eye, target, tilt = _move_head(scene, np.array(gaze), head_rng)
    events = _within(stage.events, count / fps)
    names = scene.names
    return NurseryClip(
        scene,
        fps,
        np.array(positions),
        np.array(turns),
        np.array(sliders).reshape(count, -1),
        np.array(lit),
        tuple(hands),
        eye[::every],
        target[::every],
        tilt[::every],
        events,
        tuple(Narration(e.start, e.end, sentence(e, names, word_rng)) for e in events),
    )


def _set_up(scene: NurseryScene) -> Stage:
    bodies = [
        Body(toy, np.array([*spot, toy.half_height]), rotation(2, turn))
        for toy, spot, turn in zip(scene.toys, scene.spots, scene.turns, strict=True)
    ]
    if scene.covered is not None:
        bodies[scene.covered].cover = next(body for body in bodies if body.toy.hollow)
    rest = Hand(np.array([0.13 * scene.side, -0.06, 0.05]), 0.35, 0.3 * scene.side, 0.25)
    return Stage(
        bodies,
        {slider.name: copy(slider) for slider, _ in scene.furniture.sliders},
        scene.furniture.obstacles,
        hand=rest,
        rest=rest,
        eye=scene.eye,
        side=scene.side,
        tempo=scene.tempo,
    )


def _within(events: list[Event], seconds: float) -> tuple[Event, ...]:
    """Events that the clip shows at least half a second of, cut off where the clip ends."""
    cut = [
        replace(e, end=min(e.end, seconds), complete=e.complete and e.end <= seconds)
        for e in events
    ]
    return tuple(e for e in cut if e.end - e.start >= 0.5)


def _wander(rng: np.random.Generator, count: int, size: float) -> Float[np.ndarray, "t"]:
    """Band-limited noise: six sines between 0.1 and 1 Hz, of root mean square about `size`."""
    time = np.arange(count) / TICKS
    rates = 2 * np.pi * rng.uniform(0.1, 1.0, 6)
    phases = rng.uniform(0, 2 * np.pi, 6)
    waves = np.sin(np.outer(time, rates) + phases)
    return size * waves @ (2.5 / rates) / np.linalg.norm(2.5 / rates) * np.sqrt(2)


def _move_head(
    scene: NurseryScene, gaze: Float[np.ndarray, "t 3"], rng: np.random.Generator
) -> tuple[Float[np.ndarray, "t 3"], Float[np.ndarray, "t 3"], Float[np.ndarray, "t"]]:
    """Eye, point looked at and sideways tilt (radians) of a head that follows the gaze part of
    the way, as a critically damped spring, and is never quite still."""
    wanted = scene.home + rng.uniform(0.25, 0.6) * (gaze - scene.home)
    stiffness, followed = rng.uniform(4.0, 6.5), np.empty_like(wanted)
    point, speed = wanted[0], np.zeros(3)
    for tick, goal in enumerate(wanted):
        speed = speed + (stiffness**2 * (goal - point) - 2 * stiffness * speed) / TICKS
        point = point + speed / TICKS
        followed[tick] = point
    count = len(gaze)
    sway = np.stack([_wander(rng, count, size) for size in (0.008, 0.007, 0.006)], axis=1)
    shake = np.stack([_wander(rng, count, size) for size in (0.012, 0.012, 0.0)], axis=1)
    lean = 0.18 * (followed - scene.home) * [1.0, 1.0, 0.3]
    return scene.eye + sway + lean, followed + shake, _wander(rng, count, 0.02)
