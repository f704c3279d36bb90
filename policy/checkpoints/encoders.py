"""The frozen foundations of a new policy, from the files that others published.

CLIP's text half: OpenAI's `ViT-B-32.pt` or a Hugging Face directory, whole or text alone. A vision
transformer: MAE's release (He et al. 2022), timm's files, or a Hugging Face ViTMAE. A saved policy
holds these weights itself and needs none of the files again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from firsthand.policy.checkpoints.model_path import from_hub, is_hub_id, near
from firsthand.policy.checkpoints.state_dict import (
    FIRST,
    JOINED,
    SECOND,
    THIRD,
    TRANSPOSED,
    KeyMap,
    shapes_of,
    translate,
)
from firsthand.policy.checkpoints.torch_files import read_state_dict
from firsthand.policy.modules.image_encoder import ViTEncoder

if TYPE_CHECKING:
    from firsthand.policy.policy import Policy

TABLES = ("attn_mask", "position_ids")  # fixed, and kept by some files all the same
FILES = ("model.safetensors", "pytorch_model.bin")  # of a Hugging Face directory, best first

OPENAI_BLOCK = ("transformer.resblocks.{i}.", "text_model.encoder.layers.{i}.")
OPENAI_CLIP = (
    KeyMap("token_embedding.weight", "text_model.embeddings.token_embedding.weight"),
    KeyMap("positional_embedding", "text_model.embeddings.position_embedding.weight"),
    *(
        row.within(*OPENAI_BLOCK)
        for row in (
            KeyMap("ln_1.*", "layer_norm1.*"),
            KeyMap("attn.in_proj_*", "self_attn.q_proj.*", FIRST),
            KeyMap("attn.in_proj_*", "self_attn.k_proj.*", SECOND),
            KeyMap("attn.in_proj_*", "self_attn.v_proj.*", THIRD),
            KeyMap("attn.out_proj.*", "self_attn.out_proj.*"),
            KeyMap("ln_2.*", "layer_norm2.*"),
            KeyMap("mlp.c_fc.*", "mlp.fc1.*"),
            KeyMap("mlp.c_proj.*", "mlp.fc2.*"),
        )
    ),
    KeyMap("ln_final.*", "text_model.final_layer_norm.*"),
    KeyMap("text_projection", "text_projection.weight", TRANSPOSED),
)
HUGGING_FACE_CLIP = (KeyMap("*", "*"),)
TIMM_VIT = (KeyMap("*", "*"),)
HUGGING_FACE_VIT = (
    KeyMap("embeddings.cls_token", "cls_token"),
    KeyMap("embeddings.position_embeddings", "pos_embed"),
    KeyMap("embeddings.patch_embeddings.projection.*", "patch_embed.proj.*"),
    *(
        row.within("encoder.layer.{i}.", "blocks.{i}.")
        for row in (
            KeyMap("layernorm_before.*", "norm1.*"),
            KeyMap(
                tuple(f"attention.attention.{part}.*" for part in ("query", "key", "value")),
                "attn.qkv.*",
                JOINED,
            ),
            KeyMap("attention.output.dense.*", "attn.proj.*"),
            KeyMap("layernorm_after.*", "norm2.*"),
            KeyMap("intermediate.dense.*", "mlp.fc1.*"),
            KeyMap("output.dense.*", "mlp.fc2.*"),
        )
    ),
    KeyMap("layernorm.*", "norm.*"),
)


@dataclass(frozen=True)
class KeyLayout:
    """How a kind of file names its weights.

    sign: a name that only this kind has. beside: how the names begin that have no place here.
    """

    name: str
    sign: str
    rows: Sequence[KeyMap]
    beside: tuple[str, ...]


CLIP_LAYOUTS = (
    KeyLayout(
        "OpenAI's CLIP",
        "token_embedding.weight",
        OPENAI_CLIP,
        ("visual.", "logit_scale", "input_resolution", "context_length", "vocab_size"),
    ),
    KeyLayout(
        "Hugging Face's CLIP",
        "text_model.embeddings.token_embedding.weight",
        HUGGING_FACE_CLIP,
        (
            "vision_model.",
            "visual_projection.",
            "logit_scale",
            "text_model.embeddings.position_ids",
        ),
    ),
)
VIT_LAYOUTS = (
    KeyLayout(
        "MAE's or timm's vision transformer",
        "patch_embed.proj.weight",
        TIMM_VIT,
        ("decoder_", "mask_token", "head.", "fc_norm."),
    ),
    KeyLayout(
        "Hugging Face's ViTMAE",
        "embeddings.patch_embeddings.projection.weight",
        HUGGING_FACE_VIT,
        ("decoder.",),
    ),
)


def load_encoders(policy: "Policy") -> None:
    """Give a new policy the encoders that `language.weights` and `images.weights` name.

    Raises:
        ValueError: a frozen encoder has no file to come from, or the file does not fit; by name.
    """
    language, images = policy.config.language, policy.config.images
    if policy.language.clip is not None:
        if not language.weights:
            raise ValueError(
                "language.encoder=clip needs language.weights: OpenAI's ViT-B-32.pt, a local "
                "directory, or a hub name such as openai/clip-vit-base-patch32"
            )
        found = clip_weights(policy.language.clip, language.weights)
        policy.language.load_state_dict({f"clip.{name}": value for name, value in found.items()})
    if isinstance(policy.images, ViTEncoder):
        if images.weights:
            policy.images.vit.load_state_dict(vit_weights(policy.images.vit, images.weights))
        elif images.frozen:
            raise ValueError(
                "images.frozen=true needs images.weights: MAE's mae_pretrain_vit_base.pth, a local "
                "directory, or a hub name such as timm/vit_base_patch16_224.mae"
            )


def clip_weights(tower: nn.Module, source: str | Path | Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights of CLIP's text tower, by our names.

    Raises:
        ValueError: there is no such file, or it does not fit, by name.
    """
    return _weights(tower, source, CLIP_LAYOUTS)


