"""What is said of files that are not GR-1's weights, or not all of them."""

from collections.abc import Callable

import pytest
import torch

from firsthand.policy.checkpoints.gr1 import MAE, read_gr1
from tests.helpers.damaged_weights import alone, spoilt
from tests.helpers.gr1_files import Weights, inside, openai_clip, prefixed, without


def dropped(*names: str) -> Callable[[Weights], dict]:
    return lambda weights: without(weights, *names)


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
        alone("transformer.h.3.mlp.c_fc.weight", lambda v: v.t()),
        r"transformer\.h\.3\.mlp\.c_fc\.weight is \(1536, 384\), not \(384, 1536\)",
    ),
    "two faults": (
        lambda w: without(w, "embed_ln.") | {"mask_token": torch.zeros(384)},
        r"2 missing: embed_ln\.bias, .*; 1 of another shape: mask_token is \(384,\), "
        r"not \(1, 1, 1, 384\)",
    ),
    "a shorter window": (
        alone("embed_timestep.weight", lambda v: v[:5]),
        r"embed_timestep\.weight is \(5, 384\), not \(10, 384\)",
    ),
    "not a number": (
        alone("embed_state.weight", spoilt(torch.nan)),
        r"1 not finite: embed_state\.weight",
    ),
    "infinite": (
        alone("model_clip.text_projection", spoilt(torch.inf)),
        r"1 not finite: model_clip\.text_projection",
    ),
    "no tensor": (
        alone("action_queries.weight", lambda v: v.tolist()),
        r"action_queries\.weight is no tensor but a list",
    ),
    "whole numbers": (
        alone("pred_arm_act.weight", lambda v: v.long()),
        r"1 no floating-point numbers: pred_arm_act\.weight",
    ),
    "another fixed table": (
        alone("decoder_pos_embed", lambda v: v.roll(1, dims=1)),
        "decoder_pos_embed is not MAE's sine-cosine table: up to 2 apart",
    ),
    "a smaller mask": (
        alone("transformer.h.0.attn.bias", lambda v: v[..., :512, :512]),
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
        alone("model_clip.visual.conv1.weight", lambda v: v[..., :16, :16]),
        r"model_clip\.visual\.conv1\.weight is \(768, 3, 16, 16\), not \(768, 3, 32, 32\)",
    ),
    "half of MAE": (
        dropped("model_mae.blocks.7.mlp."),
        r"4 missing: model_mae\.blocks\.7\.mlp\.fc1\.bias",
    ),
    "a wider word": (
        alone("transformer.wte.weight", lambda v: v.expand(2, -1)),
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
    "GR-MG's, another architecture": (
        lambda w: prefixed(w | {"progress_queries.weight": torch.zeros(1, 384)}, "model."),
        r"progress_queries\.weight",
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
    with pytest.raises(ValueError, match="no weights at nowhere.pt: there is no such file"):
        read_gr1(trunk, clip="nowhere.pt")
    with pytest.raises(ValueError, match="there is no file nowhere.pt"):
        read_gr1("nowhere.pt")
