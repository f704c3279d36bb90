"""What the official CVCL made of given weights, and weights and inputs from names alone.

Another part of this project ran wkvong/multimodal-baby's release. `cvcl_official.json` (float64)
holds small text encoders with their weights, the larger ones of the transformer standing in
millionths in `cvcl_transformer.npz`; `cvcl_full.npz` what the full model (float32) makes of
`named_weight` and `golden_inputs`; `cvcl_official_keys.json` the names in its checkpoint.
"""

import json
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from firsthand.grounding.config import GroundingConfig, UtteranceConfig, VisionConfig
from firsthand.grounding.model import GroundingModel

GOLDEN = Path(__file__).parents[1] / "golden"

# Their name, ours, of a text encoder's weights.
NAMES = {"pos_embed": "position", "transformer_encoder.layers.0.": "layer."}


@lru_cache
def official() -> dict[str, Any]:
    return json.loads((GOLDEN / "cvcl_official.json").read_text())


def text_weights(case: str) -> dict[str, Tensor]:
    """Their text encoder's weights in float64, by our names."""
    if case == "transformer_learned":
        stored = np.load(GOLDEN / "cvcl_transformer.npz")
        found = {name: torch.from_numpy(stored[name] / 1e6) for name in stored}
        found["pos_embed"] = found["pos_embed"][:, 0]
    else:
        listed = official()["cases"][case]["text_state_dict"]
        found = {name: tensor(value) for name, value in listed.items()}
    for theirs, ours in NAMES.items():
        found = {name.replace(theirs, ours): value for name, value in found.items()}
    return found


def tensor(values: list) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def small_model(utterance: UtteranceConfig, **changes: Any) -> GroundingModel:
    """In evaluation, 16 wide as the small official ones are, its eyes of no account."""
    vision = VisionConfig(model="test_resnet", size=64)
    config = GroundingConfig(vision=vision, utterance=utterance, width=16, **changes)
    return GroundingModel(config).eval()


def small_official(case: str, **changes: Any) -> GroundingModel:
    """The official small model of that case."""
    encoder, _, position = case.partition("_")
    utterance = UtteranceConfig(encoder, words=20, position=position or "none", padding="upstream")
    model = small_model(utterance, **changes).double()
    model.utterance.load_state_dict(text_weights(case))
    return model


def named_weight(name: str, shape: tuple[int, ...], salt: str = "") -> np.ndarray:
    """A float32 array that depends on the arguments only."""
    rng = np.random.RandomState(zlib.crc32((salt + name).encode()))  # noqa: NPY002 - as recorded
    values = rng.standard_normal(shape).astype(np.float32)
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if name.endswith("running_var"):
        return 1.0 + 0.1 * np.abs(values)
    is_norm = ".bn" in name or "downsample.1" in name
    if is_norm and name.endswith("weight"):
        return 1.0 + 0.05 * values
    if len(shape) <= 1:
        return np.asarray(0.05 * values, np.float32)
    if name == "text_encoder.embedding.weight":
        values[0] = 0.0  # padding
        return values
    return (values * np.sqrt(1.0 / np.prod(shape[1:]))).astype(np.float32)


def golden_inputs(seed: int, batch: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures, tokens and lengths."""
    rng = np.random.RandomState(seed)  # noqa: NPY002
    images = rng.standard_normal((batch, 3, 224, 224)).astype(np.float32)
    lengths = rng.randint(1, 24, batch)
    tokens = np.zeros((batch, 25), np.int64)
    for row, length in zip(tokens, lengths, strict=True):
        row[:length] = rng.randint(4, 2350, length)
    return torch.from_numpy(images), torch.from_numpy(tokens), torch.from_numpy(lengths)


@lru_cache
def official_keys() -> dict[str, tuple[int, ...]]:
    """The 645 names of the official checkpoint and their shapes."""
    keys = json.loads((GOLDEN / "cvcl_official_keys.json").read_text())
    return {name: tuple(shape) for name, shape in keys.items()}


def canonical(name: str) -> str:
    """The name under which a weight stands first; some stand under two or three."""
    name = name.removeprefix("language_model.")
    if name == "output_layer.weight":
        return "text_encoder.embedding.weight"
    name = name.replace("model.image_embed.", "vision_encoder.", 1)
    return name.replace("model.text_embed.", "text_encoder.", 1)


def official_weights(salt: str = "") -> dict[str, Tensor]:
    """All 645, one tensor behind each name and its copies."""
    made: dict[str, Tensor] = {}
    weights = {}
    for name, shape in official_keys().items():
        own = canonical(name)
        if own not in made:
            made[own] = torch.from_numpy(np.asarray(named_weight(own, shape, salt)))
        weights[name] = made[own]
    return weights
