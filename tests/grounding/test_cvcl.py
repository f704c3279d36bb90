"""Which files of CVCL's weights are read, and what they say."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from firsthand.grounding.checkpoints.cvcl import NAMES, _unused, load_cvcl, read_cvcl
from firsthand.grounding.contrastive import contrast
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.vocabulary import SPECIAL, Vocabulary
from firsthand.policy.checkpoints.state_dict import KeyMap, needed, shapes_of
from tests.helpers.cvcl_files import Weights, prefixed, release, save_by_lightning, within, without
from tests.helpers.cvcl_golden import GOLDEN, golden_inputs, official_keys, official_weights
from tests.helpers.damaged_weights import alone, spoilt


@pytest.fixture(scope="module")
def whole() -> Weights:
    return official_weights()


@pytest.fixture(scope="module")
def small() -> Weights:
    """The transformer model with a small vision transformer, quick to make."""
    return release("learned", transformer=True, words=50).state_dict()


def test_pictures_and_utterances_are_those_of_the_official_model(whole):
    """Weights by the official names, float32."""
    golden = np.load(GOLDEN / "cvcl_full.npz")
    model = load_cvcl({"state_dict": whole})
    images, tokens, lengths = golden_inputs(0)
    with torch.no_grad():
        seen, said = model.encode_image(images), model.encode_text(tokens, lengths)
        loss = contrast(model.compare(images, tokens, lengths)).total
    for found, name in (
        (seen, "s0_image"),
        (said, "s0_text"),
        (model.logits(seen, said), "s0_logits"),
        (loss, "s0_loss"),
    ):
        torch.testing.assert_close(found, torch.from_numpy(golden[name]), rtol=0, atol=1e-5)
    assert not model.training


def test_other_weights_see_what_torchvision_sees():
    made = release("embedding", seed=3)
    weights = made.state_dict()
    assert {n: tuple(v.shape) for n, v in weights.items()} == official_keys()
    images, tokens, lengths = golden_inputs(1, batch=2)
    model = load_cvcl(weights)
    words = weights["text_encoder.embedding.weight"]
    with torch.no_grad():
        near(model.encode_image(images), made.vision_encoder.model(images))
        mean = torch.stack([words[t[:n]].mean(0) for t, n in zip(tokens, lengths, strict=True)])
        near(model.encode_text(tokens, lengths), mean)


def near(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, nn.functional.normalize(wanted, dim=1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["lstm", "bilstm"])
def test_lstms_are_read(kind):
    made = release(kind, transformer=True, words=60)
    model = load_cvcl(made.state_dict())
    assert model.config.utterance.encoder == kind
    tokens, lengths = torch.randint(4, 60, (3, 6)), torch.tensor([6, 2, 4])
    with torch.no_grad():
        found = model.encode_text(tokens, lengths)
        for row, (utterance, length) in enumerate(zip(tokens, lengths, strict=True)):
            embedded = made.text_encoder.embedding(utterance[:length])
            _, (hidden, _) = made.text_encoder.lstm(embedded)
            near(found[row][None], hidden.mean(dim=0, keepdim=True))


def test_the_official_lstm_has_657_names():
    assert len(release("lstm").state_dict()) == 657


@pytest.mark.parametrize("kind", ["learned", "sinusoidal", "transformer"])
@pytest.mark.parametrize("padding", ["masked", "upstream"])
def test_vision_transformers_and_transformers_are_read(kind, padding):
    made = release(kind, transformer=True, words=60, learned=True)
    assert kind != "learned" or len(made.state_dict()) == 384 + 1
    model = load_cvcl(made.state_dict(), padding=padding)
    utterance, vision = model.config.utterance, model.config.vision
    assert utterance.position == {"transformer": "none"}.get(kind, kind)
    assert (vision.model, vision.patch, vision.size) == ("vit_tiny_patch16_224", 14, 224)
    assert torch.isclose(torch.as_tensor(model.scale), torch.tensor(1.5).exp())
    tokens = torch.randint(4, 60, (2, 6))
    tokens[1, 4:] = 0
    lengths = torch.tensor([6, 4])
    text = made.text_encoder
    with torch.no_grad():
        x = text.embedding(tokens).transpose(0, 1)
        x = x + text.pos_embed[:6] if kind != "transformer" else x
        words = text.transformer_encoder(x, src_key_padding_mask=tokens == 0).transpose(0, 1)
        if padding == "masked":
            words = words * (tokens != 0)[..., None]
        near(model.encode_text(tokens, lengths), words.sum(dim=1))
        images = torch.randn(1, 3, 224, 224)
        weights = within(made.state_dict(), "vision_encoder.model.")
        near(model.encode_image(images), plain_vision_transformer(weights, images, heads=3))


def plain_vision_transformer(weights: Weights, images: Tensor, heads: int) -> Tensor:
    """DINO's (Caron et al. 2021): the class token after the last norm, and CVCL's head."""
    layers = nn.functional
    width = weights["cls_token"].shape[-1]
    patches = layers.conv2d(
        images, weights["patch_embed.proj.weight"], weights["patch_embed.proj.bias"], stride=14
    )
    x = torch.cat([weights["cls_token"], patches.flatten(2).transpose(1, 2)], dim=1)
    x = x + weights["pos_embed"]

    def norm(x: Tensor, name: str) -> Tensor:
        parts = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return layers.layer_norm(x, (width,), *parts, eps=1e-6)

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ weights[f"{name}.weight"].t() + weights[f"{name}.bias"]

    for i in range(12):
        block = f"blocks.{i}"
        joined = linear(norm(x, f"{block}.norm1"), f"{block}.attn.qkv")
        q, k, v = joined.unflatten(2, (3, heads, width // heads)).permute(2, 0, 3, 1, 4)
        shares = (q @ k.transpose(2, 3) / (width // heads) ** 0.5).softmax(dim=-1)
        x = x + linear((shares @ v).transpose(1, 2).flatten(2), f"{block}.attn.proj")
        inner = layers.gelu(linear(norm(x, f"{block}.norm2"), f"{block}.mlp.fc1"))
        x = x + linear(inner, f"{block}.mlp.fc2")
    return linear(norm(x, "norm")[:, 0], "head")


VARIANTS: dict[str, Callable[[Weights], dict]] = {
    "under state_dict": lambda w: {"state_dict": w, "epoch": 3},
    "in parallel": lambda w: {"state_dict": prefixed(w, "module.")},
    "compiled": lambda w: prefixed(w, "_orig_mod."),
    "without copies": lambda w: without(w, "model.", "language_model."),
    "without language model": lambda w: without(w, "language_model."),
    "without the unused layer": lambda w: {n: v for n, v in w.items() if "encoder_layer" not in n},
    "the model alone": lambda w: within(w, "model."),
    "the model under its name": lambda w: {"state_dict": {n: w[n] for n in w if n[:6] == "model."}},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_gives_the_same_model(variant, small):
    config, wanted = read_cvcl(small)
    again, found = read_cvcl(VARIANTS[variant](small))
    assert again == config
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def test_every_official_weight_is_used_or_a_copy(whole):
    config, _ = read_cvcl(whole)
    assert (config.width, config.utterance.words, config.temperature) == (512, 2350, 0.07)
    with torch.device("meta"):
        wanted = shapes_of(GroundingModel(config).state_dict())
    used = needed((KeyMap("vision_encoder.model.fc.*", "project.*"), *NAMES), wanted)
    unused = _unused(whole, used)
    assert used.keys().isdisjoint(unused)
    assert {**used, **unused} == official_keys()


@pytest.mark.parametrize("place", [*range(0, 645, 92), *range(640, 645)])
def test_any_weight_that_is_missing_is_named(place, whole):
    name = list(whole)[place]
    with pytest.raises(ValueError, match=f"1 missing: {name}$"):
        read_cvcl({n: v for n, v in whole.items() if n != name})


@pytest.mark.parametrize("kind", ["embedding", "learned"])
def test_files_of_lightning_are_read_though_they_hold_whole_modules(kind, tmp_path):
    made = release(kind, transformer=kind == "learned", words=50)
    path = tmp_path / "cvcl.ckpt"
    save_by_lightning(made, path, temperature=0.1, text_encoder=kind)
    with pytest.raises(pickle.UnpicklingError):  # why torch's own reading is not enough
        torch.load(path, weights_only=True)
    model = load_cvcl(path)
    assert model.config.temperature == 0.1
    _, wanted = read_cvcl(made.state_dict())
    assert all(torch.equal(v, wanted[n]) for n, v in model.state_dict().items())


class Hostile:
    """Unpickled by an ordinary unpickler, it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("place", ["hyper_parameters", "callbacks", "state_dict"])
