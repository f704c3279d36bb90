"""What a camera showed: its pictures, their features, and the tokens made of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from policy.images import Features

if TYPE_CHECKING:
    from policy.policy import Policy


@dataclass(frozen=True)
class View:
    """One camera's pictures (0 to 255, at the policy's size) and what was made of each of them.

    grid: features, kept for decoders that start from the current picture.
    attention: where each token looked, for encoders that have such maps.
    """

    pictures: Shaped[Tensor, "b t 3 h h"]
    tokens: Float[Tensor, "b t k d"]
    grid: Float[Tensor, "b t c _ _"] | None
    attention: Float[Tensor, "b t _ _ _"] | None

    def map(self, change: Callable[[Tensor], Tensor]) -> "View":
        """The same with every tensor changed alike."""
        grid = None if self.grid is None else change(self.grid)
        attention = None if self.attention is None else change(self.attention)
        return View(change(self.pictures), change(self.tokens), grid, attention)


def look(
    policy: "Policy",
    images: Mapping[str, Shaped[Tensor, "b t 3 _ _"]],
    instruction: Float[Tensor, "b d"],
) -> dict[str, View]:
    """What every camera showed. Neighbours whose pictures are of one size are encoded together."""
    views: dict[str, View] = {}
    cameras = [camera for camera in policy.config.cameras if camera.name in images]
    for size, group in groupby(cameras, lambda camera: camera.size):
        names = [camera.name for camera in group]
        shown = [policy.images.fit(images[name].flatten(0, 1), size) for name in names]
        pictures = torch.cat(shown) if len(shown) > 1 else shown[0]
        steps = images[names[0]].shape[1]
        said = instruction.repeat_interleave(steps, dim=0).repeat(len(names), 1)
        features = policy.images(pictures, said)
        views |= interpret(policy, names, steps, pictures, features, said)
    return views


def interpret(
    policy: "Policy",
    cameras: Sequence[str],
    steps: int,
    pictures: Shaped[Tensor, "n 3 h h"],
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
    for camera, shown, read, summary, grid, attention in zip(
        cameras, *map(apart, parts), strict=True
    ):
        assert shown is not None
        assert read is not None
        views[camera] = View(shown, policy.embed_view(camera, read, summary), grid, attention)
    return views
