"""Where a model looks, against the official numbers and against plain arithmetic."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from firsthand.grounding.config import ClipConfig, GroundingConfig, UtteranceConfig, VisionConfig
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.saliency import attention_maps, enlarged, grad_cam, grad_cam_maps
from firsthand.policy.config import ImageConfig
from tests.helpers.cvcl_golden import official, tensor

SMALL = GroundingConfig(
    VisionConfig(model="test_resnet", size=96), UtteranceConfig(words=9), width=16
)
VIT = replace(SMALL, vision=VisionConfig(model="test_vit", size=96))


def model_of(config: GroundingConfig) -> GroundingModel:
    torch.manual_seed(0)
    return GroundingModel(config).eval()


def directions(batch: int) -> torch.Tensor:
    return nn.functional.normalize(torch.randn(batch, 16), dim=1)


def test_grad_cam_is_that_of_the_official_code():
    golden = official()["gradcam"]
    weights = {name: tensor(value) for name, value in golden["state_dict"].items()}
    image = tensor(golden["input"])
    found = nn.functional.conv2d(
        image, weights["layer4.weight"], weights["layer4.bias"], padding="same"
    )

    def score(found: torch.Tensor) -> torch.Tensor:
        seen = found.relu().mean(dim=(2, 3)) @ weights["fc.weight"].t() + weights["fc.bias"]
        return (nn.functional.normalize(seen, dim=1) * tensor(golden["target_text_feature"])).sum(1)

    wanted = tensor(golden["cam_layer4_noresize"])[:, 0]
    assert wanted.std() > 0
    torch.testing.assert_close(grad_cam(found, score), wanted, rtol=0, atol=1e-9)


def test_a_word_map_is_what_plain_differences_say():
    """Each channel weighs what the nearness changes by when all its places change alike."""
    model = model_of(SMALL).double()
    images, words = torch.randn(2, 3, 96, 96).double(), directions(2).double()
    found = grad_cam_maps(model, images, words)
    with torch.no_grad():
        grid = model.vision.forward_features(images)
        wanted = torch.zeros_like(found)
        step = 1e-6
        for channel in range(grid.shape[1]):
            near = []
            for sign in (1, -1):
                moved = grid.clone()
                moved[:, channel] += sign * step
                seen = model.project(model.vision.pool(moved).summary)
                near.append((nn.functional.normalize(seen, dim=1) * words).sum(dim=1))
            slope = (near[0] - near[1]) / (2 * step) / (grid.shape[2] * grid.shape[3])
            wanted += slope[:, None, None] * grid[:, channel]
    torch.testing.assert_close(found, wanted.clamp(min=0), rtol=1e-5, atol=1e-8)


def test_a_word_map_leaves_no_trace():
    model = model_of(SMALL)
    images = torch.randn(2, 3, 96, 96)
    words = directions(2)
    before = [parameter.requires_grad for parameter in model.parameters()]
    together = grad_cam_maps(model, images, words)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert [parameter.requires_grad for parameter in model.parameters()] == before
    alone = grad_cam_maps(model, images[1:], words[1:])
    assert torch.allclose(together[1:], alone, atol=1e-6)
    with torch.no_grad():
        assert torch.equal(grad_cam_maps(model, images, words), together)
    assert enlarged(together, 96, 64).shape == (2, 96, 64)


@pytest.mark.parametrize(
    "vision",
    [
        VisionConfig(model="test_vit", size=96),
        VisionConfig("policy", size=160, images=ImageConfig("vit", model="test_vit")),
    ],
)
def test_attention_is_that_of_the_last_block(vision):
    model = model_of(replace(SMALL, vision=vision))
    images = torch.randn(2, 3, vision.size, vision.size)
    policy = vision.encoder == "policy"
    network = model.vision.encoder.vit if policy else model.vision.trunk
    found = attention_maps(model, images)
    with torch.no_grad():
        x = network._pos_embed(network.patch_embed(images))
        for block in network.blocks[:-1]:
            x = block(x)
        last = network.blocks[-1]
        joined = last.attn.qkv(last.norm1(x))
        width = x.shape[2] // last.attn.num_heads
        for head in range(last.attn.num_heads):
            part = slice(head * width, (head + 1) * width)
            q, k, _ = (whole[..., part] for whole in joined.chunk(3, dim=2))
            shares = (q[:, 0, None] @ k.transpose(1, 2) / width**0.5).softmax(dim=2)
            wanted = shares[:, 0, 1:].unflatten(1, network.patch_embed.grid_size)
            torch.testing.assert_close(found[:, head], wanted, rtol=1e-4, atol=1e-6)
    assert not network.blocks[-1].attn._forward_pre_hooks


def test_the_wrong_map_is_refused():
    with pytest.raises(ValueError, match="Grad-CAM needs a convolutional network"):
        grad_cam_maps(model_of(VIT), torch.randn(1, 3, 96, 96), directions(1))
    other = model_of(replace(SMALL, vision=VisionConfig(model="test_mambaout", size=96)))
    with pytest.raises(ValueError, match="needs channels before places"):
        grad_cam_maps(other, torch.randn(1, 3, 96, 96), directions(1))
    with pytest.raises(ValueError, match="need a vision transformer with a class token"):
        attention_maps(model_of(SMALL), torch.randn(1, 3, 96, 96))
    clips = replace(SMALL, vision=VisionConfig(encoder="blocks", size=96), clip=ClipConfig(2))
    with pytest.raises(ValueError, match="this model sees clips"):
        grad_cam_maps(model_of(clips), torch.randn(1, 3, 96, 96), directions(1))
    with pytest.raises(ValueError, match="need a vision transformer with a class token"):
        attention_maps(model_of(clips), torch.randn(1, 3, 96, 96))
