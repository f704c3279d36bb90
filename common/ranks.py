"""How many processes share a job, and which of them this one is: torchrun's words, or a cluster's.

torch is not imported, so that a command can look before it begins.
"""

import os

from firsthand.common.errors import UserError


def world_size() -> int:
    return _whole("WORLD_SIZE", 1)


def rank() -> int:
    return _whole("RANK", 0)


def local_rank() -> int:
    return _whole("LOCAL_RANK", 0)


def processes_here() -> int:
    """Those of the job that run on this machine, as torchrun counts them; else all of it."""
    return _whole("LOCAL_WORLD_SIZE", world_size())


def check_alone(command: str, instead: str) -> None:
    """Refuse to be one of several processes that would all do the same.

    Raises:
        UserError: there are several; `instead` says what to write.
    """
    if world_size() > 1:
        raise UserError(
            f"firsthand {command} is one process, and WORLD_SIZE={world_size()}, RANK={rank()} in "
            f"the environment make it one of several (torchrun or a scheduler set them): start it "
            f"without, as in env -u WORLD_SIZE firsthand {command} …{instead}"
        )


def _whole(name: str, default: int) -> int:
    """A number of the environment; one that is empty is not there.

    Raises:
        UserError: it is no whole number.
    """
    text = os.environ.get(name, "").strip()
    if text and not text.isdecimal():
        raise UserError(f"{name}={text} in the environment is no number of processes: unset it")
    return int(text) if text else default
