"""Where the watching head is and what it looks at: it follows the hand slowly and never rests."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from firsthand.rendering.camera import Camera
from firsthand.synthetic.hands.play import ACTION_HZ

DESK = np.array([0.0, -0.05, 0.43])  # metres, what a head at rest looks at
AZIMUTH, ELEVATION = (-54.0, -26.0), (27.0, 42.0)  # degrees; PlayTable's static camera: -36 and 31
DISTANCE = (1.05, 1.5)  # metres from the desk to the eye
WIDTH = (0.76, 0.95)  # metres of the desk that the picture shows across
SHOULDER = (0.48, -0.45)  # metres to the side of the eye, and below it: the elbow is held out


@dataclass(frozen=True)
class Head:
    """A head's way through a clip; `tilt` is sideways, in radians, `fov` in degrees."""

    eye: Float[np.ndarray, "t 3"]
    target: Float[np.ndarray, "t 3"]
    tilt: Float[np.ndarray, "t"]
    fov: float

    def camera(self, frame: int, size: int) -> Camera:
        ahead = self.target[frame] - self.eye[frame]
        right = np.array([ahead[1], -ahead[0], 0.0]) / np.hypot(ahead[0], ahead[1])
        up = np.cos(self.tilt[frame]) * np.array([0.0, 0.0, 1.0]) + np.sin(self.tilt[frame]) * right
        return Camera.look_at(
            self.eye[frame], self.target[frame], up,
            fov=self.fov, near=0.05, far=12.0, width=size, height=size,
        )  # fmt: skip

    def shoulder(self, side: int) -> Float[np.ndarray, "3"]:
        """Where the arm comes from, right (1) or left (-1) of the head's mean place."""
        eye = self.eye.mean(0)
        ahead = DESK - eye
        right = np.array([ahead[1], -ahead[0], 0.0]) / np.hypot(ahead[0], ahead[1])
        return eye + side * SHOULDER[0] * right + [0.0, 0.0, SHOULDER[1]]


def move_head(hand: Float[np.ndarray, "t 3"], rng: np.random.Generator) -> Head:
    """A head that follows the hand a part of the way, as a critically damped spring, and sways."""
    around, above = np.radians(rng.uniform(*AZIMUTH)), np.radians(rng.uniform(*ELEVATION))
    outward = np.array([
        np.cos(around) * np.cos(above), np.sin(around) * np.cos(above), np.sin(above),
    ])  # fmt: skip
    distance, width = rng.uniform(*DISTANCE), rng.uniform(*WIDTH)
    home = DESK + rng.uniform(-1, 1, 3) * [0.04, 0.03, 0.02]
    wanted = home + rng.uniform(0.1, 0.4) * (hand - home)
    stiffness, followed = rng.uniform(1.5, 3.5), np.empty_like(wanted)
    point, speed = wanted[0], np.zeros(3)
    for frame, goal in enumerate(wanted):
        speed = speed + (stiffness**2 * (goal - point) - 2 * stiffness * speed) / ACTION_HZ
        point = point + speed / ACTION_HZ
        followed[frame] = point
    sway = np.stack([_wander(rng, len(hand), 0.008) for _ in range(3)], axis=1)
    shake = np.stack([_wander(rng, len(hand), 0.006) for _ in range(3)], axis=1)
    return Head(
        eye=home + distance * outward + sway + 0.15 * (followed - home),
        target=followed + shake,
        tilt=rng.normal(0.0, 0.04) + _wander(rng, len(hand), 0.012),
        fov=float(np.degrees(2 * np.arctan(width / 2 / distance))),
    )


def _wander(rng: np.random.Generator, count: int, size: float) -> Float[np.ndarray, "t"]:
    """Band-limited noise: six sines between 0.1 and 1 Hz, of root mean square about `size`."""
    time = np.arange(count) / ACTION_HZ
    rates = 2 * np.pi * rng.uniform(0.1, 1.0, 6)
    waves = np.sin(np.outer(time, rates) + rng.uniform(0, 2 * np.pi, 6))
    return size * waves @ (2.5 / rates) / np.linalg.norm(2.5 / rates) * np.sqrt(2)
