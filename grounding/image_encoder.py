"""What is seen as vectors, for grounding words: one for each place, and one for the picture."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from firsthand.grounding.config import VisionConfig
from firsthand.policy.checkpoints.state_dict import shape_mismatches, shapes_of
from firsthand.policy.checkpoints.storage import load_policy
from firsthand.policy.modules.image_encoder import (
    ImageFeatures,
    ViTEncoder,
    image_encoder,
    imagenet_denormalised,
)

if TYPE_CHECKING:
    from firsthand.policy.policy import Policy

Pictures = Float[Tensor, "b 3 h w"]  # normalised as for ImageNet
Found = Float[Tensor, "b *found"]  # a grid, or a transformer's tokens


class Vision(nn.Module, ABC):
    """What looks at pictures, learning or frozen.

    `width` is the size of a picture's vector, `place_width` that of a place's.
    """

    width: int
    place_width: int

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, pictures: Pictures) -> ImageFeatures:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.config.frozen):
            return self.describe(self.look(pictures))

    @abstractmethod
    def look(self, pictures: Pictures) -> Found:
        """What there is before it is summed up."""

    @abstractmethod
    def describe(self, found: Found) -> ImageFeatures:
        """What was found, by place and as one vector."""

    def train(self, mode: bool = True) -> "Vision":
        """Frozen weights are used as in evaluation, unless their statistics go on drifting."""
        learns = not self.config.frozen or self.config.statistics == "drifting"
        return super().train(mode and learns)


class TimmVision(Vision):
    """A network of timm's without its classifier."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__(config)
        self.trunk: Any = timm_trunk(config).requires_grad_(not config.frozen)
        self.width, self.place_width = self.trunk.head_hidden_size, self.trunk.num_features

    def look(self, pictures: Pictures) -> Found:
        return self.trunk.forward_features(pictures)

    def describe(self, found: Found) -> ImageFeatures:
        summary = self.trunk.forward_head(found, pre_logits=True)
        if found.ndim == 3:  # tokens, those of no place first
            places = found[:, self.trunk.num_prefix_tokens :].transpose(1, 2)
            return ImageFeatures(places.unflatten(2, self.trunk.patch_embed.grid_size), summary)
        if getattr(self.trunk, "output_fmt", "NCHW") == "NHWC":
            found = found.permute(0, 3, 1, 2)
        return ImageFeatures(found, summary)


class BlockVision(Vision):
    """Blocks of convolution, normalisation, rectifier and pooling, as in few-shot learning (Vinyals
    et al. 2016). Of every feature the place counts where it is strongest: a picture's vector does
    not say how much of the picture a thing fills."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__(config)
        inputs = (3, *config.widths[:-1])
        blocks = [_block(i, o) for i, o in zip(inputs, config.widths, strict=True)]
        self.blocks = nn.Sequential(*blocks).requires_grad_(not config.frozen)
        self.width = self.place_width = config.widths[-1]

    def look(self, pictures: Pictures) -> Found:
        return self.blocks(pictures.contiguous(memory_format=torch.channels_last))

    def describe(self, found: Found) -> ImageFeatures:
        return ImageFeatures(found, found.amax(dim=(2, 3)))


def _block(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2))


class PolicyVision(Vision):
    """A robot policy's image encoder, looking with no instruction in mind.

    Raises:
        ValueError: it is a vision transformer for pictures of another size.
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
        self.width = self.place_width = self.encoder.width

    def look(self, pictures: Pictures) -> Found:
        if isinstance(self.encoder, ViTEncoder):
            return self.encoder.vit.forward_features(pictures)
        pixels = 255 * imagenet_denormalised(pictures)
        return self.encoder(pixels, pixels.new_zeros(len(pixels), self.config.instruction)).grid

    def describe(self, found: Found) -> ImageFeatures:
        if found.ndim == 4:  # a mean over so many places says little of a thing in one of them
            return ImageFeatures(found, found.amax(dim=(2, 3)))
        rows = round((found.shape[1] - 1) ** 0.5)
        return ImageFeatures(found[:, 1:].transpose(1, 2).unflatten(2, (rows, rows)), found[:, 0])

    def start_from(self, policy: "Policy") -> None:
        """`take_over` a policy's encoder."""
        self.take_over(policy.images.state_dict())

    def take_over(self, weights: Mapping[str, Tensor]) -> None:
        """Look with the weights of a policy's encoder, by the names they have in it.

        Raises:
            ValueError: it is of another kind, by the names of its weights.
        """
        if wrong := shape_mismatches(shapes_of(weights), shapes_of(self.encoder.state_dict())):
            raise ValueError(f"the policy's image encoder is no {self.config.images}: {wrong}")
        self.encoder.load_state_dict(weights)


def vision(config: VisionConfig) -> TimmVision | BlockVision | PolicyVision:
    kinds = {"timm": TimmVision, "blocks": BlockVision, "policy": PolicyVision}
    return kinds[config.encoder](config)


def timm_trunk(config: VisionConfig) -> Any:
    """The network of that name, for pictures of that size.

    Raises:
        ValueError: timm has no such network, or it has no patches of that size.
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


IMAGES = "images."  # how a policy calls the weights of its encoder


def with_policy_encoder(config: VisionConfig) -> VisionConfig:
    """The same, with the encoder of the policy that `weights` names, if they name one.

    Raises:
        ValueError: there is no policy, or a file of it is missing or damaged, by name.
    """
    if config.encoder != "policy" or not config.weights:
        return config
    policy = load_policy(config.weights)[0]
    return replace(config, images=policy.images, instruction=policy.language.width)


def load_policy_encoder(vision: PolicyVision) -> None:
    """Give an encoder the weights of the policy that its `weights` name.

    Raises:
        ValueError: as for `with_policy_encoder`, or the encoder is of another kind, by the names
            of its weights.
    """
    found = load_policy(vision.config.weights)[2]
    vision.take_over({n.removeprefix(IMAGES): v for n, v in found.items() if n.startswith(IMAGES)})
