"""How well pictures and utterances find each other: a symmetric InfoNCE and what to watch of it."""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor


class Contrast(NamedTuple):
    """The `loss` to differentiate, and means over the batch.

    Accuracies are the shares of pictures (utterances) whose own utterance (picture) comes first of
    all in the batch; entropies are those of the softmax over the others' side, in nats.
    """

    loss: Float[Tensor, ""]
    image_accuracy: Float[Tensor, ""]
    text_accuracy: Float[Tensor, ""]
    image_entropy: Float[Tensor, ""]
    text_entropy: Float[Tensor, ""]


def contrast(logits: Float[Tensor, "b b"]) -> Contrast:
    """Rows are pictures, columns utterances; pairs lie on the diagonal (CLIP, Radford et al. 2021).

    The loss is the mean of the cross-entropies over rows and over columns.
    """
    pairs = torch.arange(len(logits), device=logits.device)
    sides = (logits, logits.t())
    loss = torch.stack([F.cross_entropy(side, pairs) for side in sides]).mean()
    accuracies = [(side.detach().argmax(dim=1) == pairs).to(side.dtype).mean() for side in sides]
    return Contrast(loss, *accuracies, *(_entropy(side.detach()).mean() for side in sides))


def _entropy(logits: Float[Tensor, "b b"]) -> Float[Tensor, " b"]:
    log = logits.log_softmax(dim=1)
    return -(log.exp() * log).sum(dim=1)
