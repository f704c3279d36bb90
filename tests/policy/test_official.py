"""Which files of GR-1's weights are read, and what is said of those that are not."""

import re
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import yaml
from torch import Tensor

from firsthand.schema import build
from policy.config import PolicyConfig
from policy.fit import shapes_of
from policy.official import GR1, MAE, NAMES, _unused, load_gr1, read_gr1
from policy.policy import Policy
from policy.renaming import _find
from policy.statistics import Statistics
from policy.video import sincos_position
from tests.policy.golden import golden_inputs, official_keys

Weights = dict[str, Tensor]


@pytest.fixture(scope="module")
def whole() -> Weights:
    """All 722, random; those of the encoders the same along their rows, which takes no memory."""
    weights = {}
    for name, shape in official_keys().items():
        random = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        if name.startswith("model_") and len(shape) > 1:
            weights[name] = torch.randn(*shape[:-1], 1, generator=random).expand(shape)
        elif name.startswith("transformer.") and name.endswith(".attn.bias"):
            weights[name] = torch.ones(shape, dtype=torch.uint8).tril()
        elif name == "decoder_pos_embed":
            weights[name] = sincos_position(14, 384)[None]
        else:
            weights[name] = 0.02 * torch.randn(shape, generator=random)
    return weights


@pytest.fixture(scope="module")
def wanted(whole) -> Weights:
    """What a policy is made of, by our names."""
    config, weights = read_gr1(whole)
    assert config == GR1
    return weights


def without(weights: Weights, *beginnings: str) -> Weights:
    return {name: value for name, value in weights.items() if not name.startswith(beginnings)}


def inside(weights: Weights, prefix: str) -> Weights:
    return {n.removeprefix(prefix): v for n, v in weights.items() if n.startswith(prefix)}


def without_mask(weights: Weights) -> Weights:
    return {
        n: v
        for n, v in weights.items()
        if not re.fullmatch(r"transformer\.h\.\d+\.attn\.(masked_)?bias", n)
    }


def mask_as(weights: Weights, dtype: torch.dtype) -> Weights:
    return {n: v.to(dtype) if v.dtype == torch.uint8 else v for n, v in weights.items()}


def openai_clip(weights: Weights) -> Weights:
    """With the sizes that OpenAI's file has besides, and open_clip's mask."""
    sizes = {"input_resolution": 224, "context_length": 77, "vocab_size": 49408}
    beside = {name: torch.tensor(value) for name, value in sizes.items()}
    beside["attn_mask"] = torch.full((77, 77), -torch.inf).triu(1)
    return inside(weights, "model_clip.") | beside


def hugging_face_clip(wanted: Weights) -> Weights:
    beside = {"vision_model.post_layernorm.weight": torch.ones(768), "logit_scale": torch.ones(())}
    places = {"text_model.embeddings.position_ids": torch.arange(77)[None]}
    return inside(wanted, "language.clip.") | beside | places


def hugging_face_mae(weights: Weights) -> Weights:
    """facebook/vit-mae-base's names."""
    renamed = {}
    for name, value in inside(weights, MAE).items():
        for theirs, ours in (
            (r"cls_token", "embeddings.cls_token"),
            (r"pos_embed", "embeddings.position_embeddings"),
            (r"patch_embed\.proj", "embeddings.patch_embeddings.projection"),
            (r"blocks\.(\d+)\.norm1", r"encoder.layer.\1.layernorm_before"),
            (r"blocks\.(\d+)\.norm2", r"encoder.layer.\1.layernorm_after"),
            (r"blocks\.(\d+)\.attn\.proj", r"encoder.layer.\1.attention.output.dense"),
            (r"blocks\.(\d+)\.attn\.qkv", r"encoder.layer.\1.attention.attention.qkv"),
            (r"blocks\.(\d+)\.mlp\.fc1", r"encoder.layer.\1.intermediate.dense"),
            (r"blocks\.(\d+)\.mlp\.fc2", r"encoder.layer.\1.output.dense"),
            (r"norm\.", "layernorm."),
        ):
            if re.match(theirs, name):
                name = "vit." + re.sub(f"^{theirs}", ours, name)
                break
        if ".qkv." in name:
            for part, third in zip(("query", "key", "value"), value.chunk(3), strict=True):
                renamed[name.replace("qkv", part)] = third
        else:
            renamed[name] = value
    return renamed | {"decoder.mask_token": torch.zeros(1, 1, 512)}