def test_nothing_in_a_file_is_run(place, tmp_path, small):
    hostile = {"args": Hostile(tmp_path / "made")}
    torch.save({"state_dict": small} | {place: hostile}, tmp_path / "cvcl.ckpt")
    with pytest.raises(ValueError, match=r"cvcl\.ckpt asks for posix\.mkdir, .*for safety"):
        load_cvcl(tmp_path / "cvcl.ckpt")
    assert not (tmp_path / "made").exists()
    pickle.loads(pickle.dumps(hostile))
    assert (tmp_path / "made").exists()


def test_a_model_saved_anew_is_the_same(tmp_path, small):
    words = Vocabulary((*SPECIAL, *(f"w{i}" for i in range(46))))
    words.write(tmp_path / "vocab.json")
    model = load_cvcl(small, vocabulary=tmp_path / "vocab.json")
    model.save_pretrained(tmp_path / "ours")
    again = GroundingModel.from_pretrained(tmp_path / "ours")
    assert (again.config, again.vocabulary) == (model.config, words)
    wanted = model.state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in again.state_dict().items())
    Vocabulary(SPECIAL).write(tmp_path / "vocab.json")
    with pytest.raises(ValueError, match="vocabulary has 4 words, utterance.words says 50"):
        load_cvcl(small, vocabulary=tmp_path / "vocab.json")


