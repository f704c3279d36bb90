"""What a resumed run must agree in, besides how it is optimised: all that decides what is learned.

A flat table of plain JSON values by dotted names, as `training.checkpoint` keeps and compares it.
Data and weights stand in it by their content: they may be moved, not changed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from hashlib import sha256
from typing import Any

from safetensors.torch import save
from torch import Tensor

from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.sampling.mixture import Part
from firsthand.policy.checkpoints.aliases import weight_of_before


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables and dataclasses as one table: {"policy": {"loss": …}} has "policy.loss"."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if is_dataclass(value) and not isinstance(value, type):
            value = asdict(value)
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def hash_of_data(parts: Sequence[Part]) -> str:
    """Changes with any byte of the recordings, their splits, their sentences and their order."""
    return " ".join(_hash_of_corpus(part.corpus)[:16] for part in parts)


def _hash_of_corpus(corpus: Corpus) -> str:
    if corpus.manifest is None:
        return corpus.fingerprint
    index = {name: file.sha256 for name, file in corpus.manifest.index.items()}
    return sha256((corpus.fingerprint + json.dumps(index, sort_keys=True)).encode()).hexdigest()


def hash_of_weights(weights: Mapping[str, Tensor]) -> str:
    """Changes with any name or number among the weights. They are hashed under the names of before
    0.2.0, so that runs begun then can be resumed."""
    named = {weight_of_before(name): value for name, value in weights.items()}
    return sha256(save({name: named[name] for name in sorted(named)})).hexdigest()[:16]
