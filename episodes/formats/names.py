"""Names of cameras and signals that a store can hold."""

import re
from collections.abc import Sequence
from pathlib import Path

from firsthand.common.errors import UserError


def plain_name(name: str) -> str:
    """A foreign name with everything but letters, digits, '_', '-' and '.' made an underscore."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def signal_name(name: str) -> str:
    """A plain name that is not the one of the robot's state, as it would be taken for ours."""
    plain = plain_name(name)
    return "recorded_state" if plain == "state" else plain


def named_cameras(root: Path, wanted: Sequence[str], there: Sequence[str]) -> dict[str, str]:
    """Our names of cameras -> the dataset's.

    Args:
        root: the dataset, for errors.
        wanted: names of the dataset's, or "ours=theirs"; () asks for all.
        there: the dataset's cameras. Without a name of ours, one keeps what is behind its last dot.

    Raises:
        UserError: a camera is not there, or two would get one name.
    """
    chosen: dict[str, str] = {}
    for entry in wanted or there:
        ours, equals, theirs = entry.partition("=")
        if not equals:
            ours, theirs = plain_name(entry.rpartition(".")[2]), entry
        if theirs not in there:
            known = ", ".join(there) or "none"
            raise UserError(f"{root}: has no camera {theirs!r}, only {known}")
        if ours in chosen:
            raise UserError(
                f"{root}: {chosen[ours]} and {theirs} would both be called {ours!r}; "
                f"name them: cameras=[{ours}={chosen[ours]},other={theirs}]"
            )
        chosen[ours] = theirs
    return chosen


def some(names: Sequence[str]) -> str:
    """A few names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
