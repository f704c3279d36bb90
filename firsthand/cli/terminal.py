"""Output that any terminal takes, and errors of the machine in one line."""

import codecs
import errno
import sys
import unicodedata

# What is wrong with the machine or its disks, not with the program.
_MACHINE = {
    errno.EACCES, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENAMETOOLONG, errno.ENOSPC,
    errno.EPERM, errno.EROFS, errno.ESTALE,
}  # fmt: skip


def tolerate_ascii() -> None:
    """Let stdout and stderr write what their encoding lacks (LC_ALL=C, a pipe)."""
    codecs.register_error("firsthand", _spelled)
    for stream in (sys.stdout, sys.stderr):
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors="firsthand")


def _spelled(error: UnicodeError) -> tuple[bytes, int]:
    """`...` for an ellipsis; letters as UTF-8, so that paths stay what they are."""
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    plain = unicodedata.normalize("NFKC", text)
    chosen = plain if plain.isascii() else text
    return chosen.encode("utf-8", "surrogateescape"), error.end


def of_the_machine(error: OSError) -> str | None:
    """What to say of a full disk, a forbidden or too long name and the like; None for others."""
    if error.errno not in _MACHINE:
        return None
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    return ": ".join([*names[:1], error.strerror or str(error)])
