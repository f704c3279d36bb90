"""Weights and inputs from names alone, to compare with what the official GR-1 made of them.

Another part of this project ran bytedance/GR-1's release (float32, CPU, evaluation mode) with every
parameter set by `named_weight` and the inputs of `golden_inputs`, and kept the outputs in
`tests/golden/gr1_official.npz`, the names and shapes of its state dict in `gr1_official_keys.json`.
"""

import json
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from firsthand.policy.modules.video_decoder import sincos_position

GOLDEN = Path(__file__).parents[1] / "golden"


def named_weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A float32 array that depends on `name` and `shape` only."""
    rng = np.random.RandomState(zlib.crc32(name.encode()))  # noqa: NPY002 - the recorded numbers
    values = rng.standard_normal(shape).astype(np.float32)
    is_norm = any(part in name for part in ("ln_", "norm", ".ln", "embed_ln", "LayerNorm"))
    # The resampler's perceptron begins with a LayerNorm, which its name does not say.
    is_norm |= len(shape) == 1 and "layers" in name and (".0.weight" in name or ".0.bias" in name)
    if len(shape) == 1 and is_norm and name.endswith("weight"):
        return 1.0 + 0.02 * values
    if len(shape) <= 1:
        return np.asarray(0.02 * values, dtype=np.float32)
    return values * np.float32(0.02 if shape[-1] > 64 else 0.2)


def golden_inputs(valid: int, seed: int, length: int = 10) -> dict[str, Tensor]:
    """The arguments of `Policy.predict_window`: `length` steps, the first `valid` of them real."""
    rng = np.random.RandomState(seed)  # noqa: NPY002
    rgb = np.zeros((1, length, 3, 224, 224), np.float32)
    hand_rgb = np.zeros_like(rgb)
    arm = np.zeros((1, length, 6), np.float32)
    index = np.zeros((1, length), np.int64)
    rgb[:, :valid] = rng.standard_normal((1, valid, 3, 224, 224))
    hand_rgb[:, :valid] = rng.standard_normal((1, valid, 3, 224, 224))
    arm[:, :valid] = 0.5 * rng.standard_normal((1, valid, 6))
    index[:, :valid] = rng.randint(0, 2, (1, valid))
    tokens = np.zeros((1, 77), np.int64)
    tokens[0, :7] = [49406, *rng.randint(300, 40000, 5), 49407]
    mask = np.zeros((1, length), np.int64)
    mask[:, :valid] = 1
    arrays = {
        "rgb": rgb,
        "hand_rgb": hand_rgb,
        "arm": arm,
        "gripper": np.eye(2, dtype=np.float32)[index],
    }
    arrays |= {"tokens": tokens, "mask": mask}
    return {name: torch.from_numpy(value) for name, value in arrays.items()}


@lru_cache
def official_keys() -> dict[str, tuple[int, ...]]:
    """The 722 names of the official state dict and their shapes."""
    keys = json.loads((GOLDEN / "gr1_official_keys.json").read_text())
    return {name: tuple(facts["shape"]) for name, facts in keys.items()}


def official_weights() -> dict[str, Tensor]:
    """The state dict behind the golden outputs, but for zeros in the half that CLIP has for
    pictures, which GR-1 does not use."""
    weights = {}
    for name, shape in official_keys().items():
        if name.endswith(".attn.masked_bias"):
            weights[name] = torch.tensor(-1e4)
        elif name.startswith("transformer.") and name.endswith(".attn.bias"):
            weights[name] = torch.ones(shape, dtype=torch.uint8).tril()
        elif name == "decoder_pos_embed":
            weights[name] = sincos_position(14, 384)[None]
        elif name.startswith("model_clip.visual."):
            weights[name] = torch.zeros(()).expand(shape)
        else:
            weights[name] = torch.from_numpy(named_weight(name, shape))
    return weights
