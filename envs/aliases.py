"""Names of before version 0.2.0: settings of `evaluate` and `record`, and what recordings say
of the world they were made in."""

from collections.abc import Mapping
from typing import Any

KEYS = {"seats": "num_envs", "env.guard": "env.require_stable"}
_DESCRIPTION = {"guard": "require_stable"}


def today(description: Mapping[str, Any]) -> dict[str, Any]:
    """A world's description (`envs.config`) by today's names."""
    return {_DESCRIPTION.get(name, name): value for name, value in description.items()}
