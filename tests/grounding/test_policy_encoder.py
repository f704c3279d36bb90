"""Word-grounding models that look with the eyes of a robot policy."""

from dataclasses import replace

import pytest
import torch

from firsthand.grounding.checkpoints.dino import load_vision
from firsthand.grounding.config import GroundingConfig, UtteranceConfig, VisionConfig
from firsthand.grounding.image_encoder import PolicyVision, with_policy_encoder
from firsthand.grounding.model import GroundingModel
from firsthand.policy.config import ImageConfig
from tests.policy.conftest import make, tiny, tiny_gr1


def looking(vision: VisionConfig) -> GroundingModel:
    torch.manual_seed(5)
    return GroundingModel(GroundingConfig(vision, UtteranceConfig(words=9), width=8))


@pytest.mark.parametrize("of", [tiny, tiny_gr1])
@pytest.mark.parametrize("frozen", [True, False])
def test_a_model_gets_the_eyes_of_the_policy_that_is_named(of, frozen, tmp_path):
    policy = make(of())
    policy.save_pretrained(tmp_path / "policy")
    size = policy.config.cameras[0].size
    asked = VisionConfig("policy", size=size, weights=str(tmp_path / "policy"), frozen=frozen)
    vision = with_policy_encoder(asked)
    assert vision == replace(asked, images=policy.config.images)
    model = looking(vision)
    before = model.project.weight.clone()
    load_vision(model)
    assert isinstance(model.vision, PolicyVision)
    found, wanted = model.vision.encoder.state_dict(), policy.images.state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())
    assert torch.equal(model.project.weight, before)
    assert {p.requires_grad for p in model.vision.parameters()} == {not frozen}
    model.save_pretrained(tmp_path / "model")  # which needs the policy no more
    for file in (tmp_path / "policy").iterdir():
        file.unlink()
    again = GroundingModel.from_pretrained(tmp_path / "model")
    pictures = torch.randn(2, 3, size, size)
    assert torch.equal(again.encode_image(pictures), model.eval().encode_image(pictures))


def test_other_eyes_stay_as_they_are():
    for vision in (VisionConfig(weights="dino.pth"), VisionConfig("policy", size=32)):
        assert with_policy_encoder(vision) == vision


def test_what_is_no_policy_is_refused_by_name(tmp_path):
    asked = VisionConfig("policy", size=32, weights=str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="no policy at .*nowhere"):
        with_policy_encoder(asked)
    make(tiny()).save_pretrained(tmp_path)
    other = replace(asked, weights=str(tmp_path), images=ImageConfig(width=16))
    with pytest.raises(ValueError, match=r"of another shape: blocks\.0\.first\.bias"):
        load_vision(looking(other))
    make(tiny_gr1()).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="test_vit looks at 160 pixels squared, .* says 32"):
        looking(with_policy_encoder(replace(asked, weights=str(tmp_path))))
