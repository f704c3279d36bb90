"""The action head: one read-out token to a chunk of actions, and what it costs to be wrong."""

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float
from torch import Tensor, nn

from firsthand.policy.config import ActionConfig


class ActionHead(nn.Module):
    """Two layers of half the width, then arm (6 numbers) and gripper (one logit, open > 0).

    GR-1's layout, with the chunk of ACT (Zhao et al. 2023): all actions are read off one token, or
    each off a token of its own.
    """

    def __init__(self, config: ActionConfig, width: int) -> None:
        super().__init__()
        self.each = config.chunk_size if config.queries == "one" else 1
        self.activation = F.relu if config.activation == "relu" else nn.Identity()
        self.first = nn.Linear(width, width // 2)
        self.second = nn.Linear(width // 2, width // 2)
        self.arm = nn.Linear(width // 2, 6 * self.each)
        self.gripper = nn.Linear(width // 2, self.each)

    def forward(
        self, tokens: Float[Tensor, "b t q d"]
    ) -> tuple[Float[Tensor, "b t k 6"], Float[Tensor, "b t k"]]:
        x = self.activation(self.first(tokens))
        x = self.activation(self.second(x))
        arm = self.arm(x).unflatten(-1, (self.each, 6))
        return arm.flatten(2, 3), self.gripper(x).flatten(2)


def action_losses(
    arm: Float[Tensor, "b t k 6"],
    gripper: Float[Tensor, "b t k"],
    actions: Float[Tensor, "b t k 7"],
    valid: Bool[Tensor, "b t k"],
    beta: float,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Smooth L1 on the arm, binary cross-entropy on the gripper, over valid actions alone."""
    weight = valid.float() / valid.sum().clamp(min=1)
    arm_loss = F.smooth_l1_loss(arm.float(), actions[..., :6], reduction="none", beta=beta)
    opened = (actions[..., 6] > 0).float()
    gripper_loss = F.binary_cross_entropy_with_logits(gripper.float(), opened, reduction="none")
    return (arm_loss.mean(-1) * weight).sum(), (gripper_loss * weight).sum()


def decode_actions(
    arm: Float[Tensor, "*b 6"], gripper: Float[Tensor, "*b"], clip: bool
) -> Float[Tensor, "*b 7"]:
    """What the world understands: the arm's numbers (within [-1, 1] if they are to be clipped) and
    the gripper, exactly -1 or 1."""
    opened = torch.where(gripper > 0, 1.0, -1.0)[..., None]
    arm = arm.float().clamp(-1, 1) if clip else arm.float()
    return torch.cat([arm, opened], dim=-1)
