"""The published weights of CVCL (Vong et al. 2024) as a word-grounding model.

A Lightning file of wkvong/multimodal-baby holds most weights two or three times: the vision and the
text encoder stand alone, within `model` and within `language_model`. Every weight is used or known
to be a copy or of no use; a file with anything else is refused.
"""

import math
import re
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mode
from typing import Any, Literal

import torch
from torch import Tensor

from firsthand.grounding.config import GroundingConfig, UtteranceConfig, VisionConfig
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.text_encoder import sinusoids
from firsthand.grounding.vocabulary import Vocabulary
from firsthand.policy.checkpoints.state_dict import (
    KeyMap,
    Shapes,
    Transform,
    listed,
    needed,
    shapes_of,
    translate,
)
from firsthand.policy.checkpoints.torch_files import InertRecord, open_file, read_state_dict

IN_THE_MIDDLE = Transform(lambda ours: (ours[0], 1, *ours[1:]), lambda theirs: theirs[0][:, 0])

LEARNED_SCALE = "model.logit_neg_log_temperature"  # minus the temperature's logarithm
UNUSED_LAYER = "text_encoder.encoder_layer."  # the transformer was copied from it
UNUSED_BIAS = "language_model.output_layer.bias"  # predicts words, as the tied embedding would
# Where an encoder's weights stand once more.
COPIES = {
    "model.image_embed.": "vision_encoder.",
    "model.text_embed.": "text_encoder.",
    "language_model.text_encoder.": "text_encoder.",
    "language_model.output_layer.weight": "text_encoder.embedding.weight",
}

# Their name, our name. `*` is the rest of a name.
NAMES = (
    KeyMap("vision_encoder.model.*", "vision.trunk.*"),
    KeyMap("text_encoder.embedding.weight", "utterance.embedding.weight"),
    KeyMap("text_encoder.lstm.*", "utterance.lstm.*"),
    KeyMap("text_encoder.pos_embed", "utterance.position", IN_THE_MIDDLE),
    KeyMap("text_encoder.transformer_encoder.layers.0.*", "utterance.layer.*"),
    KeyMap(LEARNED_SCALE, "log_scale"),
)
LAST_LAYER = r"vision_encoder\.model\.(fc|head)\.(weight|bias)"
USUAL_TEMPERATURE = 0.07

VISION_TRANSFORMERS = {
    192: "vit_tiny_patch16_224",
    384: "vit_small_patch16_224",
    768: "vit_base_patch16_224",
    1024: "vit_large_patch16_224",
}


def load_cvcl(
    source: str | Path | Mapping[str, Any],
    *,
    vocabulary: str | Path | None = None,
    padding: Literal["masked", "upstream"] = "masked",
) -> GroundingModel:
    """A word-grounding model with the weights of a CVCL checkpoint, in evaluation mode.

    Args:
        source: a file, or what such a file holds: a state dict, alone or under `state_dict`, with
            or without the prefix `module.`; of the embedding, LSTM or transformer model, with a
            ResNeXt or a vision transformer.
        vocabulary: CVCL's `vocab.json`, which its checkpoints lack.
        padding: how a transformer's padding counts, see `UtteranceConfig`.

    Raises:
        ValueError: the file cannot be read, or weights are missing, unexpected, of another shape,
            not finite or unlike their copies; each by its name in the file.
    """
    config, weights = read_cvcl(source, padding=padding)
    words = None if vocabulary is None else Vocabulary.read(Path(vocabulary))
    model = GroundingModel(config, words)
    model.load_state_dict(weights)
    return model.eval()


def read_cvcl(
    source: str | Path | Mapping[str, Any], *, padding: Literal["masked", "upstream"] = "masked"
) -> tuple[GroundingConfig, dict[str, Tensor]]:
    """What `load_cvcl` makes its model of: the configuration, and all weights by our names."""
    where = str(source) if isinstance(source, str | Path) else "the state dict"
    content = open_file(Path(source)) if isinstance(source, str | Path) else source
    weights = _of_both_encoders(read_state_dict(content, where))
    if not any(name.startswith("vision_encoder.") for name in weights):
        raise ValueError(f"{where} holds no CVCL; it begins with {', '.join(sorted(weights)[:3])}")
    config = _config(weights, _temperature(content), padding)
    with torch.device("meta"):
        wanted = shapes_of(GroundingModel(config).state_dict())  # names and shapes alone
    projection = "fc" if config.vision.patch is None else "head"
    rows = (KeyMap(f"vision_encoder.model.{projection}.*", "project.*"), *NAMES)
    try:
        found = translate(weights, rows, wanted, _unused(weights, needed(rows, wanted)))
        _check_copies(weights)
    except ValueError as error:
        raise ValueError(f"{where} is no checkpoint of CVCL: {error}") from error
    return config, found


