"""The published weights of GR-1 (Wu et al. 2024) as a policy of ours.

Two families of files are read: bytedance/GR-1's snapshots and GR1-Training's (a query for each
action of a chunk, a position for each token), with or without the frozen CLIP and MAE inside. Every
weight is used or known to be of no use; a file with anything else is refused.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, cast

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor, nn

from firsthand.policy.checkpoints.encoders import OPENAI_CLIP, TIMM_VIT, clip_weights, vit_weights
from firsthand.policy.checkpoints.state_dict import (
    IN_3_DIMENSIONS,
    IN_4_DIMENSIONS,
    TRANSPOSED,
    KeyMap,
    Shapes,
    shapes_of,
    translate,
)
from firsthand.policy.checkpoints.torch_files import read_state_dict
from firsthand.policy.config import (
    ActionConfig,
    CameraConfig,
    ImageConfig,
    LanguageConfig,
    LossWeights,
    NarrationConfig,
    PolicyConfig,
    PoolingConfig,
    TrunkConfig,
    VideoConfig,
)
from firsthand.policy.modules.future_target import NormalisedTarget
from firsthand.policy.modules.image_encoder import ViTEncoder
from firsthand.policy.modules.state_encoder import GR1State
from firsthand.policy.modules.video_decoder import sincos_position
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics

GR1 = PolicyConfig(
    cameras=(CameraConfig("rgb_static", 224), CameraConfig("rgb_gripper", 224)),
    n_obs_steps=10,
    obs_stride_s=0.0333333,
    horizon_s=0.1,
    control_hz=30.0,
    state="gr1",
    language=LanguageConfig("clip"),
    images=ImageConfig("vit", width=768, blocks=12, stride=16, frozen=True, antialias=False),
    pool=PoolingConfig("perceiver", tokens=9, depth=3, heads=4, head_width=128),
    trunk=TrunkConfig(384, 12, 12, dropout=0.1, intra_step_attention="causal"),
    action=ActionConfig(chunk_size=1, activation="none", n_action_steps=1, clip=False),
    video=VideoConfig(
        queries=10,
        width=384,
        depth=2,
        heads=16,
        activation="gelu",
        start="mask",
        target="normalised",
        eps=1e-6,
        batch_fraction=1.0,
    ),
    narration=NarrationConfig(enabled=False),
    loss=LossWeights(gripper=0.01, video=0.2, arm_beta=1.0),
)

CLIP, MAE = "model_clip.", "model_mae."

# Their name, our name. `*` is weight or bias, `{i}` the number of a block.
NAMES = (
    *(row.within(CLIP, "language.clip.") for row in OPENAI_CLIP),
    *(row.within(MAE, "images.vit.") for row in TIMM_VIT),
    KeyMap("embed_arm_state.*", "embed_state.arm.*"),
    KeyMap("embed_gripper_state.*", "embed_state.gripper.*"),
    KeyMap("embed_state.*", "embed_state.embed.*"),
    KeyMap("embed_lang.*", "embed_instruction.*"),
    KeyMap("embed_patch.*", "image_proj.rgb_static.*"),
    KeyMap("embed_hand_patch.*", "image_proj.rgb_gripper.*"),
    KeyMap("embed_img.*", "cls_proj.rgb_static.*"),
    KeyMap("embed_hand_img.*", "cls_proj.rgb_gripper.*"),
    KeyMap("embed_timestep.*", "embed_time.*"),
    KeyMap("perceiver_resampler.latents", "pool.latents"),
    KeyMap("perceiver_resampler.media_pos_emb", "pool.patch_embedding", IN_3_DIMENSIONS),
    KeyMap("perceiver_resampler.layers.{i}.0.norm_media.*", "pool.layers.{i}.patch_norm.*"),
    KeyMap("perceiver_resampler.layers.{i}.0.norm_latents.*", "pool.layers.{i}.latent_norm.*"),
    KeyMap("perceiver_resampler.layers.{i}.0.to_q.*", "pool.layers.{i}.query.*"),
    KeyMap("perceiver_resampler.layers.{i}.0.to_kv.*", "pool.layers.{i}.key_value.*"),
    KeyMap("perceiver_resampler.layers.{i}.0.to_out.*", "pool.layers.{i}.attention_out.*"),
    KeyMap("perceiver_resampler.layers.{i}.1.0.*", "pool.layers.{i}.mlp_norm.*"),
    KeyMap("perceiver_resampler.layers.{i}.1.1.*", "pool.layers.{i}.mlp_in.*"),
    KeyMap("perceiver_resampler.layers.{i}.1.3.*", "pool.layers.{i}.mlp_out.*"),
    KeyMap("perceiver_resampler.norm.*", "pool.norm.*"),
    KeyMap("embed_ln.*", "trunk.input_norm.*"),
    KeyMap("transformer.wpe.*", "trunk.embed_position.*"),
    KeyMap("transformer.h.{i}.ln_1.*", "trunk.blocks.{i}.attention_norm.*"),
    KeyMap("transformer.h.{i}.attn.c_attn.*", "trunk.blocks.{i}.query_key_value.*", TRANSPOSED),
    KeyMap("transformer.h.{i}.attn.c_proj.*", "trunk.blocks.{i}.attention_out.*", TRANSPOSED),
    KeyMap("transformer.h.{i}.ln_2.*", "trunk.blocks.{i}.mlp_norm.*"),
    KeyMap("transformer.h.{i}.mlp.c_fc.*", "trunk.blocks.{i}.mlp_in.*", TRANSPOSED),
    KeyMap("transformer.h.{i}.mlp.c_proj.*", "trunk.blocks.{i}.mlp_out.*", TRANSPOSED),
    KeyMap("transformer.ln_f.*", "trunk.output_norm.*"),
    KeyMap("action_queries.*", "action_query.*"),
    KeyMap("action_chunk_queries.*", "action_offset.*"),
    KeyMap("obs_queries.*", "video_query.rgb_static.*"),
    KeyMap("obs_hand_queries.*", "video_query.rgb_gripper.*"),
    KeyMap("pred_act_mlps.0.*", "action_head.first.*"),
    KeyMap("pred_act_mlps.1.*", "action_head.second.*"),
    KeyMap("pred_arm_act.*", "action_head.arm.*"),
    KeyMap("pred_gripper_act.*", "action_head.gripper.*"),
    KeyMap("mask_token", "video_decoder.mask_token", IN_4_DIMENSIONS),
    KeyMap("decoder_embed.*", "video_decoder.embed_query.*"),
    KeyMap("decoder_blocks.{i}.norm1.*", "video_decoder.blocks.{i}.attention_norm.*"),
    KeyMap("decoder_blocks.{i}.attn.qkv.*", "video_decoder.blocks.{i}.query_key_value.*"),
    KeyMap("decoder_blocks.{i}.attn.proj.*", "video_decoder.blocks.{i}.attention_out.*"),
    KeyMap("decoder_blocks.{i}.norm2.*", "video_decoder.blocks.{i}.mlp_norm.*"),
    KeyMap("decoder_blocks.{i}.mlp.fc1.*", "video_decoder.blocks.{i}.mlp_in.*"),
    KeyMap("decoder_blocks.{i}.mlp.fc2.*", "video_decoder.blocks.{i}.mlp_out.*"),
    KeyMap("decoder_norm.*", "video_decoder.norm.*"),
    KeyMap("decoder_pred.*", "video_decoder.predict.*"),
)

# What a file may hold and GR-1 does not use: each group as a whole or not at all.
CAUSAL_MASK = {f"transformer.h.{i}.attn.bias": (1, 1, 1024, 1024) for i in range(12)}
MASKED_SCORE = {f"transformer.h.{i}.attn.masked_bias": () for i in range(12)}
WORDS = {"transformer.wte.weight": (1, 384)}  # GPT-2's vocabulary, of one word
CLIP_PICTURES = {
    f"{CLIP}{name}": shape
    for name, shape in {
        "logit_scale": (),
        "visual.class_embedding": (768,),
        "visual.positional_embedding": (50, 768),
        "visual.proj": (768, 512),
        "visual.conv1.weight": (768, 3, 32, 32),
        "visual.ln_pre.weight": (768,),
        "visual.ln_pre.bias": (768,),
        "visual.ln_post.weight": (768,),
        "visual.ln_post.bias": (768,),
    }.items()
} | {
    f"{CLIP}visual.transformer.resblocks.{i}.{name}": shape
    for i in range(12)
    for name, shape in {
        "attn.in_proj_weight": (2304, 768),
        "attn.in_proj_bias": (2304,),
        "attn.out_proj.weight": (768, 768),
        "attn.out_proj.bias": (768,),
        "ln_1.weight": (768,),
        "ln_1.bias": (768,),
        "mlp.c_fc.weight": (3072, 768),
        "mlp.c_fc.bias": (3072,),
        "mlp.c_proj.weight": (768, 3072),
        "mlp.c_proj.bias": (768,),
        "ln_2.weight": (768,),
        "ln_2.bias": (768,),
    }.items()
}
UNUSED: tuple[Shapes, ...] = (CAUSAL_MASK, MASKED_SCORE, WORDS, CLIP_PICTURES)
POSITIONS = "decoder_pos_embed"  # a fixed table, in every file


class WindowPrediction(TypedDict):
    """What GR-1 says of a window of t frames, and its targets: those of the frames themselves.

    arm: as it is, not clipped; of a chunk, the first action. gripper: logits, open > 0. frames and
    targets: by "static" and "gripper", every 16×16 patch normalised by its own mean and std.
    """

    arm: Float[Tensor, "b t 6"]
    gripper: Float[Tensor, "b t 1"]
    frames: Mapping[str, Float[Tensor, "b t p c"]]
    targets: Mapping[str, Float[Tensor, "b t p c"]]


class GR1Policy(Policy):
    """A policy of GR-1's architecture that also takes tensors as the release has them."""

    @torch.no_grad()
    def predict_window(
        self,
        rgb: Float[Tensor, "b t 3 h h"],
        hand_rgb: Float[Tensor, "b t 3 h h"],
        arm: Float[Tensor, "b t 6"],
        gripper: Float[Tensor, "b t 2"],
        tokens: Int[Tensor, "b 77"],
        mask: Num[Tensor, "b t"],
    ) -> WindowPrediction:
        """One window, all queries instruction at every frame, nothing remembered.

        Args:
            rgb: ImageNet-normalised pictures of the static camera.
            hand_rgb: and of the gripper's.
            arm: position (m) and Euler angles (rad).
            gripper: one-hot, closed or open.
            tokens: of the instruction, CLIP's.
            mask: not 0 where a frame is real; padding comes last.

        Raises:
            ValueError: the policy is of another architecture.
        """
        images, state, target = self.images, self.embed_state, self.future_target
        if not (
            isinstance(images, ViTEncoder)
            and isinstance(state, GR1State)
            and isinstance(target, NormalisedTarget)
        ):
            raise ValueError("predict_window is for policies of GR-1's architecture (policy=gr1)")
        cameras = [camera.name for camera in self.config.cameras]
        steps = mask.shape[1]
        instruction = self.language.encode_tokens(tokens)
        both = torch.cat([rgb.flatten(0, 1), hand_rgb.flatten(0, 1)])
        features = images.encode(both)
        repeated = instruction.repeat_interleave(steps, dim=0).repeat(len(cameras), 1)
        views = self.camera_tokens(cameras, steps, rgb.shape[-1], both, features, repeated)

        observed = self.tokens(instruction, state.read(arm, gripper), views)
        layout = self.layout(tuple(cameras), state=True, actions=True, futures=tuple(cameras))
        outputs = self.run_transformer(observed, mask > 0, layout)

        arm_outputs, gripper_outputs = self.action_head(outputs["action"])
        names = dict(zip(("static", "gripper"), cameras, strict=True))
        return WindowPrediction(
            arm=arm_outputs[:, :, 0],
            gripper=gripper_outputs[:, :, :1],
            frames={
                n: self.decode_frames(outputs[f"future {c}"], views[c]) for n, c in names.items()
            },
            targets={"static": target.normalised(rgb), "gripper": target.normalised(hand_rgb)},
        )


