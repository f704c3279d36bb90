"""From a picture's blurs to its future: what is mixed, and by whom."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from firsthand.policy.config import VideoConfig
from firsthand.policy.modules.blur import BLURS, SIGMAS, blurs_of
from firsthand.policy.modules.future_target import patchify, unpatchify
from firsthand.policy.modules.video_decoder import CELL, VideoDecoder

SIZE, PATCH = 32, 16


def decoder() -> VideoDecoder:
    torch.manual_seed(0)
    return VideoDecoder(VideoConfig(width=16, heads=2, patch=PATCH), trunk_width=6, cell_width=1)


def picture() -> torch.Tensor:
    return torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def test_blurs_are_scipy_s() -> None:
    """In the middle, which no edge reaches."""
    images = picture().double()
    found = blurs_of(images)
    assert found.shape == (2, BLURS, 3, SIZE, SIZE)
    assert torch.equal(found[:, 0], images)
    for number, sigma in enumerate(SIGMAS[:2], start=1):
        wanted = gaussian_filter1d(gaussian_filter1d(images.numpy(), sigma, 2), sigma, 3)
        inner = slice(10, -10)
        np.testing.assert_allclose(
            found[:, number, :, inner, inner], wanted[..., inner, inner], atol=1e-4
        )
    mean = images.mean((2, 3), keepdim=True).expand_as(images)
    torch.testing.assert_close(found[:, -1], mean, atol=1e-6, rtol=0)


def test_an_untrained_decoder_predicts_no_change() -> None:
    images = picture()
    current = patchify(blurs_of(images), PATCH)
    queries = torch.randn(2, 4, 6)
    torch.testing.assert_close(
        unpatchify(decoder()(queries, SIZE // PATCH, current), PATCH), images
    )


@torch.no_grad()
def test_each_cell_is_a_mixture_of_its_own_and_pixels_to_add() -> None:
    module, images = decoder(), picture()
    torch.nn.init.normal_(module.mix.weight)
    torch.nn.init.normal_(module.predict.weight)
    rows = SIZE // PATCH
    seen: list[torch.Tensor] = []
    module.norm.register_forward_hook(lambda _, __, output: seen.append(output))
    current = patchify(blurs_of(images), PATCH)
    found = unpatchify(module(torch.randn(2, 4, 6), rows, current), PATCH)
    blurs, cells = blurs_of(images), PATCH // CELL
    shares = module.mix(seen[0]).view(2, rows, rows, BLURS, cells, cells)
    added = unpatchify(module.predict(seen[0]), PATCH)
    for y, x in ((0, 0), (5, 30), (17, 12), (31, 31)):
        share = shares[:, y // PATCH, x // PATCH, :, y % PATCH // CELL, x % PATCH // CELL]
        wanted = (share[:, :, None] * blurs[:, :, :, y, x]).sum(1) + added[:, :, y, x]
        torch.testing.assert_close(found[:, :, y, x], wanted, atol=1e-4, rtol=1e-4)


def test_a_patch_must_be_made_of_cells() -> None:
    with pytest.raises(ValueError, match="patch=6 is no multiple of the 4 pixels"):
        VideoConfig(patch=6)
    with pytest.raises(ValueError, match="start=blurs changes pixels"):
        VideoConfig(target="normalised")
