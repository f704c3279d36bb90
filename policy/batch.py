"""What goes into a policy and what comes out: frozen records of tensors.

Letters used in shapes, here and everywhere in the package (see docs/model.md):
b batch, t frames of the window, k actions of a chunk, d width, n tokens, h w height and width.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Windows of recordings. What a recording lacks is None (or a missing camera), never zeros.

    images, future: pictures as stored, 0 to 255; `future[camera][:, i]` is what
    `images[camera][:, i]` turns into a fixed time later. `features` stand in the place of a
    camera's pictures: the tokens that a frozen encoder made of them (`policy.frozen_features`).
    `instruction` is the frozen language encoder's output. `actions[:, i]` is the chunk of k actions
    that starts at frame i.
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

    @property
    def cameras(self) -> tuple[str, ...]:
        """Those of which there are pictures or features."""
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

    def logged(self) -> dict[str, Float[Tensor, ""]]:
        """Every term that is present, by its name in logs: loss, loss_arm, loss_video/<camera>."""
        terms = {"loss": self.total, "loss_action": self.action}
        terms |= {"loss_arm": self.arm, "loss_gripper": self.gripper}
        terms |= {f"loss_video/{camera}": loss for camera, loss in (self.video or {}).items()}
        return {name: loss for name, loss in terms.items() if loss is not None}

    def scalars(self) -> dict[str, float]:
        """Every term that is present, as plain numbers: total, arm, gripper, video/<camera>."""
        terms = {"total": self.total, "arm": self.arm, "gripper": self.gripper}
        terms |= {f"video/{camera}": loss for camera, loss in (self.video or {}).items()}
        return {name: float(loss.detach()) for name, loss in terms.items() if loss is not None}


@dataclass(frozen=True)
class Prediction:
    """What the policy would do and what it expects to see.

    actions: in the world's units, arm in [-1, 1] and gripper exactly -1 or 1.
    frames: predicted pictures in 0..1, for every camera of the batch.
    attention: where the image tokens looked, one map a token over the camera's feature grid
    (b, t, tokens, rows, columns), each summing to 1 (only for encoders that have such maps).
    opening: the probability with which each action opens the gripper.
    """

    actions: Float[Tensor, "b t k 7"] | None
    frames: Mapping[str, Float[Tensor, "b t 3 _ _"]]
    attention: Mapping[str, Float[Tensor, "b t _ _ _"]]
    opening: Float[Tensor, "b t k"] | None = None
