import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from firsthand.policy.checkpoints.encoders import clip_weights, load_encoders, vit_weights
from firsthand.policy.config import ImageConfig, LanguageConfig, PolicyConfig
from firsthand.policy.modules.clip_text import tokenize
from firsthand.policy.modules.image_encoder import ViTEncoder
from firsthand.policy.modules.text_encoder import LanguageEncoder
from firsthand.policy.policy import Policy
from tests.policy.conftest import SEEN, tiny, tiny_gr1


@pytest.fixture(scope="module")
def encoder() -> ViTEncoder:
    torch.manual_seed(0)
    return ViTEncoder(ImageConfig(encoder="vit", model="test_vit", frozen=True)).eval()


def vit_policy(weights: str, frozen: bool = True) -> PolicyConfig:
    """The tiny `gr1` policy with a language encoder that needs no file."""
    images = ImageConfig(encoder="vit", model="test_vit", frozen=frozen, weights=weights)
    return replace(tiny_gr1(), language=LanguageConfig(), images=images)


def test_clip_says_what_open_clip_says():
    """OpenAI's layout, which open_clip keeps, and a tower that is not transformers'."""
    import open_clip

    logging.disable(logging.WARNING)  # it warns that nothing was downloaded
    theirs = open_clip.create_model("ViT-B-32-quickgelu", pretrained=None)
    logging.disable(logging.NOTSET)
    with torch.no_grad():
        for name, value in theirs.named_parameters():
            if name.endswith("bias"):
                value.normal_(std=0.02)  # they begin at zero
    ours = LanguageEncoder(LanguageConfig("clip"))
    assert ours.clip is not None
    ours.clip.load_state_dict(clip_weights(ours.clip, theirs.state_dict()))
    tokens = tokenize(["push the pink block into the drawer", "block " * 100])
    with torch.no_grad():
        wanted = theirs.eval().encode_text(tokens, normalize=True)
    assert torch.allclose(ours.encode_tokens(tokens), wanted, atol=1e-5)


def test_a_vision_transformer_says_what_transformers_says(encoder):
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    vit = encoder.vit
    config = ViTMAEConfig(
        hidden_size=64,
        num_hidden_layers=len(vit.blocks),
        num_attention_heads=vit.blocks[0].attn.num_heads,
        intermediate_size=vit.blocks[0].mlp.fc1.out_features,
        layer_norm_eps=1e-6,
        image_size=160,
        mask_ratio=0.0,
        decoder_num_hidden_layers=1,
        decoder_hidden_size=16,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=32,
    )
    theirs = ViTMAEForPreTraining(config).eval()
    with torch.no_grad():
        for name, value in theirs.named_parameters():
            if name.endswith("bias"):
                value.normal_(std=0.02)
    ours = ViTEncoder(ImageConfig(encoder="vit", model="test_vit", frozen=True)).eval()
    ours.vit.load_state_dict(vit_weights(ours.vit, published(theirs.state_dict())))
    pictures = torch.randn(2, 3, 160, 160)
    order = torch.arange(100.0).expand(2, -1)  # MAE shuffles patches, unless told how
    with torch.no_grad():
        wanted = theirs.vit(pictures, noise=order).last_hidden_state
        found = ours.encode(pictures)
    assert torch.allclose(found.summary, wanted[:, 0], atol=1e-5)
    assert torch.allclose(found.grid.flatten(2).transpose(1, 2), wanted[:, 1:], atol=1e-5)


def published(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The names in files, which transformers 5 still writes though it calls things otherwise."""
    names = {
        "vit.layers.": "vit.encoder.layer.",
        ".attention.q_proj.": ".attention.attention.query.",
        ".attention.k_proj.": ".attention.attention.key.",
        ".attention.v_proj.": ".attention.attention.value.",
        ".attention.o_proj.": ".attention.output.dense.",
        ".mlp.fc1.": ".intermediate.dense.",
        ".mlp.fc2.": ".output.dense.",
    }
    renamed = {}
    for name, value in weights.items():
        for theirs, ours in names.items():
            name = name.replace(theirs, ours)
        renamed[name] = value
    return renamed


@pytest.mark.parametrize("kind", ["release", "safetensors", "directory", "old directory"])
def test_a_vision_transformer_comes_from_every_kind_of_file(kind, encoder, tmp_path):
    weights = {name: value.clone() for name, value in encoder.vit.state_dict().items()}
    path = tmp_path
    if kind == "release":
        path = tmp_path / "mae.pth"
        torch.save({"model": weights | {"mask_token": torch.zeros(1, 1, 16)}}, path)
    elif kind == "safetensors":
        path = tmp_path / "timm.safetensors"
        save_file(weights, path)
    elif kind == "directory":
        save_file(weights, path / "model.safetensors")
    else:
        torch.save(weights, path / "pytorch_model.bin")
    policy = Policy(vit_policy(str(path)), SEEN)
    load_encoders(policy)
    for name, value in policy.images.vit.state_dict().items():
        assert torch.equal(value, weights[name])


def test_a_saved_policy_needs_the_original_no_more(encoder, tmp_path):
    path = tmp_path / "mae.pth"
    torch.save({"model": encoder.vit.state_dict()}, path)
    policy = Policy(vit_policy(str(path)), SEEN)
    load_encoders(policy)
    policy.save_pretrained(tmp_path / "policy")
    path.unlink()
    again = Policy.from_pretrained(tmp_path / "policy").state_dict()
    assert all(torch.equal(again[name], value) for name, value in policy.state_dict().items())


def test_a_policy_with_nothing_frozen_needs_nothing():
    load_encoders(Policy(tiny(), SEEN))
    load_encoders(Policy(vit_policy("", frozen=False), SEEN))


def test_a_frozen_encoder_must_come_from_somewhere():
    with pytest.raises(ValueError, match=r"language\.encoder=clip needs language\.weights: OpenAI"):
        load_encoders(Policy(replace(tiny_gr1(), language=LanguageConfig("clip")), SEEN))
    with pytest.raises(ValueError, match=r"images\.frozen=true needs images\.weights: MAE"):
        load_encoders(Policy(vit_policy(""), SEEN))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p, w: None, r"no weights at .*x\.pth: there is no such file"),
        (lambda p, w: p.mkdir(), r"x\.pth holds neither model\.safetensors nor pytorch_model\.bin"),
        (lambda p, w: torch.save({"a": torch.ones(1)}, p), "holds no MAE's .*; it begins with a$"),
        (
            lambda p, w: torch.save({n: v for n, v in w.items() if "blocks.1." not in n}, p),
            r"MAE's or timm's .*12 missing: blocks\.1\.attn\.proj\.bias",
        ),
        (
            lambda p, w: torch.save(w | {"extra": torch.ones(1)}, p),
            "1 unexpected: extra",
        ),
        (
            lambda p, w: torch.save(w | {"pos_embed": torch.ones(1, 197, 64)}, p),
            r"pos_embed is \(1, 197, 64\), not \(1, 101, 64\)",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name(make, message, encoder, tmp_path):
    path: Path = tmp_path / "x.pth"
    make(path, dict(encoder.vit.state_dict()))
    with pytest.raises(ValueError, match=message):
        load_encoders(Policy(vit_policy(str(path)), SEEN))


def test_a_name_that_is_nowhere_is_said_to_be(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="no weights at some/where: there is no such directory"):
        load_encoders(Policy(vit_policy("some/where"), SEEN))