def changed(name: str, change: Callable[[Tensor], object]) -> Callable[[Weights], dict]:
    """With all its copies."""
    return lambda weights: {n: change(v) if n.endswith(name) else v for n, v in weights.items()}


BLOCK = "vision_encoder.model.blocks.7.mlp.fc1.weight"
DAMAGE: dict[str, tuple[Callable[[Weights], dict], str]] = {
    "unexpected": (lambda w: w | {"text_encoder.extra": torch.ones(2)}, "1 unexpected: text_enc"),
    "a block less": (
        lambda w: {n: v for n, v in w.items() if "blocks.11." not in n},
        r"24 missing: model\.image_embed\.model\.blocks\.11\.attn\.proj\.bias",
    ),
    "the other way round": (
        alone(BLOCK, lambda v: v.t()),
        r"1 of another shape: .*blocks\.7\.mlp\.fc1\.weight is \(192, 768\), not \(768, 192\)",
    ),
    "a narrower projection": (
        alone("vision_encoder.model.head.weight", lambda v: v[:100]),
        r"1 of another shape: vision_.*\.head\.weight is \(100, 192\), not \(512, 192\)",
    ),
    "fewer words": (
        alone("text_encoder.embedding.weight", lambda v: v[:40]),
        r"1 of another shape: text_encoder\.embedding\.weight is \(40, 512\), not \(50, 512\)",
    ),
    "fewer places": (
        changed("image_embed.model.pos_embed", lambda v: v[:, :200]),
        r"pos_embed is \(1, 200, 192\), not \(1, 257, 192\)",
    ),
    "not a number": (alone(BLOCK, spoilt(torch.nan)), "1 not finite: vision_encoder"),
    "infinite": (alone("text_encoder.pos_embed", spoilt(torch.inf)), "1 not finite: text_enc"),
    "no tensor": (alone(BLOCK, lambda v: v.tolist()), "is no tensor but a list"),
    "whole numbers": (alone(BLOCK, lambda v: v.long()), "1 no floating-point numbers: vision"),
    "a copy unlike its origin": (
        alone("model.text_embed.embedding.weight", spoilt(9.0)),
        r"1 unlike the weights they are copies of: model\.text_embed\.embedding\.weight",
    ),
    "an origin unlike its copies": (
        alone("text_encoder.embedding.weight", spoilt(9.0)),
        r"3 unlike the weights .*: model\.text_embed.*, language_model\.text_encoder.*, language_",
    ),
    "another width": (
        changed("cls_token", lambda v: v[..., :100]),
        r"cls_token is \(1, 1, 100\), not \(1, 1, 192\)",
    ),
    "a temperature of two numbers": (
        lambda w: w | {"model.logit_neg_log_temperature": torch.ones(2)},
        r"logit_neg_log_temperature is \(2,\), not \(\)",
    ),
    "another model": (
        lambda _: {"conv.weight": torch.ones(1)},
        "holds no CVCL; it begins with conv.weight",
    ),
    "nothing": (lambda _: {}, "holds no weights"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_does_not_fit_is_refused_by_name(damage, small, tmp_path):
    damaging, message = DAMAGE[damage]
    with pytest.raises(ValueError, match=message):
        read_cvcl({"state_dict": damaging(small)})
    torch.save({"state_dict": damaging(small)}, tmp_path / "cvcl.ckpt")
    with pytest.raises(ValueError, match=rf"cvcl\.ckpt.*{message}"):
        load_cvcl(tmp_path / "cvcl.ckpt")
