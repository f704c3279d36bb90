"""Layouts of GR-1's weights as files hold them, made from one random set of all 722."""

import re
import zlib

import torch
from torch import Tensor

from firsthand.policy.checkpoints.gr1 import MAE
from firsthand.policy.modules.video_decoder import sincos_position
from tests.helpers.golden import official_keys

Weights = dict[str, Tensor]


def whole_release() -> Weights:
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


def prefixed(weights: Weights, prefix: str) -> Weights:
    return {f"{prefix}{name}": value for name, value in weights.items()}
