"""GR-1 on tensors as its release has them, for comparison with other implementations."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from firsthand.policy.modules.future_target import NormalisedTarget
from firsthand.policy.modules.image_encoder import ViTEncoder
from firsthand.policy.modules.state_encoder import GR1State
from firsthand.policy.view import interpret

if TYPE_CHECKING:
    from firsthand.policy.policy import Policy


class WindowPrediction(TypedDict):
    """What GR-1 says of a window of t frames, and its targets: those of the frames themselves.

    arm: as it is, not clipped; of a chunk, the first action. gripper: logits, open > 0. frames and
    targets: by "static" and "gripper", every 16×16 patch normalised by its own mean and deviation.
    """

    arm: Float[Tensor, "b t 6"]
    gripper: Float[Tensor, "b t 1"]
    frames: Mapping[str, Float[Tensor, "b t p c"]]
    targets: Mapping[str, Float[Tensor, "b t p c"]]


@torch.no_grad()
def predict_window(
    policy: "Policy",
    rgb: Float[Tensor, "b t 3 h h"],
    hand_rgb: Float[Tensor, "b t 3 h h"],
    arm: Float[Tensor, "b t 6"],
    gripper: Float[Tensor, "b t 2"],
    tokens: Int[Tensor, "b 77"],
    mask: Num[Tensor, "b t"],
) -> WindowPrediction:
    """One window, all queries asked at every frame, nothing remembered.

    Args:
        policy: of GR-1's architecture (`policy.checkpoints.gr1.load_gr1`).
        rgb: ImageNet-normalised pictures of the static camera.
        hand_rgb: and of the gripper's.
        arm: position (m) and Euler angles (rad).
        gripper: one-hot, closed or open.
        tokens: of the instruction, CLIP's.
        mask: not 0 where a frame is real; padding comes last.

    Raises:
        ValueError: the policy is of another architecture.
    """
    images, state, target = policy.images, policy.embed_state, policy.target
    if not (
        isinstance(images, ViTEncoder)
        and isinstance(state, GR1State)
        and isinstance(target, NormalisedTarget)
    ):
        raise ValueError("predict_window is for policies of GR-1's architecture (policy=gr1)")
    cameras = [camera.name for camera in policy.config.cameras]
    steps = mask.shape[1]
    said = policy.language.encode_tokens(tokens)
    pictures = torch.cat([rgb.flatten(0, 1), hand_rgb.flatten(0, 1)])
    features = images.encode(pictures)
    asked = said.repeat_interleave(steps, dim=0).repeat(len(cameras), 1)
    views = interpret(policy, cameras, steps, rgb.shape[-1], pictures, features, asked)

    seen = policy.tokens(said, state.read(arm, gripper), views)
    layout = policy.layout(tuple(cameras), state=True, act=True, watch=tuple(cameras))
    read = policy.think(seen, mask > 0, layout)

    arm_said, gripper_said = policy.action_head(read["action"])
    names = dict(zip(("static", "gripper"), cameras, strict=True))
    return WindowPrediction(
        arm=arm_said[:, :, 0],
        gripper=gripper_said[:, :, :1],
        frames={n: policy.imagine(read[f"future {c}"], views[c]) for n, c in names.items()},
        targets={"static": target.normalised(rgb), "gripper": target.normalised(hand_rgb)},
    )
