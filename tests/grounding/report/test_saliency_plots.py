"""Where models look, as pictures show it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from firsthand.grounding.config import ClipConfig, GroundingConfig, UtteranceConfig, VisionConfig
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.report.saliency_plots import word_saliency
from tests.helpers.colours import make_model

SMALL = GroundingConfig(
    VisionConfig(model="test_resnet", size=96), UtteranceConfig(words=9), width=16
)


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        replace(SMALL, vision=VisionConfig(model="test_vit", size=96)),
        replace(SMALL, similarity="max"),
    ],
)
def test_every_map_runs_from_nothing_to_one(config):
    torch.manual_seed(0)
    model = GroundingModel(config).eval()
    frames = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), np.uint8)
    maps = word_saliency(model, frames, normalize(torch.randn(2, 16), dim=1))
    assert maps is not None
    assert maps.shape == (2, 96, 96)
    assert maps.min() >= 0
    assert (maps.max(axis=(1, 2)) > 0.8).all()  # blurring takes a little off


def test_it_looks_for_red_where_it_is_red():
    """Of a model that compares places with words."""
    model = make_model("mean")
    frames = np.full((1, 16, 16, 3), 20, np.uint8)
    frames[0, :6, :6] = (250, 20, 20)
    maps = word_saliency(model, frames, torch.tensor([[1.0, -0.5, -0.5]]))
    assert maps is not None
    assert maps[0, :4, :4].min() > 0.8
    assert maps[0, 9:, 9:].max() < 0.3


def test_a_model_of_clips_has_no_map_of_a_picture():
    torch.manual_seed(0)
    model = GroundingModel(replace(SMALL, clip=ClipConfig(frames=2))).eval()
    assert word_saliency(model, np.zeros((1, 96, 96, 3), np.uint8), torch.zeros(1, 16)) is None
