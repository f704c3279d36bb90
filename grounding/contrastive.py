"""The contrastive loss of images and utterances: a symmetric InfoNCE, and its metrics."""

from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float, Int, UInt8
from torch import Tensor


@dataclass(frozen=True)
class PairBatch:
    images: UInt8[Tensor, "b *t 3 h w"]
    """Images, or clips of t frames, 0 to 255."""
    tokens: Int[Tensor, "b l"]
    """The utterance of each, padded with zeros at the end."""
    lengths: Int[Tensor, " b"]
    """Tokens of each utterance."""

    @property
    def size(self) -> int:
        return len(self.lengths)

    def to(self, device: torch.device | str) -> "PairBatch":
        moved = {f.name: getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)}
        return PairBatch(**moved)


class Contrast(NamedTuple):
    """The loss (`total`) to differentiate, and metrics: means over the batch.

    Accuracies are the shares of images (utterances) of which the own utterance (image) has the
    largest logit in the batch; entropies are those of the softmax over utterances (images), in
    nats.
    """

    total: Float[Tensor, ""]
    image_accuracy: Float[Tensor, ""]
    text_accuracy: Float[Tensor, ""]
    image_entropy: Float[Tensor, ""]
    text_entropy: Float[Tensor, ""]

    def logged(self) -> dict[str, Float[Tensor, ""]]:
        """All values by their names in logs."""
        return {"loss" if name == "total" else name: v for name, v in self._asdict().items()}


def contrast(logits: Float[Tensor, "b b"]) -> Contrast:
    """Rows are images, columns utterances; pairs lie on the diagonal (CLIP, Radford et al. 2021).

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
