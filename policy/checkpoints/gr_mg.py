"""What GR-MG, the next policy of GR-1's authors, calls the parts of GR-1, and what it adds."""

from collections.abc import Mapping

from torch import Tensor

from firsthand.policy.checkpoints.state_dict import listed
from firsthand.policy.checkpoints.torch_files import without_prefixes

CLIP, TEXT_ENCODER = "model_clip.", "text_encoder."  # the same part: GR-1's name, GR-MG's

# Parts that GR-1 has no place for.
ADDED = {
    "it reads pictures of the goal": ("embed_goal_image.", "embed_goal_patch."),
    "it draws actions with a variational autoencoder": (
        "embed_arm_action.",
        "embed_gripper_action.",
        "embed_action.",
        "encode_action.",
        "action_encoder_",
        "pred_style_vector.",
        "embed_style_vector.",
        "proj_action_output_embed.",
        "decode_action.",
        "action_mask_token_embedding.",
        "action_decoder_",
    ),
    "it predicts its progress": (
        "progress_",
        "proj_progress_output_embed.",
        "decode_progress.",
        "pred_progress.",
    ),
}


def renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights by GR-1's names. CLIP may lie in the model or beside it."""
    beside = {name for name in weights if name.startswith(TEXT_ENCODER)}
    if not beside:
        return dict(weights)
    model = [name for name in weights if name not in beside]
    names = dict(zip(model, without_prefixes(model), strict=True))
    names |= {name: CLIP + name.removeprefix(TEXT_ENCODER) for name in beside}
    return {names[name]: value for name, value in weights.items()}


def refuse(weights: Mapping[str, Tensor], where: str) -> None:
    """Raise a ValueError that names them if there are weights of parts that GR-1 lacks."""
    strange = {
        reason: sorted(name for name in weights if name.startswith(beginnings))
        for reason, beginnings in ADDED.items()
    }
    if any(strange.values()):
        said = "; ".join(
            f"{reason} ({listed(names)})" for reason, names in strange.items() if names
        )
        raise ValueError(
            f"{where} is a checkpoint of GR-MG, another architecture than GR-1: {said}"
        )
