"""Locks on files, where the file system has any.

Lustre mounted without `flock`, some NFS, DVS and FUSE answer that they know no locks. Only one
answer means that somebody else holds one; whatever else goes wrong must not keep anybody out.
"""

import fcntl
import sys
from functools import cache
from typing import IO


def lock(file: IO | int, *, wait: bool = False) -> bool | None:
    """Lock an open file until it is closed, however its process ends.

    Args:
        file: the open file, or its descriptor.
        wait: until whoever holds it lets go of it.

    Returns:
        True; False when another process holds it; None when the file system has no locks, which is
        said once a process.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        _say_once(str(error.strerror))
        return None
    return True


@cache
def _say_once(reason: str) -> None:
    print(
        f"this file system has no locks ({reason}): see to it that no two processes write to the "
        "same place",
        file=sys.stderr,
    )
