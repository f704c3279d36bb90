"""The exceptions that mean "the input is at fault, not the program"."""

import errno
import os
import re

_ADDRESS = re.compile(r" ?<[\w.]+ object at 0x[0-9a-f]+>")


class UserError(ValueError):
    """Bad input, said in one line: which file or key, what was found, what to do about it.

    The command line prints the message alone and exits with status 1. Where an object lies in
    memory, as libraries like to tell, is left out: reports of the same data are the same bytes.
    """

    def __init__(self, message: str) -> None:
        super().__init__(_ADDRESS.sub("", message))


class OutputError(UserError):
    """Something cannot be written: whatever was read is not to blame."""


_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def unwritable(error: BaseException, path: object = "") -> OutputError | None:
    """What a full or read-only disk says, in one line; None for any other error.

    Args:
        path: what was written to, if the error does not know.
    """
    if not isinstance(error, OSError) or error.errno not in _UNWRITABLE:
        return None
    return OutputError(f"{error.filename or path}: cannot be written: {os.strerror(error.errno)}")
