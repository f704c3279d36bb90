"""A word-grounding model on disk: `model.safetensors`, `config.json` and `vocabulary.json`.

The vocabulary is left out by models that were saved without one, official checkpoints say.
"""

from pathlib import Path

from torch import Tensor

from firsthand.grounding.config import GroundingConfig
from firsthand.grounding.vocabulary import Vocabulary
from firsthand.policy.checkpoints.model_path import locate
from firsthand.policy.checkpoints.storage import read_config, read_weights

FORMAT_VERSION = 1
WORDS = "vocabulary.json"
FILES = ("config.json", "model.safetensors", WORDS)


def load_grounding(
    source: str | Path,
) -> tuple[GroundingConfig, Vocabulary | None, dict[str, Tensor]]:
    """What the files of a local directory or a hub repository say.

    Raises:
        ValueError: a file is missing, cannot be read or holds something else, by name.
    """
    directory = locate(source, FILES, "word-grounding model")
    for name in FILES[:2]:
        if not (directory / name).is_file():
            raise ValueError(f"{directory} holds no {name}")
    words = directory / WORDS
    return (
        read_config(directory / "config.json", GroundingConfig, FORMAT_VERSION),
        Vocabulary.read(words) if words.is_file() else None,
        read_weights(directory / "model.safetensors"),
    )
