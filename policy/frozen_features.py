"""The tokens that a frozen encoder makes of images, stored for training in place of the images.

A frozen encoder makes the same tokens of an image every time. They can be stored once
(`training.precompute_features`) and handed to the policy as `Batch.features`. They belong to one
encoder, which `encoder_identity` names, and to images of one size that nothing has moved or
recoloured.
"""

import hashlib
import json

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from firsthand.policy.config import PolicyConfig
from firsthand.policy.modules.image_encoder import (
    ConvEncoder,
    ViTEncoder,
    imagenet_normalised,
    to_unit,
)

_VERSION = 1  # of what is made of the same image by the same weights


@torch.no_grad()
def encode_images(
    config: PolicyConfig,
    encoder: ConvEncoder | ViTEncoder,
    images: UInt8[Tensor, "n 3 _ _"],
    size: int,
) -> Float[Tensor, "n k c"]:
    """The encoder's tokens, the class token first, of images resized to `size`.

    Raises:
        ValueError: the policy's encoder learns.
    """
    config.check_storable()
    assert isinstance(encoder, ViTEncoder)
    fitted = encoder.fit(images, size)
    return encoder.tokens(imagenet_normalised(to_unit(fitted)))


def encoder_identity(config: PolicyConfig, encoder: ConvEncoder | ViTEncoder) -> str:
    """A digest of all that decides what the encoder makes of an image of a given size.

    Raises:
        ValueError: the policy's encoder learns.
    """
    config.check_storable()
    images = config.images
    settings = {"version": _VERSION, "model": images.model, "antialias": images.antialias}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, weight in sorted(encoder.state_dict().items()):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        digest.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:20]
