"""Recordings executed once more, as a proof that they are what they say."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firsthand.common.errors import UserError
from firsthand.envs.aliases import today
from firsthand.envs.config import CalvinWorld, PlayTableWorld, World
from firsthand.episodes.storage.merge import EpisodeFile

_NEEDED = {"world", "scene", "renderer", "require_stable", "action_repeat", "reset"}


@dataclass(frozen=True)
class Replay:
    """What came of it.

    Attributes:
        success: whether every task that the recording shows ended as it did there.
        drift: the largest difference between a recorded and a repeated state (metres, radians).
    """

    success: bool
    drift: float


def replay(file: str | Path, index: int | str, root: Path | None = None) -> Replay:
    """Execute a stored recording again, from its layout.

    Args:
        file: made by `record`.
        index: the recording's position or name in the file.
        root: the checkout of calvin_env, for recordings that were made there.

    Raises:
        UserError: there is no such recording, or it does not say where it started.
    """
    with EpisodeFile(file) as stored:
        episode = stored.read_encoded(index)
    source = today(dict(episode.source))
    if missing := _NEEDED - set(source):
        raise UserError(f"{file}: recording {index} cannot be replayed without its {missing}")
    actions = episode.executed if episode.executed is not None else episode.actions
    if actions is None:
        raise UserError(f"{file}: recording {index} has no actions")
    env = _world(source, root, f"{file}: recording {index}").make({}, source["action_repeat"])
    try:
        observation, _ = env.reset(options=dict(source["reset"]))
        drift, succeeded = 0.0, []
        for subtask in _subtasks(source, len(actions)):
            env.set_task(subtask["task"])
            success = False
            for t in range(subtask["first"], subtask["last"] + 1):
                if episode.state is not None:
                    difference = observation["robot_obs"].astype(np.float32) - episode.state[t]
                    drift = max(drift, float(np.abs(difference).max()))
                observation, _, success, _, _ = env.step(actions[t])
            succeeded.append(success == subtask["success"])
        return Replay(all(succeeded), drift)
    finally:
        env.close()


def _subtasks(source: Any, length: int) -> Sequence[dict[str, Any]]:
    """What is shown from which frame to which; a demonstration shows one task."""
    success = source.get("success", True)  # not of every policy that was corrected
    whole = {"task": source.get("task"), "first": 0, "last": length - 1, "success": success}
    return source.get("subtasks", [whole])


def _world(source: Any, root: Path | None, what: str) -> World:
    scene, renderer = source["scene"], source["renderer"]
    stable = source["require_stable"]
    if source["world"] == "PlayTable":
        return PlayTableWorld(scene, renderer, stable, source.get("looks", "scene"))
    if root is None:
        raise UserError(f"{what} was made in calvin_env: say with root=PATH where that is")
    return CalvinWorld(root, scene, renderer, require_stable=stable)
