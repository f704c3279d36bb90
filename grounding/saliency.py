"""Where a word-grounding model looks: for a word, or of its own accord."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from firsthand.grounding.image_encoder import Pictures, PolicyVision, TimmVision
from firsthand.grounding.model import GroundingModel
from firsthand.policy.modules.image_encoder import ViTEncoder

Maps = Float[Tensor, "b rows columns"]


def word_map(model: GroundingModel, images: Pictures, text_features: Float[Tensor, "b d"]) -> Maps:
    """Grad-CAM (Selvaraju et al. 2017) of how near each picture is to its own word.

    The places are those of the last feature map, for a ResNeXt 7 × 7 on 224 pixels; `enlarged`
    makes them as large as the picture. Values are positive, without a scale of their own.

    Raises:
        ValueError: the model looks with a transformer, whose places have no part in the picture's
            vector but through attention: see `attention_maps`; or it sees clips.
    """
    if model.config.clip.frames > 1:
        raise ValueError("Grad-CAM is of pictures: this model sees clips")
    with torch.no_grad():
        found = model.vision.look(images)
    if found.ndim != 4:
        raise ValueError("Grad-CAM needs a convolutional network: for this one see attention_maps")
    if model.vision.describe(found).grid.shape != found.shape:
        raise ValueError("Grad-CAM needs channels before places, which this network has not")

    def nearness(grid: Float[Tensor, "b c rows columns"]) -> Float[Tensor, " b"]:
        seen = F.normalize(model.project(model.vision.describe(grid).summary), dim=1)
        return (seen * text_features.detach()).sum(dim=1)

    return grad_cam(found, nearness)


def grad_cam(
    activation: Float[Tensor, "b c rows columns"],
    score: Callable[[Float[Tensor, "b c rows columns"]], Float[Tensor, " b"]],
) -> Maps:
    """The channels, each weighted by the mean of its gradient, summed; what is negative is none."""
    activation = activation.detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(score(activation).sum(), activation)
    weight = gradient.mean(dim=(2, 3), keepdim=True)
    return (weight * activation.detach()).sum(dim=1).clamp(min=0)


@torch.no_grad()
def attention_maps(
    model: GroundingModel, images: Pictures
) -> Float[Tensor, "b heads rows columns"]:
    """How the class token of a vision transformer attends to each place, in the last block.

    For every head; with what the token keeps for itself, a head's places add up to one (DINO, Caron
    et al. 2021).

    Raises:
        ValueError: the model looks with no such transformer.
    """
    network = _vision_transformer(model)
    last = network.blocks[-1].attn
    seen: list[Tensor] = []
    hook = last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        network.forward_features(images)
    finally:
        hook.remove()
    joined = last.qkv(seen[0]).unflatten(2, (3, last.num_heads, -1))
    query, key = rearrange(joined[:, :, :2], "b n two heads c -> two b heads n c")
    scores = last.q_norm(query[:, :, :1]) * last.scale @ last.k_norm(key).transpose(2, 3)
    places = scores.softmax(dim=3)[:, :, 0, network.num_prefix_tokens :]
    return places.unflatten(2, network.patch_embed.grid_size)


def enlarged(maps: Maps, height: int, width: int) -> Float[Tensor, "b {height} {width}"]:
    """Maps as large as a picture (bicubic, as upstream does: values may leave their range)."""
    return F.interpolate(maps[:, None], (height, width), mode="bicubic")[:, 0]


def _vision_transformer(model: GroundingModel) -> Any:
    from timm.models.vision_transformer import VisionTransformer

    vision = model.vision
    if isinstance(vision, PolicyVision):
        network = vision.encoder.vit if isinstance(vision.encoder, ViTEncoder) else None
    else:
        network = vision.trunk if isinstance(vision, TimmVision) else None
    if not isinstance(network, VisionTransformer) or not network.num_prefix_tokens:
        raise ValueError("attention maps need a vision transformer with a class token")
    return network
