"""How a child's head moves from activity to activity: saccades, steps, bobbing, never still."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from firsthand.synthetic.home.behaviour.activities import FPS, Activity
from firsthand.synthetic.home.world.furnishings import Rng

SACCADE = 0.3  # seconds in which the eyes come to a new target


def _eased(share: Float[np.ndarray, "t"]) -> Float[np.ndarray, "t"]:
    """Minimum jerk from 0 to 1 (Flash and Hogan 1985)."""
    s = np.clip(share, 0, 1)
    return s**3 * (10 - 15 * s + 6 * s * s)


def _wander(
    times: Float[np.ndarray, "t"], rng: Rng, size: float, low: float, high: float
) -> Float[np.ndarray, "t 3"]:
    """Band-limited noise along three axes: sines between `low` and `high` Hz."""
    rates = 2 * np.pi * rng.uniform(low, high, (5, 3))
    phases = rng.uniform(0, 2 * np.pi, (5, 3))
    waves = np.sin(times[:, None, None] * rates + phases) / rates
    return size * waves.sum(1) * (rates.mean() / np.sqrt(2.5))


def head_path(
    activities: Sequence[Activity], moments: Float[np.ndarray, "t"], rng: Rng
) -> tuple[Float[np.ndarray, "t 3"], Float[np.ndarray, "t 3"], Float[np.ndarray, "t"]]:
    """Eye, point looked at and sideways tilt (radians) at moments (frames, with fractions)."""
    times = moments / FPS
    eye = np.repeat(activities[0].eye[None], len(times), axis=0)
    target = np.repeat(activities[0].target[None], len(times), axis=0)
    bob = np.zeros(len(times))
    for last, activity in zip(activities[:-1], activities[1:], strict=True):
        begin, start = activity.begin / FPS, activity.start / FPS
        walked = _eased((times - begin) / (start - begin))[:, None]
        # The eyes go ahead of the head, but not before the activity begins.
        turned = _eased((times - begin) / min(SACCADE, start - begin))[:, None]
        eye += walked * (activity.eye - last.eye)
        target += turned * (activity.target - last.target)
        stride = min(0.05, 0.03 * float(np.linalg.norm(activity.eye - last.eye)))
        bob += stride * np.sin(2 * np.pi * 2.2 * times) * (4 * walked * (1 - walked))[:, 0]
    distance = np.linalg.norm(target - eye, axis=1, keepdims=True)
    eye = eye + _wander(times, rng, 0.006, 0.1, 1.0) * np.minimum(1, distance / 0.5)
    eye[:, 2] += bob
    target = target + distance * (
        _wander(times, rng, 0.018, 0.1, 0.7) + _wander(times, rng, 0.006, 1.0, 3.0)
    )
    return eye, target, _wander(times, rng, 0.05, 0.05, 0.5)[:, 0]
