"""Image encoders: an image as a grid of feature vectors and one vector for the whole."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from firsthand.grounding.config import VisionConfig
from firsthand.policy.checkpoints.state_dict import shape_mismatches, shapes_of
from firsthand.policy.checkpoints.storage import load_policy
from firsthand.policy.modules.image_encoder import (
    ImageFeatures,
    ViTEncoder,
    image_encoder,
    imagenet_denormalised,
    imagenet_normalised,
    to_unit,
)

if TYPE_CHECKING:
    from firsthand.policy.policy import Policy

Images = Float[Tensor, "b 3 h w"]  # normalised as for ImageNet
Features = Float[Tensor, "b *grid"]  # a grid (b c rows columns), or tokens (b n c)


class Vision(nn.Module, ABC):
    """An image encoder, trained or frozen."""

    width: int
    """Size of an image's vector."""
    grid_width: int
    """Channels of the grid."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, images: Images) -> ImageFeatures:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.config.frozen):
            return self.pool(self.forward_features(images))

    @abstractmethod
    def forward_features(self, images: Images) -> Features:
        """The last feature map, before pooling."""

    @abstractmethod
    def pool(self, features: Features) -> ImageFeatures:
        """The grid (b c rows columns) and one vector for each image (b width)."""

    def train(self, mode: bool = True) -> "Vision":
        """A frozen encoder stays in evaluation mode, unless its batch statistics are `drifting`."""
        learns = not self.config.frozen or self.config.statistics == "drifting"
        return super().train(mode and learns)


class TimmVision(Vision):
    """A network of timm's, without its classifier."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__(config)
        self.trunk: Any = timm_trunk(config).requires_grad_(not config.frozen)
        self.width, self.grid_width = self.trunk.head_hidden_size, self.trunk.num_features

    def forward_features(self, images: Images) -> Features:
        return self.trunk.forward_features(images)

    def pool(self, features: Features) -> ImageFeatures:
        summary = self.trunk.forward_head(features, pre_logits=True)
        if features.ndim == 3:  # tokens, class and register tokens first
            patches = features[:, self.trunk.num_prefix_tokens :].transpose(1, 2)
            return ImageFeatures(patches.unflatten(2, self.trunk.patch_embed.grid_size), summary)
        if getattr(self.trunk, "output_fmt", "NCHW") == "NHWC":
            features = features.permute(0, 3, 1, 2)
        return ImageFeatures(features, summary)


