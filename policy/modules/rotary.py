"""Rotary angles by frame: attention learns how many frames apart two tokens are, nothing else.

After Su et al. 2021 (RoFormer): queries and keys are turned by angles that grow with their frame,
so that their product depends on the difference of frames alone. All tokens of a frame share its
angles. A window may slide over such a sequence for ever: keys that were turned once stay right.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

BASE = 10_000.0


class Rotation(NamedTuple):
    """Cosine and sine of each token's angles, to be broadcast over heads."""

    cosine: Float[Tensor, "*n half"]
    sine: Float[Tensor, "*n half"]


def rotation(frames: Int[Tensor, "*n"], width: int) -> Rotation:
    """The angles of frames for heads of `width` numbers, at wavelengths from 2π frames up.

    Computed in double precision: in single, an angle of 1000 is wrong in the fifth place.

    Raises:
        ValueError: the width is odd.
    """
    if width % 2:
        raise ValueError(f"numbers are turned in pairs: a head cannot be {width} wide")
    half = torch.arange(width // 2, device=frames.device, dtype=torch.float64) / (width // 2)
    angles = frames[..., None] * BASE**-half
    return Rotation(angles.cos().float(), angles.sin().float())


def rotate(x: Float[Tensor, "b heads n c"], by: Rotation) -> Float[Tensor, "b heads n c"]:
    """x turned: its first and second half are the coordinates of its pairs."""
    first, second = x.float().chunk(2, dim=-1)
    turned = [first * by.cosine - second * by.sine, first * by.sine + second * by.cosine]
    return torch.cat(turned, dim=-1).to(x.dtype)
