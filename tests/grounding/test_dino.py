"""Encoders that others trained without labels."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from firsthand.grounding.checkpoints.dino import load_dino, load_vision
from firsthand.grounding.config import GroundingConfig, UtteranceConfig, VisionConfig
from firsthand.grounding.image_encoder import TimmVision
from firsthand.grounding.model import GroundingModel
from tests.helpers.cvcl_files import Weights, prefixed, without

SMALL = VisionConfig(model="test_resnet", size=64)


@pytest.fixture(scope="module")
def trunk() -> Weights:
    torch.manual_seed(0)
    weights = load_dino_like("test_resnet").state_dict()
    return {n: v + 0.1 if v.is_floating_point() else v + 3 for n, v in weights.items()}


def load_dino_like(model: str) -> nn.Module:
    import timm

    return timm.create_model(model, num_classes=0)


def projected(weights: Weights) -> Weights:
    """With DINO's head, which is no part of the encoder."""
    beside = {"head.mlp.0.weight": torch.ones(2, 2), "head.last_layer.weight_g": torch.ones(2, 1)}
    return weights | beside


FILES: dict[str, Callable[[Weights], dict]] = {
    "alone": lambda w: w,
    "a teacher and a student": lambda w: {
        "teacher": prefixed(w, "backbone.") | projected({}),
        "student": {"module.backbone.conv1.weight": torch.ones(1)},
        "epoch": 3,
    },
    "in parallel": lambda w: {"teacher": prefixed(prefixed(w, "backbone."), "module.")},
    "by MAE": lambda w: {"model": prefixed(w, "encoder.") | {"decoder_pred.bias": torch.ones(1)}},
    "with a classifier": lambda w: {"state_dict": w | {"fc.weight": torch.ones(10, 96)}},
    "with a projection": lambda w: projected(w),
}


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("in_a_file", [True, False])
def test_the_encoder_is_found(file, in_a_file, trunk, tmp_path):
    source = FILES[file](trunk)
    if in_a_file:
        torch.save(source, tmp_path / "dino.pth")
        source = tmp_path / "dino.pth"
    found = load_dino(source, SMALL).state_dict()
    assert found.keys() == trunk.keys()
    assert all(torch.equal(found[name], value) for name, value in trunk.items())


def test_torchvisions_resnext_is_cvcls(tmp_path):
    from torchvision.models import resnext50_32x4d

    theirs = resnext50_32x4d().eval()
    ours = load_dino({"teacher": theirs.state_dict()})
    theirs.fc = nn.Identity()
    images = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=0, atol=1e-5)


def test_dinos_vision_transformer_is_read():
    config = VisionConfig(model="vit_tiny_patch16_224", patch=14)
    import timm

    theirs = timm.create_model("vit_tiny_patch16_224", patch_size=14, num_classes=0)
    source = {"teacher": prefixed(projected(theirs.state_dict()), "backbone.")}
    found = load_dino(source, config).state_dict()
    assert all(torch.equal(found[name], value) for name, value in theirs.state_dict().items())


def test_a_new_model_gets_the_eyes_that_are_named(trunk, tmp_path):
    torch.save({"teacher": trunk}, tmp_path / "dino.pth")
    vision = replace(SMALL, weights=str(tmp_path / "dino.pth"))
    model = GroundingModel(GroundingConfig(vision, UtteranceConfig(words=9), width=8))
    load_vision(model)
    assert isinstance(model.vision, TimmVision)
    found = model.vision.trunk.state_dict()
    assert all(torch.equal(found[name], value) for name, value in trunk.items())
    config = GroundingConfig(VisionConfig("blocks", size=64, weights="x.pth"))
    with pytest.raises(ValueError, match=r"weights is for networks of timm's and for policies"):
        load_vision(GroundingModel(config))


DAMAGE: dict[str, tuple[Callable[[Weights], dict], str]] = {
    "missing": (lambda w: without(w, "layer2.0.bn1.running_var"), r"1 missing: layer2\.0\.bn1\."),
    "unexpected": (lambda w: w | {"layer5.weight": torch.ones(1)}, r"1 unexpected: layer5\.weight"),
    "another shape": (
        lambda w: w | {"layer1.0.conv1.weight": torch.ones(1)},
        r"1 of another shape: layer1\.0\.conv1\.weight is \(1,\)",
    ),
    "not a number": (lambda w: w | {"bn1.bias": w["bn1.bias"] * torch.nan}, r"1 not finite: bn1"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_does_not_fit_is_refused_by_name(damage, trunk, tmp_path):
    damaging, message = DAMAGE[damage]
    trunk = {n: v for n, v in trunk.items()}
    torch.save({"teacher": prefixed(damaging(trunk), "backbone.")}, tmp_path / "dino.pth")
    with pytest.raises(ValueError, match=rf"dino\.pth is no ResNet of that kind: {message}"):
        load_dino(tmp_path / "dino.pth", SMALL)
