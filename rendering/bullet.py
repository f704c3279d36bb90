"""PyBullet without its greeting: importing it writes a line with its build time to stderr.

Import it as `from firsthand.rendering.bullet import pybullet`. All else that it writes shows.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

GREETING = b"pybullet build time:"


@contextmanager
def without_greeting() -> Iterator[None]:
    """Hold back what is written to stderr, also by compiled code; then pass on all but greetings.

    Where the process has no stderr, nothing is done.
    """
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held:
                if not line.startswith(GREETING):
                    os.write(2, line)


with without_greeting():
    import pybullet

__all__ = ["pybullet"]
