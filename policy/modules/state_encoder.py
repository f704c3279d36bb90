"""The robot's 15 state numbers to one token."""

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor, nn

from firsthand.policy.modules.fourier import fourier_features, fourier_width
from firsthand.policy.statistics import Statistics

# Where things stand in the state: CALVIN's robot_obs.
POSITION, ANGLES, WIDTH, GRIPPER_ACTION = slice(0, 3), slice(3, 6), slice(6, 7), 14
LONGEST, OCTAVES = 1.6, 6  # metres: waves from 1.6 m down to 5 cm


class FourierState(nn.Module):
    """Position and gripper width, normalised; position and angles as waves; one layer.

    Joint angles and the last gripper command are left out: with them a cloned policy reads its
    next action off its last one instead of looking.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, width: int, statistics: Statistics) -> None:
        super().__init__()
        self.embed = nn.Linear(4 + fourier_width(3, OCTAVES) + 6, width)
        self.register_buffer("mean", torch.tensor(statistics.state_mean), persistent=False)
        self.register_buffer("std", torch.tensor(statistics.state_std), persistent=False)

    def forward(self, state: Float[Tensor, "b t 15"]) -> Float[Tensor, "b t d"]:
        normed = (state - self.mean) / self.std
        position = fourier_features(state[..., POSITION], LONGEST, OCTAVES)
        angles = state[..., ANGLES]
        parts = [normed[..., POSITION], normed[..., WIDTH], position, angles.sin(), angles.cos()]
        return self.embed(torch.cat(parts, dim=-1))


class GR1State(nn.Module):
    """Position and angles as they are, the last gripper command as one of two (GR-1)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.arm = nn.Linear(6, width)
        self.gripper = nn.Linear(2, width)
        self.embed = nn.Linear(2 * width, width)

    def forward(self, state: Float[Tensor, "b t 15"]) -> Float[Tensor, "b t d"]:
        opened = F.one_hot((state[..., GRIPPER_ACTION] > 0).long(), 2).to(state.dtype)
        return self.read(state[..., :6], opened)

    def read(
        self, arm: Float[Tensor, "b t 6"], opened: Float[Tensor, "b t 2"]
    ) -> Float[Tensor, "b t d"]:
        """The token of an arm's position and angles and a gripper as one of (closed, open)."""
        return self.embed(torch.cat([self.arm(arm), self.gripper(opened)], dim=-1))
