"""From what users call a checkpoint (a run, one of its steps, a policy, a hub id) to a policy."""

import re
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING

from firsthand.common.errors import UserError
from firsthand.policy.checkpoints import model_path

if TYPE_CHECKING:
    from firsthand.policy.policy import Policy


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
        if model_path.is_hub_id(source):
            return source
        near = model_path.near(path)
        raise UserError(f"no checkpoint at {source}: there is no such directory{near}")
    if (found := model_path.within(path)) is None:
        raise UserError(
            f"no checkpoint in {source}: name a run, one of its checkpoints, or a saved policy"
        )
    return str(found)


def pin(source: str) -> str:
    """The directory itself where `source` is a link to it, as `checkpoints/best` is."""
    return str(Path(source).resolve()) if Path(source).exists() else source


def identity(source: str) -> tuple[str, int | None]:
    """What tells a policy from all others, and the training step at which it was saved, if any.

    Returns:
        the first 16 digits of the SHA-256 of its weights' file, a dash, and 8 of that of its
        configuration and statistics together, as they too decide what it does.
    """
    from firsthand.policy.checkpoints.storage import FILES

    directory = model_path.locate(source, FILES, "policy")
    *described, weights = FILES
    with (directory / weights).open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    others = sha256(b"".join((directory / name).read_bytes() for name in described))
    step = re.search(r"/checkpoints/(\d{6,})/policy$", directory.resolve().as_posix())
    return f"{digest[:16]}-{others.hexdigest()[:8]}", int(step[1]) if step else None


def load_policy(source: str) -> "Policy":
    """The policy of a checkpoint.

    Raises:
        UserError: a file is missing or damaged, by name.
    """
    from firsthand.policy.policy import Policy

    try:
        return Policy.from_pretrained(locate(source))
    except (ValueError, OSError) as error:
        raise UserError(str(error)) from error