def vit_weights(tower: nn.Module, source: str | Path | Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights of a vision transformer of timm's, by its own names.

    Raises:
        ValueError: there is no such file, or it does not fit, by name.
    """
    return _weights(tower, source, VIT_LAYOUTS)


def _weights(
    tower: nn.Module, source: str | Path | Mapping[str, Any], layouts: Sequence[KeyLayout]
) -> dict[str, Tensor]:
    if isinstance(source, Mapping):
        where, weights = "the state dict", read_state_dict(source)
    else:
        where = str(source)
        weights = read_state_dict(_locate(where))
    # Hugging Face puts a name before an encoder that has something on top.
    weights = {name.removeprefix("vit."): value for name, value in weights.items()}
    for layout in layouts:
        if layout.sign in weights:
            break
    else:
        names = " or ".join(layout.name for layout in layouts)
        some = ", ".join(sorted(weights)[:3])
        raise ValueError(f"{where} holds no {names}; it begins with {some}")
    needed = {
        name: value
        for name, value in weights.items()
        if not name.startswith(layout.beside) and name.rpartition(".")[2] not in TABLES
    }
    try:
        return translate(needed, layout.rows, shapes_of(tower.state_dict()), {})
    except ValueError as error:
        raise ValueError(f"{where} ({layout.name}): {error}") from error


def _locate(source: str) -> Path:
    """The file itself, the one in a directory, or the one on the hub."""
    path = Path(source)
    if path.is_dir():
        for name in FILES:
            if (path / name).is_file():
                return path / name
        raise ValueError(f"{path} holds neither {' nor '.join(FILES)}")
    if path.exists():
        return path
    if not is_hub_id(source):
        raise ValueError(f"no weights at {source}: there is no such file{near(path)}")
    folder = from_hub(source, FILES, "weights", first=True)
    for name in FILES:
        if (folder / name).is_file():
            return folder / name
    raise ValueError(f"no weights at {source}: it holds neither {' nor '.join(FILES)}")