def by_gr_mg(weights: Weights) -> Weights:
    """CLIP under another name, no causal mask, no words."""
    rest = without(without_mask(weights), "model_clip.", "transformer.wte.")
    return rest | prefixed(inside(weights, "model_clip."), "text_encoder.")


def prefixed(weights: Weights, prefix: str) -> Weights:
    return {f"{prefix}{name}": value for name, value in weights.items()}


def test_the_configuration_is_the_one_that_can_be_chosen(project):
    values = yaml.safe_load((project / "configs" / "policy" / "gr1.yaml").read_text())
    chosen = build(PolicyConfig, values)
    language = replace(chosen.language, weights="")
    images = replace(chosen.images, weights="")
    assert replace(chosen, language=language, images=images) == GR1


def test_every_official_weight_is_used_once(whole):
    with torch.device("meta"):
        policy = Policy(GR1, Statistics())
    sources = [(name, _find(name, NAMES)[0]) for name in policy.state_dict()]
    used = [theirs for _, several in sources for theirs in several]
    for name in set(used):
        thirds = 3 if ".attn.in_proj_" in name else 1  # query, key and value
        assert used.count(name) == thirds, name
    unused = _unused(whole)
    assert not unused.keys() & set(used)
    assert unused.keys() | set(used) == official_keys().keys()
    assert shapes_of({n: whole[n] for n in unused}) == unused


