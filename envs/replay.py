"""Demonstrations executed once more."""

from pathlib import Path

from episodes.errors import UserError
from episodes.store import EpisodeFile


def replay(file: str | Path, index: int | str) -> bool:
    """Execute a stored demonstration again, from its layout, and say whether it succeeds.

    Args:
        file: made by `record`.
        index: the demonstration's position or name in the file.

    Raises:
        UserError: there is no such demonstration, or it does not say where it started.
    """
    from envs.playtable import PlayTable

    with EpisodeFile(file) as stored:
        episode = stored.read_encoded(index)
    source = episode.source
    if missing := {"task", "scene", "action_repeat", "reset"} - set(source):
        raise UserError(f"{file}: demonstration {index} cannot be replayed without its {missing}")
    actions = episode.executed if episode.executed is not None else episode.actions
    if actions is None:
        raise UserError(f"{file}: demonstration {index} has no actions")
    env = PlayTable(source["scene"], cameras={}, action_repeat=source["action_repeat"])
    try:
        env.reset(options=dict(source["reset"]) | {"task": source["task"]})
        return any(env.step(action)[2] for action in actions)
    finally:
        env.close()
