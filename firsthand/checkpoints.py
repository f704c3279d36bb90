"""From what users call a checkpoint (a run, one of its steps, a policy, a hub id) to a policy."""

from pathlib import Path
from typing import TYPE_CHECKING

from episodes.errors import UserError
from policy import places

if TYPE_CHECKING:
    from policy.policy import Policy


def locate(source: str) -> str:
    """The directory with the policy's files, or the hub id it is.

    Args:
        source: a run directory (its best checkpoint is meant, else its last), a directory in
            `checkpoints/`, a directory written by `save_pretrained`, or a hub id `owner/name`.

    Raises:
        UserError: there is none of them.
    """
    path = Path(source)
    if not path.exists():
        if places.is_hub_id(source):
            return source
        raise UserError(f"no checkpoint at {source}: there is no such directory{places.near(path)}")
    if (found := places.within(path)) is None:
        raise UserError(
            f"no checkpoint in {source}: name a run, one of its checkpoints, or a saved policy"
        )
    return str(found)


def load_policy(source: str) -> "Policy":
    """The policy of a checkpoint.

    Raises:
        UserError: a file is missing or damaged, by name.
    """
    from policy.policy import Policy

    try:
        return Policy.from_pretrained(locate(source))
    except (ValueError, OSError) as error:
        raise UserError(str(error)) from error
