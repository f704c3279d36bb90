"""Random numbers of policies that sample: the same in a trial whatever was run before it.

numpy, Python and torch each have a global generator; besides, policies hold some of their own.
"""

import random
import sys
import zlib
from types import ModuleType
from typing import Any

import numpy as np

from firsthand.envs.evaluation.policies import optional


class RandomStream:
    """Inside `with`, the global generators draw from a stream of its own, which goes on where the
    last such block ended; outside, nothing of it is noticed. torch counts once it is imported."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._state: dict[str, Any] | None = None
        self._outside: dict[str, Any] = {}

    def __enter__(self) -> "RandomStream":
        self._outside = _states()
        if self._state is None:
            _seed(self._seed)
        else:
            _restore(self._state)
        return self

    def __exit__(self, *_: object) -> None:
        self._state = _states()
        _restore(self._outside)


def reseed(owner: Any, seed: int, depth: int = 2) -> None:
    """Begin anew every generator, numpy's, Python's or torch's, that an object or one of its parts
    holds as an attribute. Each gets a seed of its own, by the attribute's name."""
    torch = sys.modules.get("torch")
    for name, value in list(optional(owner, "__dict__", {}).items()):
        sequence = np.random.SeedSequence([seed, zlib.crc32(name.encode())])
        own = int(sequence.generate_state(1)[0])
        if isinstance(value, np.random.Generator):
            value.bit_generator.state = type(value.bit_generator)(own).state
        elif isinstance(value, (np.random.RandomState, random.Random)):
            value.seed(own)
        elif torch is not None and isinstance(value, torch.Generator):
            value.manual_seed(own)
        elif depth > 1 and not isinstance(value, (type, ModuleType)):
            reseed(value, own, depth - 1)


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  the global generator is meant
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)


def _states() -> dict[str, Any]:
    states: dict[str, Any] = {"python": random.getstate()}
    states["numpy"] = np.random.get_state()  # noqa: NPY002
    if torch := sys.modules.get("torch"):
        states["torch"] = torch.get_rng_state()
        if torch.cuda.is_initialized():
            states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def _restore(states: dict[str, Any]) -> None:
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    if "torch" in states:
        sys.modules["torch"].set_rng_state(states["torch"])
    if "cuda" in states:
        sys.modules["torch"].cuda.set_rng_state_all(states["cuda"])
