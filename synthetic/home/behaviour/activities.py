"""What a child attends to, one thing after another: where the head is, what the hands do to what.

An activity begins with a lead, in which head and eyes turn to it, and then lasts. Times are frames.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from firsthand.synthetic.home.behaviour.verbs import VERBS, VerbMotion, move
from firsthand.synthetic.home.world.furnishings import MARGIN, Rng
from firsthand.synthetic.home.world.scene import HomeScene, resting
from firsthand.synthetic.parts import placed, pose, rotation

FPS = 5
KINDS = {"verb": 0.5, "look": 0.26, "hold": 0.18, "away": 0.06}
ACROSS, UPWARDS = 0.9, 1.5  # how far a motion goes, in the thing's reaches
Vector = Float[np.ndarray, "3"]


@dataclass(frozen=True)
class Activity:
    """A child's attention to one thing (`focus`, -1 for none) from frame `begin` to before `end`.

    Until `start` the head is still turning. `eye` and `target` are where it comes to be and look.
    `frame` maps the viewer's axes (x right, y ahead, z up; the origin is where the thing is held)
    to the world. `held` says whether hands have the thing, and `hands` which are seen: the viewer's
    own (1), somebody else's (2) or none (0).
    """

    kind: str
    focus: int
    begin: int
    start: int
    end: int
    eye: Vector
    target: Vector
    frame: Float[np.ndarray, "4 4"]
    hands: int
    verb: str = ""
    motion: VerbMotion | None = None

    @property
    def held(self) -> bool:
        return self.kind in ("verb", "hold")


def plan(
    scene: HomeScene, frames: int, rng: Rng, order: np.ndarray | None = None
) -> list[Activity]:
    """Activities that fill `frames`. With `order`, they are about these things, one by one."""
    activities: list[Activity] = []
    begin = 0
    while begin < frames:
        kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        turn = None if order is None else int(order[len(activities) % len(order)])
        activity = make_activity(scene, kind, turn, begin, rng)
        activities.append(activity)
        begin = activity.end
    return activities


def make_activity(
    scene: HomeScene, kind: str, focus: int | None, begin: int, rng: Rng, verb: str = ""
) -> Activity:
    """An activity of a kind, of a thing at hand unless one is given."""
    carried = [i for i, thing in enumerate(scene.things) if thing.carried]
    handled = kind in ("verb", "hold")
    if focus is None:
        focus = int(rng.choice(carried if handled else len(scene.things)))
    if handled and focus not in carried:
        kind = "look"
    start = begin + int(rng.integers(2, 6))
    if kind == "verb":
        return _manipulate(scene, focus, begin, start, rng, verb)
    if kind == "hold":
        return _hold(scene, focus, begin, start, rng)
    if kind == "look":
        return _look(scene, focus, begin, start, rng)
    eye, yaw = _somewhere(scene, rng), rng.uniform(-np.pi, np.pi)
    pitch = rng.choice([rng.uniform(-0.6, 0.1), rng.uniform(0.9, 1.3)])
    ahead = rotation(2, yaw) @ np.array([0, np.cos(pitch), -np.sin(pitch)])
    end = start + int(rng.integers(6, 12))
    return Activity("away", -1, begin, start, end, eye, eye + ahead, placed(eye), 0)


def _somewhere(scene: HomeScene, rng: Rng) -> Vector:
    """Where a sitting or standing child's eye may be."""
    reach = 0.9 * (scene.house.half - MARGIN)
    return np.array([*rng.uniform(-reach, reach), rng.uniform(0.45, 0.95)])


def _before(eye: Vector, yaw: float, pitch: float, distance: float) -> Float[np.ndarray, "4 4"]:
    """The viewer's axes about the point so far from the eye, ahead and downwards."""
    turn = rotation(2, yaw)
    at = eye + turn @ np.array([0, distance * np.cos(pitch), -distance * np.sin(pitch)])
    return placed(at, turn)


def _glance(rng: Rng, distance: float) -> Vector:
    """How far beside a thing the eyes come to rest."""
    return rng.normal(0, 0.07, 3) * distance


