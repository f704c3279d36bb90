"""Saliency maps of a word-grounding model: Grad-CAM for a word, attention of a transformer."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from firsthand.grounding.image_encoder import Images, PolicyVision, TimmVision
from firsthand.grounding.model import GroundingModel
from firsthand.policy.modules.image_encoder import ViTEncoder

Maps = Float[Tensor, "b rows columns"]


def grad_cam_maps(
    model: GroundingModel, images: Images, text_features: Float[Tensor, "b d"]
) -> Maps:
    """Grad-CAM (Selvaraju et al. 2017) of the cosine between each image and its own word.

    Maps have the size of the last feature map, for a ResNeXt 7 × 7 of 224 pixels; `enlarged` makes
    them as large as the image. Values are 0 or more and have no unit.

    Raises:
        ValueError: the image encoder is a transformer, whose grid takes part in the image's vector
            through attention alone: see `attention_maps`; or the model takes clips.
    """
    if model.config.clip.frames > 1:
        raise ValueError("Grad-CAM is of pictures: this model sees clips")
    with torch.no_grad():
        features = model.vision.forward_features(images)
    if features.ndim != 4:
        raise ValueError("Grad-CAM needs a convolutional network: for this one see attention_maps")
    if model.vision.pool(features).grid.shape != features.shape:
        raise ValueError("Grad-CAM needs channels before places, which this network has not")

    def similarity(grid: Float[Tensor, "b c rows columns"]) -> Float[Tensor, " b"]:
        image_emb = F.normalize(model.project(model.vision.pool(grid).summary), dim=1)
        return (image_emb * text_features.detach()).sum(dim=1)

    return grad_cam(features, similarity)


def grad_cam(
    activation: Float[Tensor, "b c rows columns"],
    score: Callable[[Float[Tensor, "b c rows columns"]], Float[Tensor, " b"]],
) -> Maps:
    """The sum of the channels, each weighted by the mean of its gradient; negative values are 0."""
    activation = activation.detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(score(activation).sum(), activation)
    weight = gradient.mean(dim=(2, 3), keepdim=True)
    return (weight * activation.detach()).sum(dim=1).clamp(min=0)


@torch.no_grad()
def attention_maps(model: GroundingModel, images: Images) -> Float[Tensor, "b heads rows columns"]:
    """Attention of a vision transformer's class token to each patch, in the last block.

    For every head; with the token's attention to itself, a head's values add up to one (DINO, Caron
    et al. 2021).

    Raises:
        ValueError: the image encoder is no such transformer.
    """
    network = _vision_transformer(model)
    last = network.blocks[-1].attn
    inputs_of: list[Tensor] = []
    hook = last.register_forward_pre_hook(lambda _, inputs: inputs_of.append(inputs[0]))
    try:
        network.forward_features(images)
    finally:
        hook.remove()
    joined = last.qkv(inputs_of[0]).unflatten(2, (3, last.num_heads, -1))
    query, key = rearrange(joined[:, :, :2], "b n two heads c -> two b heads n c")
    scores = last.q_norm(query[:, :, :1]) * last.scale @ last.k_norm(key).transpose(2, 3)
    patches = scores.softmax(dim=3)[:, :, 0, network.num_prefix_tokens :]
    return patches.unflatten(2, network.patch_embed.grid_size)


def enlarged(maps: Maps, height: int, width: int) -> Float[Tensor, "b {height} {width}"]:
    """Maps resized to an image (bicubic, as upstream does: values may leave their range)."""
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
