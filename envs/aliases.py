"""Names of before version 0.2.0: settings of `evaluate` and `record`, and what results and
recordings say of how they were made."""

from typing import Any

KEYS = {"seats": "num_envs", "env.guard": "env.require_stable"}
_NAMES = {old.rpartition(".")[2]: new.rpartition(".")[2] for old, new in KEYS.items()}


def today(described: Any) -> Any:
    """A JSON value with the names of today in every dictionary."""
    if isinstance(described, dict):
        return {_NAMES.get(name, name): today(value) for name, value in described.items()}
    return described
