"""Sequences of frames to the windows in them, so that a frame is encoded once for all windows."""

from dataclasses import fields, replace

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from firsthand.policy.batch import Batch


class Windows:
    """Every window of `length` frames that begins on a real frame of a batch of sequences.

    valid: which frames of the sequences are real.
    """

    def __init__(self, valid: Bool[Tensor, "b l"], length: int) -> None:
        starts = valid.shape[1] - length + 1
        self.sequence, first = valid[:, :starts].nonzero(as_tuple=True)
        self.frames = first[:, None] + torch.arange(length, device=valid.device)

    def cut(self, x: Shaped[Tensor, "b l *rest"]) -> Shaped[Tensor, "w t *rest"]:
        """What belongs to frames, window by window."""
        return x[self.sequence[:, None], self.frames]

    def cut_batch(self, batch: Batch) -> Batch:
        """The windows as a batch of their own, without the pictures that they showed."""
        said = batch.instruction[self.sequence]
        cut: dict[str, object] = {"images": {}, "features": None, "instruction": said}
        for name in (f.name for f in fields(batch) if f.name not in cut):
            value = getattr(batch, name)
            if isinstance(value, Tensor):
                cut[name] = self.cut(value)
            elif value is not None:
                cut[name] = {camera: self.cut(frames) for camera, frames in value.items()}
        return replace(batch, **cut)