def _manipulate(
    scene: HomeScene, focus: int, begin: int, start: int, rng: Rng, verb: str
) -> Activity:
    distance = max(scene.things[focus].reach / rng.uniform(0.23, 0.27), 0.22)
    eye = _somewhere(scene, rng)
    frame = _before(eye, rng.uniform(-np.pi, np.pi), rng.uniform(0.1, 0.6), distance)
    count = int(rng.integers(8, 13))
    verb = verb or str(rng.choice(VERBS))
    hands = int(rng.choice([0, 1, 2], p=[0.3, 0.45, 0.25]))
    target = frame[:3, 3] + 0.5 * _glance(rng, distance)
    motion = move(verb, count, rng)
    return Activity(
        "verb", focus, begin, start, start + count, eye, target, frame, hands, verb, motion
    )


def _hold(scene: HomeScene, focus: int, begin: int, start: int, rng: Rng) -> Activity:
    """Turn a thing a little before the eyes, upright."""
    distance = max(scene.things[focus].reach / rng.uniform(0.26, 0.42), 0.2)
    eye = _somewhere(scene, rng)
    frame = _before(eye, rng.uniform(-np.pi, np.pi), rng.uniform(0.1, 0.7), distance)
    count = int(rng.integers(9, 21))
    steps = np.cumsum(rng.normal(0, 1, (5, count)), axis=1) * [
        [0.08],
        [0.04],
        [0.18],
        [0.06],
        [0.0],
    ]
    x, z, yaw, tilt, cover = steps
    motion = VerbMotion(x, 0.5 + z, yaw + rng.normal(0, 0.8), tilt + rng.normal(0, 0.3), cover)
    hands = int(rng.choice([0, 1, 2], p=[0.2, 0.6, 0.2]))
    target = frame[:3, 3] + _glance(rng, distance)
    return Activity(
        "hold", focus, begin, start, start + count, eye, target, frame, hands, "", motion
    )


def _look(scene: HomeScene, focus: int, begin: int, start: int, rng: Rng) -> Activity:
    """Look at a thing where it stands, most often from before it."""
    thing, position = scene.things[focus], scene.places[focus]
    middle = position + [0, 0, thing.height / 2]
    reach = scene.house.half - 0.5 * MARGIN
    share = rng.uniform(0.22, 0.45)
    for _ in range(20):
        away = scene.turns[focus] + rng.uniform(-1.2, 1.2) + (np.pi if rng.random() < 0.15 else 0)
        rise, distance = rng.uniform(0.25, 0.85), max(thing.reach / share, 0.2)
        back = np.array([np.sin(away) * np.cos(rise), -np.cos(away) * np.cos(rise), np.sin(rise)])
        eye = middle + distance * back
        if (np.abs(eye[:2]) < reach).all():
            break
        share = min(share + 0.02, 0.5)
    eye = np.clip(eye, [*-reach, 0.15], [*reach, 1.4])
    ahead = middle - eye
    yaw = float(np.arctan2(-ahead[0], ahead[1]))
    near = placed(eye + 0.75 * ahead + [0, 0, -0.35 * thing.reach], rotation(2, yaw))
    hands = 1 if rng.random() < 0.3 and thing.carried else 0
    target = middle + _glance(rng, float(np.linalg.norm(ahead)))
    end = start + int(rng.integers(9, 24))
    return Activity("look", focus, begin, start, end, eye, target, near, hands)


def held_poses(
    scene: HomeScene, activity: Activity, moment: float
) -> tuple[Float[np.ndarray, "4 4"], Float[np.ndarray, "4 4"]]:
    """Where the thing in hand and the board beside it are at a moment (a frame, with fractions)."""
    thing, motion = scene.things[activity.focus], activity.motion
    assert motion is not None
    frames = np.arange(activity.start, activity.end)
    x, z, yaw, tilt, cover = (
        float(np.interp(moment, frames, values))
        for values in (motion.x, motion.z, motion.yaw, motion.tilt, motion.cover)
    )
    reach = thing.reach
    turn = rotation(1, tilt) @ rotation(2, yaw)
    middle = np.array([ACROSS * x, 0, UPWARDS * (z - 0.5)]) * reach
    at = activity.frame @ placed(middle, turn) @ pose(0, 0, -thing.height / 2)
    if moment < activity.start:  # being brought
        share = (moment - activity.begin + 1) / (activity.start - activity.begin + 1)
        at[:3, 3] += (1 - share) * (resting(scene)[activity.focus, :3, 3] - at[:3, 3])
    side = 1 if activity.begin % 2 else -1
    board = placed(np.array([side * 2.9 * (1 - cover), -1.3, 0.1]) * reach)
    return at, activity.frame @ board
