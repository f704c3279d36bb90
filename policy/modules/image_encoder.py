"""One image to a grid of features: a convolutional encoder of our own, or a timm ViT."""

import math
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from firsthand.policy.config import ImageConfig

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class ImageFeatures(NamedTuple):
    """What an encoder makes of n images.

    `summary` is the class token of encoders that have one; `unmodulated` the features that the
    instruction has had no part in, of encoders that it modulates.
    """

    grid: Float[Tensor, "n c rows columns"]
    summary: Float[Tensor, "n c"] | None
    unmodulated: Float[Tensor, "n c rows columns"] | None = None

    @classmethod
    def of_tokens(cls, tokens: Float[Tensor, "n k c"]) -> "ImageFeatures":
        """From a vision transformer's tokens: the class token, then patches row by row."""
        rows = math.isqrt(tokens.shape[1] - 1)
        grid = tokens[:, 1:].transpose(1, 2).unflatten(2, (rows, rows))
        return cls(grid=grid, summary=tokens[:, 0])


# Pixels from 0 to 255: as stored, or resized without rounding.
Images = Shaped[Tensor, "n 3 _ _"]


def to_unit(pixels: Shaped[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Pixels (0 to 255) as numbers in 0..1."""
    return pixels.to(torch.float32, copy=True).mul_(1 / 255)


def imagenet_normalised(unit: Float[Tensor, "*n 3 h w"]) -> Float[Tensor, "*n 3 h w"]:
    """Images in 0..1 as encoders trained on ImageNet expect them."""
    mean, std = _imagenet(unit.device)
    return (unit - mean) / std


def imagenet_denormalised(normalised: Float[Tensor, "*n 3 h w"]) -> Float[Tensor, "*n 3 h w"]:
    """The inverse of `imagenet_normalised`."""
    mean, std = _imagenet(normalised.device)
    return normalised * std + mean


@lru_cache
def _imagenet(device: torch.device) -> tuple[Float[Tensor, "3 1 1"], Float[Tensor, "3 1 1"]]:
    mean, std = (
        torch.tensor(v, device=device)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return mean, std


def resize(
    images: Images, size: int, antialias: bool = True
) -> Shaped[Tensor, "n 3 {size} {size}"]:
    """Images at the size the policy sees (bicubic); untouched if they have it.

    Whole numbers stay whole numbers in 0..255, others are neither rounded nor clamped.
    """
    if images.shape[-2:] == (size, size):
        return images
    return F.interpolate(images, (size, size), mode="bicubic", antialias=antialias)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions beside the identity, scaled and shifted by the instruction (FiLM)."""

    def __init__(self, width: int, instruction_width: int | None) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.film = None
        if instruction_width is not None:
            self.film = nn.Linear(instruction_width, 2 * width)
            nn.init.zeros_(self.film.weight)
            nn.init.zeros_(self.film.bias)

    def forward(
        self, x: Float[Tensor, "n c h w"], instruction: Float[Tensor, "n d"]
    ) -> Float[Tensor, "n c h w"]:
        y = self.first(x)
        if self.film is not None:
            scale, shift = self.film(instruction)[:, :, None, None].chunk(2, dim=1)
            y = y * (1 + scale) + shift
        return F.relu(x + self.second(F.relu(y)))


class ConvEncoder(nn.Module):
    """A strided stem and residual blocks, the last one listening to the instruction.

    Trains from scratch on two CPU cores: at `stride` 4 a 96-pixel picture becomes 24×24 features.
    """

    def __init__(self, config: ImageConfig, instruction_width: int) -> None:
        super().__init__()
        self.width = config.width
        self.stride = config.stride
        self.stem = nn.Conv2d(3, config.width, 2 * config.stride, config.stride, config.stride // 2)
        self.blocks = nn.ModuleList(
            ResidualBlock(config.width, instruction_width if last else None)
            for last in [False] * (config.blocks - 1) + [True]
        )

    def fit(self, images: Images, size: int) -> Images:
        """Images at the size the policy sees, as whole numbers: quick to move and to scale."""
        return resize(images, size)

    def forward(self, images: Images, instruction: Float[Tensor, "n d"]) -> ImageFeatures:
        x = images.to(self._dtype(), memory_format=torch.channels_last).div_(127.5).sub_(1)
        x = F.relu(self.stem(x))
        for block in self.blocks[:-1]:
            x = block(x, instruction)
        return ImageFeatures(self.blocks[-1](x, instruction), summary=None, unmodulated=x)

    def _dtype(self) -> torch.dtype:
        """Under autocast images are scaled in its type at once: half the memory to move."""
        device = self.stem.weight.device.type
        if torch.is_autocast_enabled(device):
            return torch.get_autocast_dtype(device)
        return self.stem.weight.dtype


class ViTEncoder(nn.Module):
    """A vision transformer of timm's, such as the MAE ViT-B/16 of GR-1, all patches visible.

    The instruction is not used. Frozen weights stay in evaluation mode and get no gradient.
    """

    def __init__(self, config: ImageConfig) -> None:
        super().__init__()
        import timm
        from timm.models.vision_transformer import VisionTransformer

        model = timm.create_model(config.model, pretrained=False, num_classes=0)
        if not isinstance(model, VisionTransformer):
            raise ValueError(f"images.model={config.model} is no vision transformer of timm's")
        self.vit = model
        self.frozen = config.frozen
        self.antialias = config.antialias
        self.width = model.embed_dim
        self.stride = model.patch_embed.patch_size[0]
        self.vit.requires_grad_(not config.frozen)

    def train(self, mode: bool = True) -> "ViTEncoder":
        super().train(mode)
        if self.frozen:
            self.vit.eval()
        return self

    def fit(self, images: Images, size: int) -> Images:
        """Images at the size the policy sees, resized without rounding as GR-1 does."""
        if images.shape[-2:] == (size, size):
            return images
        return resize(images.float(), size, self.antialias)

    def forward(self, images: Images, instruction: Float[Tensor, "n d"]) -> ImageFeatures:
        return self.encode(imagenet_normalised(to_unit(images)))

    def encode(self, normalised: Float[Tensor, "n 3 h w"]) -> ImageFeatures:
        """The features of images that are normalised already."""
        return ImageFeatures.of_tokens(self.tokens(normalised))

    def tokens(self, normalised: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n k c"]:
        """The same as the transformer gives it: the class token first."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return self.vit.forward_features(normalised)


def image_encoder(config: ImageConfig, instruction_width: int) -> ConvEncoder | ViTEncoder:
    if config.encoder == "conv":
        return ConvEncoder(config, instruction_width)
    return ViTEncoder(config)
