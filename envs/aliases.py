"""Names of before version 0.2.0 in what results and recordings say of how they were made.

Settings that are typed: `firsthand.cli.aliases`.
"""

from typing import Any

NAMES = {"seats": "num_envs", "guard": "require_stable"}


def today(described: Any) -> Any:
    """A JSON value with the names of today in every dictionary."""
    if isinstance(described, dict):
        return {NAMES.get(name, name): today(value) for name, value in described.items()}
    return described
