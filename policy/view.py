"""What a camera showed: its pictures, their features, and the tokens made of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from firsthand.policy.frozen_features import check_storable
from firsthand.policy.modules.image_encoder import Features

if TYPE_CHECKING:
    from firsthand.policy.policy import Policy


@dataclass(frozen=True)
class View:
    """One camera's pictures (0 to 255, at the policy's size) and what was made of each of them.

    size: the side of the pictures.
    pictures: None if their features were there instead.
    grid: features, kept for decoders that start from the current picture.
    attention: where each token looked, for encoders that have such maps.
    """

    size: int
    pictures: Shaped[Tensor, "b t 3 h h"] | None
    tokens: Float[Tensor, "b t k d"]
    grid: Float[Tensor, "b t c _ _"] | None
    attention: Float[Tensor, "b t _ _ _"] | None

    def map(self, change: Callable[[Tensor], Tensor]) -> "View":
        """The same with every tensor changed alike."""
        pictures = None if self.pictures is None else change(self.pictures)
        grid = None if self.grid is None else change(self.grid)
        attention = None if self.attention is None else change(self.attention)
        return View(self.size, pictures, change(self.tokens), grid, attention)


def shown(view: View) -> Shaped[Tensor, "b t 3 h h"]:
    """Its pictures, where they are known to be there."""
    assert view.pictures is not None
    return view.pictures


def look(
    policy: "Policy",
    images: Mapping[str, Shaped[Tensor, "b t 3 _ _"]],
    instruction: Float[Tensor, "b d"],
    stored: Mapping[str, Float[Tensor, "b t _ _"]] | None = None,
) -> dict[str, View]:
    """What every camera showed. Neighbours whose pictures are of one size are encoded together.

    Args:
        policy: whose encoder looks.
        images: pictures by camera.
        instruction: what to look for.
        stored: features by camera, of pictures that were encoded before.

    Raises:
        ValueError: there are stored features for a policy whose encoder learns, or which needs the
            pictures themselves.
    """
    views: dict[str, View] = {}
    stored = stored or {}
    if stored:
        check_storable(policy.config)
    cameras = [c for c in policy.config.cameras if c.name in images or c.name in stored]
    for (size, ready), group in groupby(cameras, lambda c: (c.size, c.name in stored)):
        names = [camera.name for camera in group]
        steps = (stored if ready else images)[names[0]].shape[1]
        said = instruction.repeat_interleave(steps, dim=0).repeat(len(names), 1)
        if ready:
            pictures = None
            tokens = torch.cat([stored[name].flatten(0, 1) for name in names])
            features = Features.of_tokens(tokens.float())
        else:
            fitted = [policy.images.fit(images[name].flatten(0, 1), size) for name in names]
            pictures = torch.cat(fitted) if len(fitted) > 1 else fitted[0]
            features = policy.images(pictures, said)
        views |= interpret(policy, names, steps, size, pictures, features, said)
    return views


def interpret(
    policy: "Policy",
    cameras: Sequence[str],
    steps: int,
    size: int,
    pictures: Shaped[Tensor, "n 3 h h"] | None,
    features: Features,
    instruction: Float[Tensor, "n d"],
) -> dict[str, View]:
    """Features to tokens, for cameras whose pictures lie one after the other.

    All cameras share all weights but those of the last layer.
    """

    def apart(x: Tensor | None) -> Sequence[Tensor | None]:
        if x is None:
            return [None] * len(cameras)
        return x.unflatten(0, (len(cameras), -1, steps)).unbind()

    pooled = policy.pool(features.grid, instruction)
    kept = features.grid if policy.config.video.from_current else None
    parts = (pictures, pooled.tokens, features.summary, kept, pooled.attention)
    views = {}
    for camera, seen, read, summary, grid, attention in zip(
        cameras, *map(apart, parts), strict=True
    ):
        assert read is not None
        tokens = policy.embed_view(camera, read, summary)
        views[camera] = View(size, seen, tokens, grid, attention)
    return views
