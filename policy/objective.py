"""What a policy learns from: how wrong its actions and its futures are."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from firsthand.policy.batch import Batch, Losses
from firsthand.policy.modules.action_head import action_losses
from firsthand.policy.view import View

if TYPE_CHECKING:
    from firsthand.policy.policy import Policy


def objective(
    policy: "Policy",
    read: Mapping[str, Float[Tensor, "b t _ d"]],
    views: Mapping[str, View],
    batch: Batch,
    expected: Float[Tensor, "2"] | None = None,
) -> Losses:
    """The losses whose targets the batch holds, and their weighted sum.

    Each is a mean over its valid targets. A batch may be one of several passes that are averaged
    afterwards, with more targets or fewer than the others: `expected` weighs it by its own.

    Args:
        policy: whose heads turn the trunk's outputs into actions and futures.
        read: the trunk's outputs by query group.
        views: what each camera showed.
        batch: the targets.
        expected: what `count_targets` says of a pass on average.
    """
    weights, terms = policy.config.loss, []
    scale = (1.0, 1.0)
    if expected is not None:
        scale = (count_targets(policy, batch) / expected.clamp(min=1e-6)).unbind()
    action = arm = gripper = None
    if batch.actions is not None and batch.actions_valid is not None:
        valid = batch.actions_valid & batch.valid[..., None]
        said_arm, said_gripper = policy.action_head(read["action"])
        losses = action_losses(said_arm, said_gripper, batch.actions, valid, weights.arm_beta)
        arm, gripper = (scale[0] * loss for loss in losses)
        terms += [weights.arm * arm, weights.gripper * gripper]
        action = torch.stack(terms).sum()
    video = {
        camera: scale[1]
        * video_loss(policy, read[f"future {camera}"], views[camera], batch, future)
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
    watched = count_watched(policy, batch)
    predicted = policy.imagine(queries[:watched], view.map(lambda x: x[:watched]))
    fitted = policy.images.fit(future[:watched].flatten(0, 1), view.size)
    truth = policy.target.truth(fitted).view_as(predicted)
    return policy.target.loss(predicted, truth, (batch.valid & batch.future_valid)[:watched])


def count_watched(policy: "Policy", batch: Batch) -> int:
    """For how many of a batch's windows futures are predicted."""
    size = len(batch.valid)
    return size if batch.actions is None else math.ceil(policy.config.video.share * size)


def count_targets(policy: "Policy", batch: Batch) -> Float[Tensor, "2"]:
    """How many actions, and how many futures of a camera, a batch of windows is judged by."""
    none = torch.zeros_like(batch.valid)
    acts = none if batch.actions_valid is None else batch.actions_valid & batch.valid[..., None]
    known = none if batch.future_valid is None else batch.future_valid & batch.valid
    return torch.stack([acts.sum(), known[: count_watched(policy, batch)].sum()]).float()