def load_gr1(
    source: str | Path | Mapping[str, Any],
    *,
    clip: str | Path | Mapping[str, Any] | None = None,
    mae: str | Path | Mapping[str, Any] | None = None,
) -> GR1Policy:
    """A policy with the weights of a GR-1 checkpoint, ready to act.

    GR-1 reads the state as it is, so that there are no statistics to load: the policy's say
    nothing but that it has learned from demonstrations.

    Args:
        source: a file, or what such a file holds: a state dict, alone or under `state_dict`, with
            or without the prefixes `module.` and `model.`, in any floating-point type.
        clip: where CLIP ViT-B/32 comes from if the source does not hold it: OpenAI's file, or a
            Hugging Face directory.
        mae: the same for MAE ViT-B/16: MAE's release, timm's file or a Hugging Face directory.

    Raises:
        ValueError: the file cannot be read, or weights are missing, unexpected, of another shape,
            not finite or not the ones that GR-1 fixes; each by its name in the file.
    """
    config, weights = read_gr1(source, clip=clip, mae=mae)
    policy = GR1Policy(config, Statistics(frames=1))
    policy.load_state_dict(weights)
    return policy.eval()


def read_gr1(
    source: str | Path | Mapping[str, Any],
    *,
    clip: str | Path | Mapping[str, Any] | None = None,
    mae: str | Path | Mapping[str, Any] | None = None,
) -> tuple[PolicyConfig, dict[str, Tensor]]:
    """What `load_gr1` makes its policy of: the configuration, and all weights by our names."""
    where = str(source) if isinstance(source, str | Path) else "the state dict"
    weights = read_state_dict(source)
    holds_clip, holds_mae = (any(n.startswith(part) for n in weights) for part in (CLIP, MAE))
    _one_place(where, "CLIP", holds_clip, clip, "clip=ViT-B-32.pt")
    _one_place(where, "MAE", holds_mae, mae, "mae=mae_pretrain_vit_base.pth")

    config = _config(weights)
    with torch.device("meta"):
        empty = Policy(config, Statistics(frames=1))  # names and shapes alone
    found: dict[str, Tensor] = {}
    if clip is not None:
        text = clip_weights(cast(nn.Module, empty.language.clip), clip)
        found |= {f"language.clip.{name}": value for name, value in text.items()}
    if mae is not None:
        encoder = vit_weights(cast(nn.Module, empty.images.vit), mae)
        found |= {f"images.vit.{name}": value for name, value in encoder.items()}

    shapes = shapes_of(empty.state_dict())
    wanted = {name: shape for name, shape in shapes.items() if name not in found}
    try:
        found |= translate(weights, NAMES, wanted, _unused(weights))
        _check_positions(weights[POSITIONS], config.video)
    except ValueError as error:
        raise ValueError(f"{where} is no checkpoint of GR-1: {error}") from error
    return config, found


