"""numba's `njit`, compiled once a machine: the cache lies where this user can write."""

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import config


def njit(signature: str, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function for a signature, ahead of its first call.

    The machine code is kept as numba keeps it: in NUMBA_CACHE_DIR, beside the source, or in the
    user's cache. Where none of these can be written (a read-only image, a user without a home) it
    is kept in a folder of the user's own in the temporary directory, and where that fails as well
    (a full disk) every process compiles anew.
    """

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return numba.njit(signature, cache=True, **options)(function)
        except RuntimeError as error:
            if "no locator available" not in str(error):
                raise
        except OSError:
            return numba.njit(signature, **options)(function)
        try:
            config.CACHE_DIR = str(_own_folder())  # pyright: ignore[reportAttributeAccessIssue]
            return numba.njit(signature, cache=True, **options)(function)
        except OSError:
            return numba.njit(signature, **options)(function)

    return compiled


def _own_folder() -> Path:
    """A folder in the temporary directory which nobody else can write to: what numba finds in its
    cache it runs.

    Raises:
        OSError: there is none, and none can be made.
    """
    folder = Path(tempfile.gettempdir(), f"firsthand-numba-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        return Path(tempfile.mkdtemp(prefix="firsthand-numba-"))
    return folder
