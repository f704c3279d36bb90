"""What a policy learns from: how wrong its actions and its futures are."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from policy.actions import action_losses
from policy.batch import Batch, Losses
from policy.view import View

if TYPE_CHECKING:
    from policy.policy import Policy


def objective(
    policy: "Policy",
    read: Mapping[str, Float[Tensor, "b t _ d"]],
    views: Mapping[str, View],
    batch: Batch,
) -> Losses:
    """The losses whose targets the batch holds, and their weighted sum.

    Args:
        policy: whose heads turn the trunk's outputs into actions and futures.
        read: the trunk's outputs by query group.
        views: what each camera showed.
        batch: the targets.
    """
    weights, terms = policy.config.loss, []
    action = arm = gripper = None
    if batch.actions is not None and batch.actions_valid is not None:
        valid = batch.actions_valid & batch.valid[..., None]
        said_arm, said_gripper = policy.action_head(read["action"])
        arm, gripper = action_losses(said_arm, said_gripper, batch.actions, valid, weights.arm_beta)
        terms += [weights.arm * arm, weights.gripper * gripper]
        action = torch.stack(terms).sum()
    video = {
        camera: video_loss(policy, read[f"future {camera}"], views[camera], batch, future)
        for camera, future in (batch.future or {}).items()
    }
    terms += [weights.video / len(video) * loss for loss in video.values()]
    return Losses(torch.stack(terms).sum(), arm, gripper, video or None, action)


def video_loss(
    policy: "Policy", queries: Float[Tensor, "b t q d"], view: View, batch: Batch, future: Tensor
) -> Float[Tensor, ""]:
    """How wrong one camera's futures are. If there are actions to learn besides, those of a batch's
    first part alone stand for all: its order is random, whatever corpora it was drawn from."""
    assert batch.future_valid is not None
    size = len(batch.valid)
    watched = size if batch.actions is None else math.ceil(policy.config.video.share * size)
    predicted = policy.imagine(queries[:watched], view.map(lambda x: x[:watched]))
    fitted = policy.images.fit(future[:watched].flatten(0, 1), view.size)
    truth = policy.target.truth(fitted).view_as(predicted)
    return policy.target.loss(predicted, truth, (batch.valid & batch.future_valid)[:watched])