def _config(weights: Mapping[str, Tensor]) -> PolicyConfig:
    """GR-1's, or GR1-Training's if the file has what its policy adds.

    GR1-Training resizes pictures with antialiasing, GR-1 without.
    """
    config = GR1
    queries = weights.get("action_chunk_queries.weight")
    if queries is not None and queries.ndim == 2 and len(queries):
        action = replace(config.action, queries="each", chunk_size=len(queries))
        config = replace(config, action=action, images=replace(config.images, antialias=True))
    if "transformer.wpe.weight" in weights:
        config = replace(
            config,
            trunk=replace(config.trunk, position="learned"),
            images=replace(config.images, antialias=True),
        )
    return config


def _unused(weights: Mapping[str, Tensor]) -> Shapes:
    """Of the groups that a file need not hold those that it begins to, and the fixed table."""
    needed: dict[str, tuple[int, ...]] = {POSITIONS: (1, 196, 384)}
    for group in UNUSED:
        if not weights.keys().isdisjoint(group):
            needed |= group
    return needed


def _check_positions(table: Tensor, config: VideoConfig) -> None:
    """The fixed table must be ours, but for the rounding of the type it was saved in."""
    ours = sincos_position(round(table.shape[1] ** 0.5), config.width)
    apart = (table[0] - ours).abs().max().item()
    if apart > torch.finfo(torch.bfloat16).eps:
        raise ValueError(f"{POSITIONS} is not MAE's sine-cosine table: up to {apart:.3g} apart")


def _one_place(where: str, name: str, inside: bool, given: object, hint: str) -> None:
    if inside and given is not None:
        raise ValueError(f"{where} holds {name} itself: leave out {hint.partition('=')[0]}=")
    if not inside and given is None:
        raise ValueError(f"{where} does not hold {name}: say where it is, {hint}")
