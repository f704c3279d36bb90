"""Which files of GR-1's weights are read, and what is said of those that are not."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import yaml

from firsthand.cli.schema import build
from firsthand.policy.checkpoints.gr1 import GR1, MAE, NAMES, _unused, load_gr1, read_gr1
from firsthand.policy.checkpoints.state_dict import _find, shapes_of
from firsthand.policy.config import PolicyConfig
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics
from tests.helpers.golden import golden_inputs, official_keys
from tests.helpers.gr1_files import (
    Weights,
    hugging_face_clip,
    hugging_face_mae,
    inside,
    mask_as,
    openai_clip,
    prefixed,
    without,
    without_mask,
)


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
    assert (config.action.queries, config.action.chunk_size, config.action.n_action_steps) == (
        "each",
        10,
        1,
    )
    assert config.trunk.position == "learned"
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
        for futures in (cameras, ()):
            layout = policy.layout(cameras, state=True, actions=True, futures=futures)
            ours = policy.run_transformer(observed, torch.ones(1, steps, dtype=torch.bool), layout)
            assert torch.allclose(ours["action"], read[:, :, :3], atol=1e-4)
            for start, camera in zip((3, 13), futures, strict=False):
                wanted = read[:, :, start : start + 10]
                assert torch.allclose(ours[f"future {camera}"], wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("added", "token", "queries"),
    [
        ({"transformer.wpe.weight": torch.zeros(1024, 384)}, "learned", "one"),
        ({"action_chunk_queries.weight": torch.zeros(3, 384)}, "time", "each"),
    ],
)
def test_what_gr1_training_adds_may_come_alone(added, token, queries, whole):
    config, _ = read_gr1(whole | added)
    assert (config.trunk.position, config.action.queries) == (token, queries)
    assert config.images.antialias
