"""Eight verbs that motion alone tells apart, and how a thing moves for each.

Before the viewer a thing, a table under it and a board beside it take up five numbers: `x` (-1 to
1, across), `z` (0 to 1, up), `yaw` and `tilt` (radians, about the vertical and along the line of
sight) and `cover` (0 to 1, how far the board stands before it). A verb lets one or two of them run
and keeps the others still at values drawn from those that they run through elsewhere. So a picture
taken at a random moment has one distribution whatever the verb: only the order of pictures tells
verbs apart. Lift and drop, hide and show are each other backwards, to the bit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

VERBS = ("push", "lift", "drop", "roll", "spin", "hide", "show", "shake")
REVERSED = {"lift": "drop", "drop": "lift", "hide": "show", "show": "hide"}
ROLLED = 2.2  # radians that a thing rolls for a unit of x


@dataclass(frozen=True)
class VerbMotion:
    """The five numbers of the module's docstring, frame by frame."""

    x: Float[np.ndarray, "t"]
    z: Float[np.ndarray, "t"]
    yaw: Float[np.ndarray, "t"]
    tilt: Float[np.ndarray, "t"]
    cover: Float[np.ndarray, "t"]

    def backwards(self) -> "VerbMotion":
        return VerbMotion(
            self.x[::-1], self.z[::-1], self.yaw[::-1], self.tilt[::-1], self.cover[::-1]
        )


def _across(count: int) -> Float[np.ndarray, "t"]:
    """From one side to the other, steadily."""
    return (2 * np.arange(count) + 1) / count - 1


def _falling(count: int) -> Float[np.ndarray, "t"]:
    """Held up, falling faster and faster, lying."""
    share = (np.arange(count) + 0.5) / count
    return 1 - np.clip((share - 0.3) / 0.3, 0, 1) ** 2


def _covering(count: int) -> Float[np.ndarray, "t"]:
    """In the open, then more and more behind the board."""
    share = (np.arange(count) + 0.5) / count
    return np.clip((share - 0.6) / 0.4, 0, 1)


def _to_and_fro(count: int) -> Float[np.ndarray, "t"]:
    """The places of `_across` in another order: swings that die down."""
    inwards = np.arange(count)
    return _across(count)[np.where(inwards % 2, inwards // 2, count - 1 - inwards // 2)]


def move(verb: str, count: int, rng: np.random.Generator) -> VerbMotion:
    """How a thing moves for a verb in `count` frames."""
    if verb in ("drop", "show"):  # of its opposite, backwards: the same draws, the same pictures
        return move(REVERSED[verb], count, rng).backwards()

    def still(curve: Callable[[int], Float[np.ndarray, "t"]]) -> Float[np.ndarray, "t"]:
        return np.full(count, rng.choice(curve(count)))

    x, z, cover = still(_across), still(_falling), still(_covering)
    yaw, tilt = (np.full(count, angle) for angle in rng.uniform(0, 2 * np.pi, 2))
    way = 1 if rng.random() < 0.5 else -1
    if verb in ("push", "roll"):
        x = way * _across(count)
    if verb == "roll":
        tilt = tilt + ROLLED * (x - x[0])
    if verb == "spin":
        yaw = yaw + way * 2 * np.pi * np.arange(count) / count
    if verb == "shake":
        x = way * _to_and_fro(count)
        x = x if rng.random() < 0.5 else x[::-1]
    if verb == "lift":
        z = _falling(count)[::-1]
    if verb == "hide":
        cover = _covering(count)
    return VerbMotion(x, z, yaw, tilt, cover)
