"""Numbers as waves, so that a network can tell small differences apart.

A network fed with plain coordinates learns smooth functions of them first; what changes within a
centimetre (now reach, now pull) comes late. Sines and cosines of octave wavelengths mend that
(Fourier features, Tancik et al. 2020).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def fourier_features(
    values: Float[Tensor, "*n d"], longest: float, octaves: int
) -> Float[Tensor, "*n _"]:
    """The values, then their sines and cosines at wavelengths `longest`, `longest`/2, …"""
    steps = torch.arange(octaves, dtype=values.dtype, device=values.device)
    phases = (values[..., None] * (2 * math.pi / longest) * 2**steps).flatten(-2)
    return torch.cat([values, phases.sin(), phases.cos()], dim=-1)


def fourier_width(size: int, octaves: int) -> int:
    """How many numbers `fourier_features` makes of `size`."""
    return size * (1 + 2 * octaves)
