"""Teach a robot arm to follow instructions by first watching first-person video.

The names below are loaded when they are first used, so that `import firsthand` costs nothing:

    Policy                  the model: from_pretrained, reset, select_action
    Episode, Narration      a recording
    PlayTable               the simulated world (gymnasium id firsthand/PlayTable-v0)
    TASKS                   the tasks of the world
    UserError               what every function raises when the input is at fault
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envs.playtable import PlayTable
    from envs.tasks import TASKS
    from episodes.episode import Episode, Narration
    from episodes.errors import UserError
    from policy.policy import Policy

__version__ = "0.1.0"
__all__ = ["TASKS", "Episode", "Narration", "PlayTable", "Policy", "UserError", "__version__"]

_HOME = {
    "Episode": "episodes.episode",
    "Narration": "episodes.episode",
    "PlayTable": "envs.playtable",
    "Policy": "policy.policy",
    "TASKS": "envs.tasks",
    "UserError": "episodes.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'firsthand' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