def _of_both_encoders(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The names of a whole file for those of its `model` alone."""
    alone = {"image_embed.": "vision_encoder.", "text_embed.": "text_encoder."}
    if not any(name.startswith(tuple(alone)) for name in weights):
        return dict(weights)
    for theirs, whole in alone.items():
        weights = {
            whole + name.removeprefix(theirs) if name.startswith(theirs) else name: value
            for name, value in weights.items()
        }
    scale = LEARNED_SCALE.removeprefix("model.")
    return {LEARNED_SCALE if name == scale else name: value for name, value in weights.items()}


def _config(
    weights: Mapping[str, Tensor], temperature: float, padding: Literal["masked", "upstream"]
) -> GroundingConfig:
    """What the shapes say. Where two disagree the third counts, so that the odd one is named."""
    shapes = shapes_of(weights)

    embeddings = [name for name in weights if name.endswith(".embedding.weight")]
    projections = [name for name in weights if re.fullmatch(LAST_LAYER, name)]
    width = _most([(name, 0) for name in projections] + [(n, 1) for n in embeddings], shapes, 512)
    words = _most([(name, 0) for name in [*embeddings, UNUSED_BIAS]], shapes, 2350)
    learned = weights.get(LEARNED_SCALE)
    if learned is not None and learned.numel() == 1 and learned.isfinite():
        temperature = math.exp(-float(learned))
    return GroundingConfig(
        vision=_vision(shapes),
        utterance=_utterance(weights, words, width, padding),
        width=width,
        temperature=temperature,
        learn_temperature=learned is not None,
    )


def _vision(shapes: Shapes) -> VisionConfig:
    inside = "vision_encoder.model."
    if not any(name.startswith(f"{inside}blocks.") for name in shapes):
        return VisionConfig()
    width = _most(
        [(f"{inside}{n}", -1) for n in ("cls_token", "pos_embed", "norm.bias")], shapes, 768
    )
    if width not in VISION_TRANSFORMERS:
        raise ValueError(f"CVCL has no vision transformer of width {width}")
    patch = _most([(f"{inside}patch_embed.proj.weight", -1)], shapes, 14)
    cells = _most([(f"{inside}pos_embed", 1)], shapes, 257) - 1
    model = VISION_TRANSFORMERS[width]
    return VisionConfig(model=model, patch=patch, size=math.isqrt(cells) * patch)


def _utterance(
    weights: Mapping[str, Tensor], words: int, width: int, padding: Literal["masked", "upstream"]
) -> UtteranceConfig:
    inside = "text_encoder."
    if any(name.startswith(f"{inside}lstm.") for name in weights):
        both = any(name.endswith("_reverse") for name in weights)
        return UtteranceConfig("bilstm" if both else "lstm", words)
    if not any(name.startswith(f"{inside}transformer_encoder.") for name in weights):
        return UtteranceConfig(words=words)
    shapes = shapes_of(weights)
    layer = f"{inside}transformer_encoder.layers.0"
    hidden = _most([(f"{layer}.linear1.bias", 0), (f"{layer}.linear2.weight", 1)], shapes, 2048)
    position, length = "none", 25
    table = weights.get(f"{inside}pos_embed")
    if table is not None and table.ndim == 3:
        length = len(table)
        fixed = table.shape[2] == width and torch.allclose(table[:, 0], sinusoids(length, width))
        position = "sinusoidal" if fixed else "learned"
    return UtteranceConfig(
        "transformer", words, length, position=position, hidden=hidden, padding=padding
    )


def _most(sizes: Sequence[tuple[str, int]], shapes: Shapes, usual: int) -> int:
    """The commonest of these dimensions; the usual one if there are none."""
    found = [
        shapes[n][d] for n, d in sizes if n in shapes and -len(shapes[n]) <= d < len(shapes[n])
    ]
    return mode(found) if found else usual


def _temperature(content: Mapping[str, Any]) -> float:
    """The temperature among the run's arguments, if the file has them; a fixed one is no weight."""
    settings = content.get("hyper_parameters")
    arguments = settings.get("args") if isinstance(settings, Mapping) else None
    if isinstance(arguments, InertRecord):
        arguments = arguments.state
    elif isinstance(arguments, Namespace):
        arguments = vars(arguments)
    found = arguments.get("temperature") if isinstance(arguments, Mapping) else None
    return float(found) if isinstance(found, int | float) and found > 0 else USUAL_TEMPERATURE


def _unused(weights: Mapping[str, Tensor], used: Shapes) -> Shapes:
    """The copies that a file has of the weights that are `used`: each group as a whole or none."""
    unused: dict[str, tuple[int, ...]] = {}
    if any(name.startswith(UNUSED_LAYER) for name in weights):
        unused |= _moved(used, "text_encoder.transformer_encoder.layers.0.", UNUSED_LAYER)
    twice = {**used, **unused}
    for group in ("model.", "language_model."):
        if any(name.startswith(group) and name != LEARNED_SCALE for name in weights):
            for copy, own in COPIES.items():
                if copy.startswith(group):
                    unused |= _moved(twice, own, copy)
    if any(name.startswith("language_model.") for name in weights):
        unused[UNUSED_BIAS] = used["text_encoder.embedding.weight"][:1]
    return unused


def _moved(shapes: Shapes, old: str, new: str) -> dict[str, tuple[int, ...]]:
    return {
        new + name.removeprefix(old): shape
        for name, shape in shapes.items()
        if name.startswith(old)
    }


def _check_copies(weights: Mapping[str, Tensor]) -> None:
    unlike = []
    for name, value in weights.items():
        for copy, own in COPIES.items():
            if name.startswith(copy) and not torch.equal(
                value, weights[own + name.removeprefix(copy)]
            ):
                unlike.append(name)
    if unlike:
        raise ValueError(f"{len(unlike)} unlike the weights they are copies of: {listed(unlike)}")
