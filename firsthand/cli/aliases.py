"""Settings by the names they have today: those of runs that were started before version 0.2.0."""

from collections.abc import Mapping
from typing import Any

from firsthand.policy.checkpoints import aliases as policy_aliases

WORLD_KEYS = {"seats": "num_envs", "env.guard": "env.require_stable"}
KEYS = WORLD_KEYS | {f"policy.{old}": f"policy.{new}" for old, new in policy_aliases.KEYS.items()}

REPLACED = {  # choices that there are no more, and what to say of them
    "corpus=nursery": "there is no nursery any more: write corpus=hands, which replaced it, or"
    " corpus=episodes corpus.files=FILE to go on learning from one that was made",
}


def today_flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted names."""
    by_policy = policy_aliases.today_flat(settings)
    return {WORLD_KEYS.get(name, name): value for name, value in by_policy.items()}


def today_word(word: str) -> str:
    """A word of the command line, such as `policy.length=3` or `seats=4`."""
    name, sign, value = policy_aliases.today_word(word).partition("=")
    return f"{WORLD_KEYS.get(name, name)}{sign}{value}"
