"""What the hand in the nursery can do, as short scripts.

An action looks at the stage and returns a script, or None when there is nothing to do it to. A
script moves the hand tick by tick and writes down what it does and to what; whether that came true
is decided by the stage's physics alone.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from firsthand.synthetic.nursery.motions import (
    WAYS,
    Rng,
    candidates,
    carry,
    clear,
    free_spot,
    lifted,
    path_clear,
    put,
    release,
    take,
)
from firsthand.synthetic.nursery.simulation import Body, Hand, Script, Slider, Stage, glide, wait

Action = Callable[[Stage, Rng], Script | None]


def play(stage: Stage, rng: Rng) -> Script:
    """Act for ever: one feasible action after another, with pauses between them."""
    actions, weights = zip(*ACTIONS.items(), strict=True)
    share = np.array(weights) / sum(weights)
    yield from wait(stage, rng.uniform(0.1, 0.5))
    while True:
        order = rng.choice(len(actions), len(actions), replace=False, p=share)
        scripts = (actions[i](stage, rng) for i in order)
        yield from next((script for script in scripts if script is not None), ())
        stage.pusher, stage.sliding = None, None
        if rng.random() < 0.5:
            stage.gaze = None
        if rng.random() < 0.45:
            yield from glide(stage, stage.rest)
        yield from wait(stage, rng.uniform(0.06, 0.4))


# Actions on toys


def push(stage: Stage, rng: Rng) -> Script | None:
    """Slide a toy left, right, away or closer with the flat of the hand."""
    ways = rng.permutation(["left", "right", "left", "right", "away", "closer"])
    distance = rng.uniform(0.09, 0.16)
    for body in candidates(stage, rng):
        for way in ways:
            slack = 0.12 if body.toy.rolls else 0.03
            if path_clear(stage, body, WAYS[way], distance + slack):
                return _stroke(stage, body, str(way), distance, "push", 1.0)
    return None


def roll(stage: Stage, rng: Rng) -> Script | None:
    """Give a ball a quick push and let it run."""
    for body in candidates(stage, rng):
        for way in rng.permutation(["left", "right", "away"]):
            if body.toy.rolls and path_clear(stage, body, WAYS[way], 0.22):
                return _stroke(stage, body, str(way), 0.08, "roll", 1.5)
    return None


def _stroke(
    stage: Stage, body: Body, way: str, distance: float, verb: str, quickness: float
) -> Script:
    stage.begin(verb, body.toy.name, way=way)
    stage.gaze = body
    direction, radius = WAYS[way], body.toy.radius
    pitch, turn, curl, gap = {
        "left": (0.25, 1.25, 0.12, radius - 0.015),
        "right": (0.25, -1.25, 0.12, radius - 0.015),
        "away": (0.1, 0.0, 0.9, radius + 0.02),
        "closer": (1.1, 0.0, 0.45, radius + 0.01),
    }[way]
    low = np.array([0.0, 0.0, max(0.03, 0.9 * body.toy.half_height) - body.position[2]])
    ready = Hand(body.position + low - direction * (gap + 0.045), pitch, turn, curl)
    over = 0.10 if way == "closer" else 0.05
    yield from glide(stage, ready, arc=over)
    stage.pusher = (body, direction, gap)
    target = Hand(body.position + low + direction * (distance - gap), pitch, turn, curl)
    yield from glide(stage, target, (0.25 + distance / 0.3) / stage.tempo / quickness)
    stage.pusher = None
    back = Hand(target.point - direction * 0.03 + [0, -0.02, 0.06], 0.5, 0.0, 0.2)
    yield from glide(stage, back)
    yield from wait(stage, 0.1)
    stage.finish()


def lift(stage: Stage, rng: Rng) -> Script | None:
    """Take a toy up; then put it down elsewhere, drop it, shake it or show it."""
    bodies = candidates(stage, rng)
    if not bodies:
        return None
    body = bodies[0]
    spot = free_spot(stage, rng, body)
    after = [_put_down, _drop, _shake, _show][rng.choice(4, p=[0.3, 0.25, 0.2, 0.25])]
    height = rng.uniform(0.11, 0.17)

    def script() -> Script:
        stage.begin("lift", body.toy.name)
        yield from lifted(stage, body, height)
        yield from wait(stage, 0.15)
        stage.finish()
        there = body.position[:2].copy() if spot is None else spot
        yield from after(stage, body, there)

    return script()


def _put_down(stage: Stage, body: Body, spot: Float[np.ndarray, "2"]) -> Script:
    stage.begin("put", body.toy.name)
    yield from put(stage, body, spot)
    stage.finish()


def _drop(stage: Stage, body: Body, spot: Float[np.ndarray, "2"]) -> Script:
    stage.begin("drop", body.toy.name)
    yield from carry(stage, np.array([*spot, max(0.14, stage.hand.point[2])]))
    yield from wait(stage, 0.15)
    yield from release(stage, body)
    yield from wait(stage, 0.35)
    stage.finish()


def _shake(stage: Stage, body: Body, spot: Float[np.ndarray, "2"]) -> Script:
    stage.begin("shake", body.toy.name)
    middle, hand = stage.hand.point, stage.hand
    for side in (1, -1, 1, -1, 1, 0):
        point = middle + [0.04 * side, 0.0, 0.01 * abs(side)]
        yield from glide(stage, Hand(point, hand.pitch, hand.roll + 0.15 * side, hand.curl), 0.16)
    stage.finish()
    yield from _put_down(stage, body, spot)


def _show(stage: Stage, body: Body, spot: Float[np.ndarray, "2"]) -> Script:
    stage.begin("show", body.toy.name)
    ahead = np.array([0.0, 0.17, 0.0]) - stage.eye
    near = stage.eye + 0.235 * ahead / np.linalg.norm(ahead)
    # On the open palm, which is turned up.
    palm = Hand(near + [0.01 * stage.side, 0, 0], 0.05, 2.3 * stage.side, min(0.4, stage.hand.curl))
    yield from glide(stage, palm, arc=0.02)
    hand = stage.hand
    for side in (1, -1, 0):
        point = hand.point + [0.012 * side, 0.0, 0.006 * side]
        yield from glide(stage, Hand(point, hand.pitch, hand.roll + 0.1 * side, hand.curl), 0.25)
    stage.finish()
    yield from _put_down(stage, body, spot)


def spin(stage: Stage, rng: Rng) -> Script | None:
    """Twist a toy so that it turns on the spot."""
    bodies = [b for b in candidates(stage, rng) if b.toy.noun in ("car", "book", "block", "duck")]
    if not bodies:
        return None
    body, way = bodies[0], int(rng.choice([-1, 1]))

    def script() -> Script:
        stage.begin("spin", body.toy.name)
        yield from take(stage, body)
        body.held = None
        hand = stage.hand
        body.spin = 11.0 * way
        up = Hand(hand.point + [0, -0.05, 0.06], 0.6, hand.roll - 0.5 * way, 0.1)
        yield from glide(stage, up, 0.3)
        yield from wait(stage, 0.9)
        stage.finish()

    return script()


def stack(stage: Stage, rng: Rng) -> Script | None:
    """Put a toy on top of a block, a book or a drum."""
    for lower in candidates(stage, rng):
        for upper in candidates(stage, rng):
            fits = upper.toy.radius < 1.35 * lower.toy.radius and not upper.toy.rolls
            if upper is lower or not lower.toy.flat_top or not fits:
                continue

            def script(upper: Body = upper, lower: Body = lower) -> Script:
                stage.begin("stack", upper.toy.name, other=lower.toy.name)
                yield from lifted(stage, upper, 0.12)
                yield from put(stage, upper, lower.position[:2], lower.top)
                stage.finish()

            return script()
    return None


def hide_behind(stage: Stage, rng: Rng) -> Script | None:
    """Put a toy behind the standing box."""
    screens = [obstacle for obstacle in stage.obstacles if obstacle.screen]
    if not screens:
        return None
    low, high = screens[0].low, screens[0].high
    for body in candidates(stage, rng):
        narrow = body.toy.radius < 0.42 * (high[0] - low[0]) and body.toy.half_height < 0.05
        # behind along the line of sight, so that it is hidden from where the viewer sits
        ahead = (low + high)[:2] / 2 - stage.eye[:2]
        depth = high[1] + body.toy.radius + 0.012
        spot = stage.eye[:2] + ahead * (depth - stage.eye[1]) / ahead[1]
        in_view = np.hypot(*(body.position[:2] - spot)) > 0.1 or body.position[1] < high[1]
        if narrow and in_view and clear(stage, spot, body.toy.radius - 0.01, body):

            def script(body: Body = body, spot: np.ndarray = spot) -> Script:
                stage.begin("hide", body.toy.name, way="behind", other="box")
                yield from lifted(stage, body, 0.14)
                yield from put(stage, body, spot, over=high[2] + 0.06)
                yield from glide(stage, stage.rest, arc=0.12)
                stage.finish()

            return script()
    return None


def hide_under(stage: Stage, rng: Rng) -> Script | None:
    """Put the bucket over a toy."""
    buckets = [body for body in stage.bodies if body.toy.hollow]
    if not buckets or any(body.cover for body in stage.bodies):
        return None
    bucket = buckets[0]
    for body in candidates(stage, rng):
        if bucket.toy.covers(body.toy) and clear(
            stage, body.position[:2], bucket.toy.radius, body, bucket
        ):

            def script(body: Body = body) -> Script:
                stage.begin("hide", body.toy.name, way="under", other=bucket.toy.name)
                yield from lifted(stage, bucket, 0.14)
                stage.gaze = body
                yield from put(stage, bucket, body.position[:2])
                body.cover = bucket
                stage.finish()

            return script()
    return None


def reveal(stage: Stage, rng: Rng) -> Script | None:
    """Take the bucket off what it hides."""
    covered = [body for body in stage.bodies if body.cover is not None]
    if not covered:
        return None
    body, bucket = covered[0], covered[0].cover
    assert bucket is not None
    spot = free_spot(stage, rng, bucket)
    if spot is None:
        return None

    def script() -> Script:
        stage.begin("reveal", body.toy.name, other=bucket.toy.name)
        yield from take(stage, bucket)
        body.cover = None
        yield from carry(stage, stage.hand.point + [0.0, 0.0, 0.15])
        yield from put(stage, bucket, spot)
        stage.gaze = body
        stage.finish()

    return script()


def look(stage: Stage, rng: Rng) -> Script | None:
    """Turn the head to something."""
    bodies = [b for b in stage.bodies if b.cover is None and b is not stage.gaze]
    if not bodies:
        return None
    body = bodies[rng.integers(len(bodies))]

    def script() -> Script:
        stage.begin("look", body.toy.name)
        stage.gaze = body
        yield from glide(stage, stage.rest)
        yield from wait(stage, rng.uniform(0.5, 0.9))
        stage.finish()

    return script()


# Actions on furniture


def _pulled(stage: Stage, slider: Slider, verb: str, value: float, way: str = "") -> Script:
    stage.begin(verb, slider.name, way=way)
    stage.gaze = slider
    at = Hand(slider.position + slider.grip, 0.45, 0.3 * stage.side, 0.1)
    yield from glide(stage, Hand(at.point + [0, -0.04, 0.02], at.pitch, at.roll, 0.1), arc=0.02)
    yield from glide(stage, Hand(at.point, at.pitch, at.roll, 0.6), 0.22)
    stage.sliding = slider
    end = slider.home + slider.axis * value + slider.grip
    yield from glide(stage, Hand(end, at.pitch, at.roll, 0.6))
    stage.sliding = None
    yield from glide(stage, Hand(end + [0, -0.05, 0.04], at.pitch, at.roll, 0.1), 0.3)
    stage.finish()


def drawer(stage: Stage, rng: Rng) -> Script | None:
    """Open the drawer if it is closed, close it if it is open."""
    slider = stage.sliders.get("drawer")
    if slider is None:
        return None
    is_open = slider.value > slider.high / 2
    front = (slider.position + slider.grip + slider.axis * slider.high)[:2]
    room = [clear(stage, front + [dx, 0.0], 0.02) for dx in (-0.07, 0.0, 0.07)]
    if not is_open and not all(room):
        return None
    return _pulled(stage, slider, "close" if is_open else "open", 0.0 if is_open else slider.high)


def door(stage: Stage, rng: Rng) -> Script | None:
    """Slide the cupboard's door to its other side."""
    slider = stage.sliders.get("door")
    if slider is None:
        return None
    at_right = slider.value > slider.high / 2
    way = "left" if at_right else "right"
    return _pulled(stage, slider, "slide", 0.0 if at_right else slider.high, way)


