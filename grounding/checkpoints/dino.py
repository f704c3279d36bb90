"""Published self-supervised image encoders, as the initial weights of a word-grounding model.

DINO's training (Caron et al. 2021) keeps a student and a teacher, each with a projection on top;
the teacher without its projection is what is used, as in eminorhan/silicon-menagerie, where CVCL's
encoders come from.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from firsthand.grounding.config import VisionConfig
from firsthand.grounding.image_encoder import (
    PolicyVision,
    TimmVision,
    load_policy_encoder,
    timm_trunk,
)
from firsthand.grounding.model import GroundingModel
from firsthand.policy.checkpoints.state_dict import KeyMap, shapes_of, translate
from firsthand.policy.checkpoints.torch_files import open_file, read_state_dict

TEACHER = "teacher"
PREFIXES = ("module.", "backbone.", "encoder.")  # of DataParallel, of several crops, of MAE
# What such files hold besides: projections, classifiers, what MAE rebuilds pictures with.
BESIDE = ("head.", "fc.", "fc_norm.", "projector.", "decoder", "mask_token")


def load_dino(source: str | Path | Mapping[str, Any], config: VisionConfig | None = None) -> Any:
    """A network of timm's, CVCL's ResNeXt-50 if nothing else is said, with published weights.

    Args:
        source: a file, or what such a file holds: the weights of the network under `teacher`,
            `state_dict` or `model`, or alone, by the names that torchvision or DINO give them.
        config: the network.

    Raises:
        ValueError: the file cannot be read, or weights are missing, unexpected, of another shape
            or not finite; each by its name in the file, less its prefixes.
    """
    trunk = timm_trunk(config or VisionConfig())
    trunk.load_state_dict(trunk_weights(trunk, source))
    return trunk.eval()


def load_vision(model: GroundingModel) -> None:
    """Load the image encoder at `vision.weights` into a new model, if that is set.

    Raises:
        ValueError: as for `load_dino`, for a policy's encoder as for `load_policy_encoder`, or
            the encoder is of `blocks`.
    """
    source = model.config.vision.weights
    if not source:
        return
    if isinstance(model.vision, PolicyVision):
        load_policy_encoder(model.vision)
    elif isinstance(model.vision, TimmVision):
        model.vision.trunk.load_state_dict(trunk_weights(model.vision.trunk, source))
    else:
        raise ValueError("vision.weights is for networks of timm's and for policies")


def trunk_weights(trunk: nn.Module, source: str | Path | Mapping[str, Any]) -> dict[str, Tensor]:
    """The network's weights in a file; see `load_dino`."""
    where = str(source) if isinstance(source, str | Path) else "the state dict"
    content = open_file(Path(source)) if isinstance(source, str | Path) else source
    if isinstance(content.get(TEACHER), Mapping):
        content = content[TEACHER]
    weights = {_bare(name): value for name, value in read_state_dict(content, where).items()}
    inside = {name: value for name, value in weights.items() if not name.startswith(BESIDE)}
    try:
        return translate(inside, (KeyMap("*", "*"),), shapes_of(trunk.state_dict()), {})
    except ValueError as error:
        raise ValueError(f"{where} is no {type(trunk).__name__} of that kind: {error}") from error


def _bare(name: str) -> str:
    for prefix in PREFIXES * len(PREFIXES):
        name = name.removeprefix(prefix)
    return name
