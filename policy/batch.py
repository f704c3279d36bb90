"""What goes into a policy and what comes out: frozen records of tensors.

Letters used in shapes, here and everywhere in the package (see docs/model.md):
b batch, t frames of the window, k actions of a chunk, d width, n tokens, h w height and width.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float, Shaped, UInt8
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Windows of recordings. What a recording lacks is None (or a missing camera), never zeros.

    images, future: as stored, 0 to 255; `future[camera][:, i]` is what
    `images[camera][:, i]` turns into a fixed time later. `features` stand for a
    camera's images: the tokens that a frozen encoder made of them (`policy.frozen_features`).
    `instruction` is the frozen language encoder's output, `narrated` tells which frames it is about
    (None: nobody asked). `actions[:, i]` is the chunk of k actions that starts at frame i.
    """

    images: Mapping[str, UInt8[Tensor, "b t 3 _ _"]]
    valid: Bool[Tensor, "b t"]
    instruction: Float[Tensor, "b _"]
    state: Float[Tensor, "b t 15"] | None = None
    actions: Float[Tensor, "b t k 7"] | None = None
    actions_valid: Bool[Tensor, "b t k"] | None = None
    future: Mapping[str, UInt8[Tensor, "b t 3 _ _"]] | None = None
    future_valid: Bool[Tensor, "b t"] | None = None
    features: Mapping[str, Float[Tensor, "b t _ _"]] | None = None
    narrated: Bool[Tensor, "b t"] | None = None

    @property
    def cameras(self) -> tuple[str, ...]:
        """Those of which there are images or features."""
        return tuple(dict.fromkeys([*self.images, *(self.features or {})]))

    @property
    def size(self) -> int:
        return len(self.valid)

    def to(self, device: torch.device | str) -> "Batch":
        def move(value: object) -> object:
            if isinstance(value, Tensor):
                return value.to(device, non_blocking=True)
            if isinstance(value, Mapping):
                return {name: move(item) for name, item in value.items()}
            return value

        return replace(self, **{f.name: move(getattr(self, f.name)) for f in fields(self)})


@dataclass(frozen=True)
class CameraView:
    """One camera's images and what was made of them.

    size: the side of the images, in pixels.
    images: 0 to 255, at that size; None if their features were there instead.
    tokens: what the transformer reads.
    grid: the encoder's features, kept for a decoder that starts from the current image.
    attention: each token's map (t, tokens, rows, columns), for poolings that have such maps.
    unmodulated: features that the instruction has not modulated, kept for the narration's losses.
    """

    size: int
    images: Shaped[Tensor, "b t 3 h h"] | None
    tokens: Float[Tensor, "b t n d"]
    grid: Float[Tensor, "b t c rows columns"] | None
    attention: Float[Tensor, "b t n rows columns"] | None
    unmodulated: Float[Tensor, "b t c rows columns"] | None = None

    def map(self, change: Callable[[Tensor], Tensor]) -> "CameraView":
        """The same with every tensor changed alike."""
        changed = {
            name: None if value is None else change(value)
            for name in ("images", "tokens", "grid", "attention", "unmodulated")
            for value in [getattr(self, name)]
        }
        return replace(self, **changed)

    def require_images(self) -> Shaped[Tensor, "b t 3 h h"]:
        """The images, for what cannot do with features alone."""
        assert self.images is not None
        return self.images


class SequenceWindows:
    """Every window of `length` frames that begins on a real frame of a batch of sequences: a frame
    is encoded once for all windows that hold it.

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
        """The windows as a batch of their own, without their images."""
        instruction = batch.instruction[self.sequence]
        cut: dict[str, object] = {"images": {}, "features": None, "instruction": instruction}
        for name in (f.name for f in fields(batch) if f.name not in cut):
            value = getattr(batch, name)
            if isinstance(value, Tensor):
                cut[name] = self.cut(value)
            elif value is not None:
                cut[name] = {camera: self.cut(frames) for camera, frames in value.items()}
        return replace(batch, **cut)


@dataclass(frozen=True)
class Losses:
    """The terms of the objective, each present only when the batch holds its targets.

    `total` is their weighted sum, the one thing to differentiate; `action` that of arm and gripper
    alone, by which a policy that acts is judged.
    """

    total: Float[Tensor, ""]
    arm: Float[Tensor, ""] | None = None
    gripper: Float[Tensor, ""] | None = None
    video: Mapping[str, Float[Tensor, ""]] | None = None
    action: Float[Tensor, ""] | None = None
    narration: Mapping[str, Float[Tensor, ""]] | None = None

    def logged(self) -> dict[str, Float[Tensor, ""]]:
        """Every term that is present, by its name in logs: loss, loss_arm, loss_video/<camera>,
        loss_contrastive and the like of narrated video."""
        terms = {"loss": self.total, "loss_action": self.action}
        terms |= {"loss_arm": self.arm, "loss_gripper": self.gripper}
        terms |= {f"loss_video/{camera}": loss for camera, loss in (self.video or {}).items()}
        terms |= {f"loss_{name}": loss for name, loss in (self.narration or {}).items()}
        return {name: loss for name, loss in terms.items() if loss is not None}

    def scalars(self) -> dict[str, float]:
        """Every term that is present, as plain numbers: total, arm, gripper, video/<camera>,
        contrastive and the like."""
        terms = {"total": self.total, "arm": self.arm, "gripper": self.gripper}
        terms |= {f"video/{camera}": loss for camera, loss in (self.video or {}).items()}
        terms |= self.narration or {}
        return {name: float(loss.detach()) for name, loss in terms.items() if loss is not None}


@dataclass(frozen=True)
class Prediction:
    """The actions and the future frames that a policy predicts.

    actions: in the world's units, arm in [-1, 1] and gripper exactly -1 or 1.
    frames: predicted images in 0..1, for every camera of the batch.
    attention: of the image tokens, one map a token over the camera's feature grid
    (b, t, tokens, rows, columns), each summing to 1 (only for encoders that have such maps).
    opening: the probability with which each action opens the gripper.
    """

    actions: Float[Tensor, "b t k 7"] | None
    frames: Mapping[str, Float[Tensor, "b t 3 _ _"]]
    attention: Mapping[str, Float[Tensor, "b t _ _ _"]]
    opening: Float[Tensor, "b t k"] | None = None
