"""What the nursery's actions share: what is possible on the table, and the steps of a hand."""

import numpy as np
from jaxtyping import Float

from firsthand.synthetic.nursery.simulation import EDGE, Body, Hand, Script, Stage, Vector, glide

Rng = np.random.Generator

WAYS: dict[str, Vector] = {
    "left": np.array([-1.0, 0.0, 0.0]),
    "right": np.array([1.0, 0.0, 0.0]),
    "away": np.array([0.0, 1.0, 0.0]),
    "closer": np.array([0.0, -1.0, 0.0]),
}
CARRY = 0.17  # height of a carried toy, metres
REACH = np.array([[-0.25, -0.02], [0.25, 0.27]])  # where on the table the hand puts things, xy


# What is possible


def clear(stage: Stage, spot: Float[np.ndarray, "2"], radius: float, *ignored: Body) -> bool:
    """Whether a disc on the table touches no toy and no furniture."""
    for body in stage.bodies:
        if any(body is other for other in ignored):
            continue
        if np.hypot(*(body.position[:2] - spot)) < radius + body.toy.radius + 0.012:
            return False
    boxes = [(obstacle.low, obstacle.high) for obstacle in stage.obstacles]
    boxes += [(s.position - s.half, s.position + s.half) for s in stage.sliders.values()]
    for low, high in boxes:
        nearest = np.clip(spot, low[:2], high[:2])
        if np.hypot(*(nearest - spot)) < radius + 0.01:
            return False
    return True


def free_spot(stage: Stage, rng: Rng, body: Body) -> Float[np.ndarray, "2"] | None:
    """Somewhere in reach where `body` could be put down."""
    for _ in range(40):
        spot = rng.uniform(REACH[0], REACH[1])
        if clear(stage, spot, body.toy.radius, body):
            return spot
    return None


def path_clear(stage: Stage, body: Body, direction: Vector, distance: float) -> bool:
    """Whether a toy can slide `distance` without touching anything, a hand behind it."""
    for along in np.linspace(-0.07, distance, 8):
        spot = (body.position + direction * along)[:2]
        if not clear(stage, spot, body.toy.radius if along > 0 else 0.03, body):
            return False
    end = (body.position + direction * distance)[:2]
    return bool(((end > EDGE[0] + 0.08) & (end < EDGE[1] - 0.08)).all())


def candidates(stage: Stage, rng: Rng) -> list[Body]:
    """Toys that a hand can take, in random order: on the table, uncovered, within reach."""
    taken = [
        body
        for body in stage.bodies
        if not body.toy.hollow
        and body.cover is None
        and body.position[2] < body.toy.half_height + 0.01
        and (np.abs(body.position[0]) < 0.33 and body.position[1] < 0.34)
        and not any(_rests_on(other, body) for other in stage.bodies)
    ]
    return [taken[i] for i in rng.permutation(len(taken))]


def _rests_on(upper: Body, lower: Body) -> bool:
    apart = np.hypot(*(upper.position - lower.position)[:2])
    return upper is not lower and bool(apart < lower.toy.radius and upper.position[2] > lower.top)


# Steps that actions share


def grasp_hand(stage: Stage, body: Body, lift: float = 0.0) -> Hand:
    """The hand closed round a toy, `lift` above where it is."""
    point = body.position + [0.0, 0.0, 0.35 * body.toy.half_height + lift]
    curl = float(np.clip(1.15 - body.toy.radius / 0.06, 0.3, 0.9))
    return Hand(point, pitch=0.75, roll=0.45 * stage.side, curl=curl)


def take(stage: Stage, body: Body) -> Script:
    """Reach for a toy and close the hand round it."""
    stage.gaze = body
    above = grasp_hand(stage, body, 0.05)
    yield from glide(stage, Hand(above.point, above.pitch, above.roll, 0.1), arc=0.03)
    yield from glide(stage, grasp_hand(stage, body), 0.22 / stage.tempo)
    body.held = body.position - stage.hand.point
    body.spin = 0.0


def carry(stage: Stage, spot: Vector) -> Script:
    """Bring a held toy to a place in the air."""
    goal = Hand(spot, 0.75, 0.45 * stage.side, stage.hand.curl)
    yield from glide(stage, goal, arc=0.02)


def put(
    stage: Stage,
    body: Body,
    spot: Float[np.ndarray, "2"],
    height: float = 0.0,
    over: float = CARRY,
) -> Script:
    """Carry a held toy `over` the table to a place on it (or `height` above it) and let it go."""
    assert body.held is not None
    rest = np.array([*spot, height + body.toy.half_height + 0.002]) - body.held
    yield from carry(stage, np.array([*spot, max(over, rest[2] + 0.05)]))
    yield from glide(stage, Hand(rest, 0.75, 0.45 * stage.side, stage.hand.curl))
    yield from release(stage, body)
    yield from glide(
        stage, Hand(stage.hand.point + [0, -0.03, 0.07], 0.6, stage.hand.roll, 0.1), 0.25
    )


def release(stage: Stage, body: Body) -> Script:
    """Open the hand."""
    body.held, body.velocity = None, np.zeros(3)
    hand = stage.hand
    yield from glide(stage, Hand(hand.point, hand.pitch, hand.roll, 0.05), 0.12)


def lifted(stage: Stage, body: Body, height: float) -> Script:
    """Take a toy and raise it."""
    yield from take(stage, body)
    yield from carry(stage, stage.hand.point + [0.0, 0.0, height])
