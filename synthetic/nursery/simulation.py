"""What moves in the nursery and how: a hand that follows its script, toys that follow physics.

Kinematic and ballistic motion at `TICKS` steps a second: a held toy follows the hand, a pushed one
is never behind the hand that pushes it, a free one falls, bounces, slides and rolls. Lengths are
metres; x points right, y away from the viewer, z up, and the table's top is z = 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from firsthand.synthetic.nursery.toys import Toy
from firsthand.synthetic.parts import rotation

TICKS = 50  # steps a second
GRAVITY = 9.81
SLIDING = 2.5  # m/s², deceleration of a sliding toy: friction 0.25
ROLLING = 0.25  # m/s², deceleration of a rolling one
BOUNCE = 0.35  # share of the vertical speed that a bounce gives back
EDGE = np.array([[-0.40, -0.16], [0.40, 0.42]])  # where on the table a toy may go, xy

Vector = Float[np.ndarray, "3"]


@dataclass(frozen=True)
class Hand:
    """Where the hand's grasp point is and how the hand is turned and bent.

    `pitch` and `roll` are radians (pitch bends the fingers down, roll turns the palm inwards),
    `curl` runs from 0 (flat) to 1 (closed).
    """

    point: Vector
    pitch: float = 0.35
    roll: float = 0.0
    curl: float = 0.25

    def towards(self, goal: "Hand", share: float) -> "Hand":
        """The hand a `share` of the way to `goal`."""
        blend = lambda a, b: a + (b - a) * share  # noqa: E731
        return Hand(
            blend(self.point, goal.point),
            blend(self.pitch, goal.pitch),
            blend(self.roll, goal.roll),
            blend(self.curl, goal.curl),
        )


@dataclass
class Slider:
    """A part of the furniture that moves along a line: drawer, door, lamp button."""

    name: str
    home: Vector  # of the part's middle when `value` is 0
    axis: Vector
    high: float  # `value` runs from 0 to here, metres
    grip: Vector  # where a hand takes hold, relative to the part's middle
    half: Vector  # half the sides of the box that the part fills
    value: float = 0.0
    lit: bool = False

    @property
    def position(self) -> Vector:
        return self.home + self.axis * self.value

    def follow(self, point: Vector) -> None:
        """Slide to where a hand at `point` takes it, within its range."""
        self.value = float(np.clip((point - self.grip - self.home) @ self.axis, 0.0, self.high))


@dataclass(frozen=True)
class Obstacle:
    """Furniture that toys keep clear of: a box on the table. `screen` ones can hide a toy."""

    low: Vector
    high: Vector
    screen: bool = False


@dataclass
class Body:
    """A toy in motion."""

    toy: Toy
    position: Vector
    turn: Float[np.ndarray, "3 3"]
    velocity: Vector = field(default_factory=lambda: np.zeros(3))
    spin: float = 0.0  # rad/s about z
    held: Vector | None = None  # where it sits relative to the hand's grasp point
    cover: "Body | None" = None  # the hollow toy it lies under

    @property
    def top(self) -> float:
        return float(self.position[2] + self.toy.half_height)


@dataclass(frozen=True)
class Event:
    """Something that the hand did: what, to which thing, between which times (seconds)."""

    verb: str
    thing: str  # a toy's full name, or the name of a slider
    start: float
    end: float
    way: str = ""  # left, right, away, closer
    other: str = ""  # the second thing: what it was put on, behind or under
    complete: bool = True  # the clip shows it to its end


@dataclass
class Stage:
    """The state of the nursery while a script plays."""

    bodies: list[Body]
    sliders: dict[str, Slider]
    obstacles: tuple[Obstacle, ...]
    hand: Hand
    rest: Hand
    eye: Vector  # where the viewer's head is at rest
    side: int  # 1 for a right hand, -1 for a left one
    tempo: float  # how quick the hand is: 1 is ordinary
    ticks: int = 0
    pusher: tuple[Body, Vector, float] | None = None  # what, direction (unit), gap to its middle
    sliding: Slider | None = None  # what the hand has hold of, if it is furniture
    gaze: Body | Slider | None = None  # what the viewer looks at, if anything
    hand_velocity: Vector = field(default_factory=lambda: np.zeros(3))
    events: list[Event] = field(default_factory=list)

    @property
    def time(self) -> float:
        return self.ticks / TICKS

    def body(self, name: str) -> Body:
        return next(body for body in self.bodies if body.toy.name == name)

    def begin(self, verb: str, thing: str, way: str = "", other: str = "") -> None:
        """Write down that something begins now; `finish` ends it."""
        self.events.append(Event(verb, thing, self.time, np.inf, way, other, complete=False))

    def finish(self) -> None:
        """The latest event is over."""
        self.events[-1] = replace(self.events[-1], end=self.time, complete=True)

    def move(self, hand: Hand) -> None:
        """Put the hand somewhere for the coming tick."""
        self.hand_velocity = (hand.point - self.hand.point) * TICKS
        self.hand = hand

    def tick(self) -> None:
        """Let 1 / TICKS seconds pass for everything that is not the hand."""
        self.ticks += 1
        for body in self.bodies:
            if body.held is not None:
                body.position = self.hand.point + body.held
                body.velocity = self.hand_velocity.copy()
            elif body.velocity.any() or body.spin or body.position[2] > self.ground(body) + 1e-9:
                self._fly(body)
        if self.pusher is not None:
            self._push(*self.pusher)
        if self.sliding is not None:
            self.sliding.follow(self.hand.point)
        self._separate()

    def ground(self, body: Body) -> float:
        """The height of `body`'s middle when it rests on what is below it."""
        support = 0.0
        for other in self.bodies:
            if other is body or other.held is not None or not other.toy.flat_top:
                continue
            apart = np.hypot(*(body.position - other.position)[:2])
            if apart < 0.8 * other.toy.radius and body.position[2] > other.top:
                support = max(support, other.top)
        return support + body.toy.half_height

    def _fly(self, body: Body) -> None:
        """Semi-implicit Euler: gravity, bounce, friction, the table's edge, the turn of a ball."""
        dt = 1 / TICKS
        ground = self.ground(body)
        body.velocity[2] -= GRAVITY * dt
        body.position = body.position + body.velocity * dt
        if body.position[2] <= ground:
            body.position[2] = ground
            falling = -body.velocity[2]
            body.velocity[2] = BOUNCE * falling if falling > 0.5 else 0.0
            speed = np.hypot(*body.velocity[:2])
            slower = max(0.0, speed - (ROLLING if body.toy.rolls else SLIDING) * dt)
            body.velocity[:2] *= slower / speed if speed > 1e-9 else 0.0
            body.spin = np.sign(body.spin) * max(0.0, abs(body.spin) - 6.0 * dt)
        kept = np.clip(body.position[:2], EDGE[0], EDGE[1])
        body.velocity[:2][kept != body.position[:2]] = 0.0
        body.position[:2] = kept
        self._turn(body)

    def _turn(self, body: Body) -> None:
        dt = 1 / TICKS
        if body.spin:
            body.turn = rotation(2, body.spin * dt) @ body.turn
        if body.toy.rolls:
            vx, vy = body.velocity[:2] / body.toy.radius
            body.turn = rotation(1, vx * dt) @ rotation(0, -vy * dt) @ body.turn

    def _push(self, body: Body, direction: Vector, gap: float) -> None:
        behind = float((self.hand.point - body.position) @ direction) + gap
        if behind > 0:
            body.position = body.position + direction * behind
            along = float(self.hand_velocity @ direction)
            body.velocity[:2] = direction[:2] * max(along, float(body.velocity @ direction))
            if body.toy.rolls:
                self._turn(body)

    def _separate(self) -> None:
        """Free toys at one height do not overlap: the resting one is struck, the mover slows."""
        moving = [b for b in self.bodies if b.held is None and b.velocity[:2].any()]
        for body in moving:
            for other in self.bodies:
                if other is body or other.held is not None or body.cover or other.cover:
                    continue
                apart = other.position - body.position
                if abs(apart[2]) > 0.9 * (body.toy.half_height + other.toy.half_height):
                    continue
                distance = float(np.hypot(*apart[:2]))
                overlap = body.toy.radius + other.toy.radius - distance
                if overlap <= 0 or distance < 1e-6 or body.toy.hollow or other.toy.hollow:
                    continue
                normal = apart[:2] / distance
                closing = float((body.velocity - other.velocity)[:2] @ normal)
                other.position[:2] += normal * overlap
                if closing > 0:
                    other.velocity[:2] += 0.6 * closing * normal
                    body.velocity[:2] -= 0.6 * closing * normal


Script = Iterator[None]  # every step of a script is a tick of the stage


def wait(stage: Stage, seconds: float) -> Script:
    """Hold the hand still for a while."""
    for _ in range(round(seconds * TICKS)):
        stage.move(stage.hand)
        yield


def glide(stage: Stage, goal: Hand, seconds: float | None = None, arc: float = 0.0) -> Script:
    """Move the hand along a minimum-jerk path (Flash and Hogan 1985), raised by `arc` midway.

    Without `seconds` the time follows from the distance and the stage's tempo.
    """
    start = stage.hand
    if seconds is None:
        distance = float(np.linalg.norm(goal.point - start.point)) + abs(arc)
        seconds = (0.25 + distance / 0.55) / stage.tempo
    ticks = max(2, round(seconds * TICKS))
    for s in np.arange(1, ticks + 1) / ticks:
        share = float(s**3 * (10 - 15 * s + 6 * s * s))
        hand = start.towards(goal, share)
        lift = np.array([0.0, 0.0, 4 * arc * share * (1 - share)])
        stage.move(replace(hand, point=hand.point + lift))
        yield