def lamp(stage: Stage, rng: Rng) -> Script | None:
    """Press the lamp's button: the light goes on, or off."""
    slider = stage.sliders.get("lamp")
    if slider is None:
        return None

    def script() -> Script:
        stage.begin("turn off" if slider.lit else "turn on", "lamp")
        stage.gaze = slider
        point = slider.position + slider.grip
        finger = Hand(point + [0, 0, 0.05], 0.9, 0.0, 0.35)
        yield from glide(stage, finger, arc=0.03)
        stage.sliding = slider
        down = Hand(point - [0, 0, slider.high], 0.9, 0.0, 0.35)
        yield from glide(stage, down, 0.3 / stage.tempo)
        slider.lit = not slider.lit
        yield from wait(stage, 0.1)
        yield from glide(stage, finger, 0.3 / stage.tempo)
        stage.sliding = None
        yield from wait(stage, 0.2)
        stage.finish()

    return script()


ACTIONS: dict[Action, float] = {
    push: 6.0,
    lift: 4.0,
    roll: 3.0,
    spin: 1.0,
    stack: 1.5,
    hide_behind: 2.0,
    hide_under: 3.0,
    reveal: 10.0,
    look: 1.0,
    drawer: 3.0,
    door: 2.5,
    lamp: 2.0,
}