class BlockVision(Vision):
    """Blocks of convolution, normalisation, rectifier and pooling, as in few-shot learning (Vinyals
    et al. 2016). Pooling takes the maximum of each channel, so that an image's vector does not
    depend on how much of the image an object fills."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__(config)
        inputs = (3, *config.widths[:-1])
        blocks = [_block(i, o) for i, o in zip(inputs, config.widths, strict=True)]
        self.blocks = nn.Sequential(*blocks).requires_grad_(not config.frozen)
        self.width = self.grid_width = config.widths[-1]

    def forward_features(self, images: Images) -> Features:
        return self.blocks(images.contiguous(memory_format=torch.channels_last))

    def pool(self, features: Features) -> ImageFeatures:
        return ImageFeatures(features, features.amax(dim=(2, 3)))


def _block(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2))


class PolicyVision(Vision):
    """A robot policy's image encoder, its instruction set to zeros.

    Raises:
        ValueError: it is a vision transformer for images of another size.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__(config)
        images = replace(config.images, frozen=config.frozen)
        self.encoder = image_encoder(images, config.instruction).requires_grad_(not config.frozen)
        if isinstance(self.encoder, ViTEncoder):
            embed: Any = self.encoder.vit.patch_embed
            if embed.img_size != (config.size, config.size):
                raise ValueError(
                    f"{config.images.model} looks at {embed.img_size[0]} pixels squared, "
                    f"vision.size says {config.size}"
                )
        self.width = self.grid_width = self.encoder.width

    def forward_features(self, images: Images) -> Features:
        if isinstance(self.encoder, ViTEncoder):
            return self.encoder.vit.forward_features(images)
        pixels = 255 * imagenet_denormalised(images)
        return self.encoder(pixels, pixels.new_zeros(len(pixels), self.config.instruction)).grid

    def pool(self, features: Features) -> ImageFeatures:
        if features.ndim == 4:  # a mean over the grid says little of an object in one of its cells
            return ImageFeatures(features, features.amax(dim=(2, 3)))
        rows = round((features.shape[1] - 1) ** 0.5)
        return ImageFeatures(
            features[:, 1:].transpose(1, 2).unflatten(2, (rows, rows)), features[:, 0]
        )

    def start_from(self, policy: "Policy") -> None:
        """`load_encoder` with the weights of a policy."""
        self.load_encoder(policy.images.state_dict())

    def load_encoder(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of a policy's encoder, by the names they have in it.

        Raises:
            ValueError: it is of another kind, by the names of its weights.
        """
        if wrong := shape_mismatches(shapes_of(weights), shapes_of(self.encoder.state_dict())):
            raise ValueError(f"the policy's image encoder is no {self.config.images}: {wrong}")
        self.encoder.load_state_dict(weights)


def model_input(images: UInt8[Tensor, "*b 3 h w"]) -> Float[Tensor, "*b 3 h w"]:
    """Images of 0 to 255 as the encoders take them: normalised as for ImageNet."""
    return imagenet_normalised(to_unit(images))


def vision_encoder(config: VisionConfig) -> TimmVision | BlockVision | PolicyVision:
    kinds = {"timm": TimmVision, "blocks": BlockVision, "policy": PolicyVision}
    return kinds[config.encoder](config)


def timm_trunk(config: VisionConfig) -> Any:
    """timm's network of the configured name, for images of the configured size.

    Raises:
        ValueError: timm has no such network, or none with patches of that size.
    """
    import timm

    shape: dict[str, Any] = {}
    if config.patch is not None:
        shape = {"patch_size": config.patch, "img_size": config.size}
    try:
        trunk: Any = timm.create_model(config.model, pretrained=False, num_classes=0, **shape)
    except (RuntimeError, TypeError) as error:
        patch = "" if config.patch is None else f" with patches of {config.patch} pixels"
        raise ValueError(f"timm makes no {config.model}{patch}: {error}") from error
    if config.patch is None and hasattr(trunk, "set_input_size"):
        trunk.set_input_size(img_size=(config.size, config.size))
    return trunk


def stages(vision: Vision) -> dict[str, nn.Module]:
    """The successive inner layers of an encoder, by name.

    Of timm's networks the stages of `feature_info`, of blocks and vision transformers each block;
    of a policy's convolutional encoder none. The last may be the encoder's output before pooling.
    """
    if isinstance(vision, PolicyVision):
        if isinstance(vision.encoder, ViTEncoder):
            return _numbered("block", vision.encoder.vit.blocks)
        return {}
    if isinstance(vision, TimmVision):
        names = [str(stage["module"]) for stage in vision.trunk.feature_info]
        return {name: vision.trunk.get_submodule(name) for name in names}
    blocks = getattr(vision, "blocks", None)
    return _numbered("block", blocks) if isinstance(blocks, nn.Sequential) else {}


def averaged(vision: Vision, output: Tensor) -> Float[Tensor, "b c"]:
    """A layer's output averaged over space; of tokens the class token, if there is one."""
    trunk = getattr(vision, "trunk", None)
    if output.ndim == 4:
        return output.mean(dim=(1, 2) if getattr(trunk, "output_fmt", "") == "NHWC" else (2, 3))
    return output[:, 0] if getattr(trunk, "num_prefix_tokens", 1) else output.mean(dim=1)


def _numbered(name: str, blocks: nn.Module) -> dict[str, nn.Module]:
    return {f"{name} {number}": block for number, block in enumerate(blocks.children(), 1)}


IMAGES = "images."  # how a policy calls the weights of its encoder


def with_policy_encoder(config: VisionConfig) -> VisionConfig:
    """The configuration with `images` and `instruction` of the policy at `weights`, if there is
    one.

    Raises:
        ValueError: there is no policy, or a file of it is missing or damaged, by name.
    """
    if config.encoder != "policy" or not config.weights:
        return config
    policy = load_policy(config.weights)[0]
    return replace(config, images=policy.images, instruction=policy.language.width)


def load_policy_encoder(vision: PolicyVision) -> None:
    """Load the weights of the policy at `vision.config.weights` into an encoder.

    Raises:
        ValueError: as for `with_policy_encoder`, or the encoder is of another kind, by the names
            of its weights.
    """
    found = load_policy(vision.config.weights)[2]
    vision.load_encoder(
        {n.removeprefix(IMAGES): v for n, v in found.items() if n.startswith(IMAGES)}
    )