VARIANTS: dict[str, Callable[[Weights, Weights], tuple[dict, dict]]] = {
    "under state_dict": lambda w, _: ({"state_dict": w, "epoch": 3}, {}),
    "of a wrapped model": lambda w, _: (prefixed(w, "module.model."), {}),
    "of a compiled model": lambda w, _: ({"state_dict": prefixed(w, "_orig_mod.")}, {}),
    "by GR-MG's names": lambda w, _: ({"state_dict": prefixed(by_gr_mg(w), "model.")}, {}),
    "by GR-MG's names, CLIP beside the model": lambda w, _: (
        prefixed(without(by_gr_mg(w), "text_encoder."), "model.")
        | prefixed(inside(w, "model_clip."), "text_encoder."),
        {},
    ),
    "by GR-MG's names, without CLIP": lambda w, _: (
        prefixed(without(by_gr_mg(w), "text_encoder."), "model."),
        {"clip": openai_clip(w)},
    ),
    "without mask": lambda w, _: (without_mask(w), {}),
    "without words": lambda w, _: (without(w, "transformer.wte."), {}),
    "mask of truth values": lambda w, _: (mask_as(w, torch.bool), {}),
    "mask of fractions": lambda w, _: (mask_as(w, torch.float16), {}),
    "CLIP's text alone": lambda w, _: (without(w, "model_clip.visual.", "model_clip.logit"), {}),
    "CLIP by OpenAI": lambda w, _: (without(w, "model_clip."), {"clip": openai_clip(w)}),
    "CLIP by Hugging Face": lambda w, ours: (
        without(w, "model_clip."),
        {"clip": hugging_face_clip(ours)},
    ),
    "MAE's release": lambda w, _: (without(w, "model_mae."), {"mae": {"model": inside(w, MAE)}}),
    "MAE by timm": lambda w, _: (
        without(w, "model_mae."),
        {"mae": inside(w, MAE) | {"head.weight": torch.ones(1000, 768)}},
    ),
    "MAE by Hugging Face": lambda w, _: (
        without(w, "model_mae."),
        {"mae": hugging_face_mae(w)},
    ),
    "weights alone": lambda w, ours: (
        {"state_dict": without(without_mask(w), "model_", "transformer.wte.")},
        {"mae": {"model": inside(w, MAE)}, "clip": openai_clip(w)},
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_gives_the_same_policy(variant, whole, wanted):
    source, encoders = VARIANTS[variant](whole, wanted)
    config, found = read_gr1(source, **encoders)
    assert config == GR1
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_rounded_weights_are_read_as_they_are(dtype, whole, wanted):
    rounded = {n: v.to(dtype) if v.is_floating_point() else v for n, v in whole.items()}
    _, found = read_gr1(rounded)
    for name, value in wanted.items():
        assert found[name].dtype == torch.float32
        assert torch.equal(found[name], value.to(dtype).float()), name


def test_files_are_read_and_a_policy_comes_out_that_acts(whole, wanted, tmp_path):
    trunk = without(without_mask(whole), "model_")
    torch.save({"state_dict": prefixed(trunk, "module.")}, tmp_path / "snapshot_ABC.pt")
    torch.save({"model": inside(whole, MAE)}, tmp_path / "mae_pretrain_vit_base.pth")
    policy = load_gr1(
        tmp_path / "snapshot_ABC.pt",
        clip=openai_clip(whole),
        mae=str(tmp_path / "mae_pretrain_vit_base.pth"),
    )
    assert not policy.training
    found = policy.state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())
    policy.reset("open the drawer")
    seen = {
        "rgb_obs": {
            "rgb_static": torch.zeros(200, 200, 3, dtype=torch.uint8).numpy(),
            "rgb_gripper": torch.zeros(84, 84, 3, dtype=torch.uint8).numpy(),
        },
        "robot_obs": torch.zeros(15).numpy(),
    }
    assert policy.select_action(seen).shape == (7,)


def test_gr1_training_adds_queries_and_positions(whole):
    """At zero, where its training begins, what it adds changes nothing."""
    added = {
        "action_chunk_queries.weight": torch.zeros(10, 384),
        "transformer.wpe.weight": torch.zeros(1024, 384),
    }
    policy = load_gr1(without_mask(whole) | added)
    config = policy.config
    assert (config.action.queries, config.action.chunk, config.action.execute) == ("each", 10, 1)
    assert config.trunk.position == "token"
    assert config.images.antialias
    inputs = {n: v if n == "tokens" else v[:, :2] for n, v in golden_inputs(2, 0).items()}
    said, plain = policy.predict_window(**inputs), load_gr1(whole).predict_window(**inputs)
    assert torch.allclose(said["arm"], plain["arm"], atol=1e-6)
    assert torch.allclose(said["gripper"], plain["gripper"], atol=1e-6)
    for camera, frames in plain["frames"].items():
        assert torch.allclose(said["frames"][camera], frames, atol=1e-5)


def test_gr1_training_thinks_as_transformers_gpt2_does(whole):
    """Its trunk is transformers' GPT-2, all tokens of a step before those of the next, the queries
    hidden from everybody by the padding mask."""
    from transformers import GPT2Config, GPT2Model

    random = torch.Generator().manual_seed(0)
    weights = without_mask(whole) | {
        "action_chunk_queries.weight": torch.randn(3, 384, generator=random),
        "transformer.wpe.weight": torch.randn(1024, 384, generator=random),
    }
    policy = load_gr1(weights)
    config = GPT2Config(
        vocab_size=1, n_embd=384, n_layer=12, n_head=12, n_inner=1536, activation_function="relu"
    )
    theirs = GPT2Model(config).eval()
    theirs.load_state_dict(inside(weights, "transformer."))

    steps = 3
    cameras = ("rgb_static", "rgb_gripper")
    observed = torch.randn(1, steps, 22, 384, generator=random)
    queries = [weights["action_queries.weight"] + weights["action_chunk_queries.weight"]]
    queries += [weights["obs_queries.weight"], weights["obs_hand_queries.weight"]]
    asked = torch.cat(queries).expand(1, steps, -1, -1)
    sequence = torch.cat([observed, asked], dim=2)
    hidden = torch.cat([torch.ones(1, steps, 22), torch.zeros(1, steps, 23)], dim=2)
    with torch.no_grad():
        embedded = policy.trunk.input_norm(sequence.flatten(1, 2))
        read = theirs(inputs_embeds=embedded, attention_mask=hidden.flatten(1)).last_hidden_state
        read = read.unflatten(1, (steps, 45))[:, :, 22:]
        for watch in (cameras, ()):
            layout = policy.layout(cameras, state=True, act=True, watch=watch)
            ours = policy.think(observed, torch.ones(1, steps, dtype=torch.bool), layout)
            assert torch.allclose(ours["action"], read[:, :, :3], atol=1e-4)
            for start, camera in zip((3, 13), watch, strict=False):
                wanted = read[:, :, start : start + 10]
                assert torch.allclose(ours[f"future {camera}"], wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("added", "token", "queries"),
    [
        ({"transformer.wpe.weight": torch.zeros(1024, 384)}, "token", "one"),
        ({"action_chunk_queries.weight": torch.zeros(3, 384)}, "slot", "each"),
    ],
)
def test_what_gr1_training_adds_may_come_alone(added, token, queries, whole):
    config, _ = read_gr1(whole | added)
    assert (config.trunk.position, config.action.queries) == (token, queries)
    assert config.images.antialias


def changed(name: str, change: Callable[[Tensor], object]) -> Callable[[Weights], dict]:
    return lambda weights: weights | {name: change(weights[name])}


def spoilt(value: float) -> Callable[[Tensor], Tensor]:
    def spoil(weights: Tensor) -> Tensor:
        other = weights.clone()
        other.view(-1)[5] = value
        return other

    return spoil


def dropped(*names: str) -> Callable[[Weights], dict]:
    return lambda weights: without(weights, *names)


GR_MG = {
    "embed_goal_image.weight": torch.zeros(384, 768),
    "encode_action.0.norm1.weight": torch.zeros(128),
    "progress_queries.weight": torch.zeros(1, 384),
}

DAMAGE: dict[str, tuple[Callable[[Weights], dict], str]] = {
    "one missing": (dropped("obs_queries."), r"1 missing: obs_queries\.weight"),
    "many missing": (
        dropped("transformer.h."),
        r"144 missing: transformer\.h\.0\.attn\.c_attn\.bias, .* and 134 more",
    ),
    "no second camera": (dropped("embed_hand_"), r"4 missing: embed_hand_img\.bias"),
    "no fixed table": (dropped("decoder_pos_embed"), "1 missing: decoder_pos_embed"),
    "unexpected": (
        lambda w: w | {"transformer.h.12.ln_1.weight": torch.ones(384)},
        r"1 unexpected: transformer\.h\.12\.ln_1\.weight",
    ),
    "not all with a prefix": (
        lambda w: prefixed(without(w, "embed_ln."), "module.") | {"embed_ln.weight": torch.ones(1)},
        r"say where|missing",
    ),
    "the other way round": (
        changed("transformer.h.3.mlp.c_fc.weight", lambda v: v.t()),
        r"transformer\.h\.3\.mlp\.c_fc\.weight is \(1536, 384\), not \(384, 1536\)",
    ),
    "two faults": (
        lambda w: without(w, "embed_ln.") | {"mask_token": torch.zeros(384)},
        r"2 missing: embed_ln\.bias, .*; 1 of another shape: mask_token is \(384,\), "
        r"not \(1, 1, 1, 384\)",
    ),
    "a shorter window": (
        changed("embed_timestep.weight", lambda v: v[:5]),
        r"embed_timestep\.weight is \(5, 384\), not \(10, 384\)",
    ),
    "not a number": (
        changed("embed_state.weight", spoilt(torch.nan)),
        r"1 not finite: embed_state\.weight",
    ),
    "infinite": (
        changed("model_clip.text_projection", spoilt(torch.inf)),
        r"1 not finite: model_clip\.text_projection",
    ),
    "no tensor": (
        changed("action_queries.weight", lambda v: v.tolist()),
        r"action_queries\.weight is no tensor but a list",
    ),
    "whole numbers": (
        changed("pred_arm_act.weight", lambda v: v.long()),
        r"1 no floating-point numbers: pred_arm_act\.weight",
    ),
    "another fixed table": (
        changed("decoder_pos_embed", lambda v: v.roll(1, dims=1)),
        "decoder_pos_embed is not MAE's sine-cosine table: up to 2 apart",
    ),
    "a smaller mask": (
        changed("transformer.h.0.attn.bias", lambda v: v[..., :512, :512]),
        r"transformer\.h\.0\.attn\.bias is \(1, 1, 512, 512\), not \(1, 1, 1024, 1024\)",
    ),
    "a mask of some layers": (
        dropped("transformer.h.5.attn.masked_bias"),
        r"1 missing: transformer\.h\.5\.attn\.masked_bias",
    ),
    "half of CLIP's pictures": (
        dropped("model_clip.visual.transformer.resblocks.7."),
        r"12 missing: model_clip\.visual\.transformer\.resblocks\.7\.attn\.in_proj_bias",
    ),
    "CLIP's pictures of another size": (
        changed("model_clip.visual.conv1.weight", lambda v: v[..., :16, :16]),
        r"model_clip\.visual\.conv1\.weight is \(768, 3, 16, 16\), not \(768, 3, 32, 32\)",
    ),
    "half of MAE": (
        dropped("model_mae.blocks.7.mlp."),
        r"4 missing: model_mae\.blocks\.7\.mlp\.fc1\.bias",
    ),
    "a wider word": (
        changed("transformer.wte.weight", lambda v: v.expand(2, -1)),
        r"transformer\.wte\.weight is \(2, 384\), not \(1, 384\)",
    ),
    "fewer positions": (
        lambda w: w | {"transformer.wpe.weight": torch.zeros(512, 384)},
        r"transformer\.wpe\.weight is \(512, 384\), not \(1024, 384\)",
    ),
    "narrower queries": (
        lambda w: w | {"action_chunk_queries.weight": torch.zeros(10, 192)},
        r"action_chunk_queries\.weight is \(10, 192\), not \(10, 384\)",
    ),
    "no CLIP": (dropped("model_clip."), r"does not hold CLIP: say where it is, clip=ViT-B-32\.pt"),
    "no MAE": (
        dropped("model_mae."),
        r"does not hold MAE: say where it is, mae=mae_pretrain_vit_base\.pth",
    ),
    "GR-MG": (
        lambda w: prefixed(w | GR_MG, "model."),
        r"is a checkpoint of GR-MG.*: it reads pictures of the goal \(embed_goal_image\.weight\); "
        r"it draws .* \(encode_action\.0\.norm1\.weight\); it predicts .* \(progress_queries",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_does_not_fit_is_refused_by_name(damage, whole):
    damaging, message = DAMAGE[damage]
    with pytest.raises(ValueError, match=message):
        read_gr1({"state_dict": damaging(whole)})


def test_encoders_that_do_not_fit_are_refused_by_name(whole):
    with pytest.raises(ValueError, match="holds CLIP itself: leave out clip="):
        read_gr1(whole, clip=openai_clip(whole))
    with pytest.raises(ValueError, match="holds MAE itself: leave out mae="):
        read_gr1(whole, mae={"model": inside(whole, MAE)})
    trunk = without(whole, "model_clip.")
    large = openai_clip(whole) | {"text_projection": torch.zeros(768, 768)}
    with pytest.raises(ValueError, match=r"OpenAI's CLIP\): .*text_projection is \(768, 768\)"):
        read_gr1(trunk, clip=large)
    with pytest.raises(
        ValueError, match="holds no OpenAI's CLIP or Hugging Face's CLIP; it begins"
    ):
        read_gr1(trunk, clip=inside(whole, MAE))
    with pytest.raises(ValueError, match="there is no file nowhere.pt"):
        read_gr1(trunk, clip="nowhere.pt")
    with pytest.raises(ValueError, match="there is no file nowhere.pt"):
        read_gr1("nowhere.pt")
