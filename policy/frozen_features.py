"""What a frozen encoder makes of pictures, kept for training in the place of the pictures.

A frozen encoder says the same of a picture every time. Its tokens can be stored once
(`training.precompute_features`) and handed to the policy as `Batch.features`. They belong to one
encoder, which `encoder_identity` names, and to pictures of one size that nothing has moved or
recoloured.
"""

import hashlib
import json
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from firsthand.policy.config import PolicyConfig
from firsthand.policy.modules.image_encoder import ViTEncoder, imagenet_normalised, to_unit

if TYPE_CHECKING:
    from firsthand.policy.policy import Policy

_VERSION = 1  # of what is made of the same picture by the same weights


def check_storable(config: PolicyConfig) -> None:
    """Raise `ValueError` unless features of pictures can be stored and stand in their place."""
    if config.images.encoder != "vit" or not config.images.frozen:
        raise ValueError(
            "features are stored of a frozen encoder alone, and this one learns: "
            "it needs policy.images.encoder=vit and policy.images.frozen=true"
        )
    if config.video.from_current:
        raise ValueError(
            "video.from_current=true starts from the pictures themselves: "
            "their features cannot stand in their place"
        )


@torch.no_grad()
def encode_pictures(
    policy: "Policy", pictures: UInt8[Tensor, "n 3 _ _"], size: int
) -> Float[Tensor, "n k c"]:
    """The encoder's tokens, the class token first, of pictures resized to `size`.

    Raises:
        ValueError: the policy's encoder learns.
    """
    check_storable(policy.config)
    assert isinstance(policy.images, ViTEncoder)
    fitted = policy.images.fit(pictures, size)
    return policy.images.tokens(imagenet_normalised(to_unit(fitted)))


def encoder_identity(policy: "Policy") -> str:
    """A digest of all that decides what the encoder makes of a picture of a given size."""
    check_storable(policy.config)
    images = policy.config.images
    settings = {"version": _VERSION, "model": images.model, "antialias": images.antialias}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, weight in sorted(policy.images.state_dict().items()):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        digest.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:20]
