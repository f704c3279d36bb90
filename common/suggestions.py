"""What somebody meant who wrote a name that does not exist."""

import difflib
from collections.abc import Iterable

_MANY = 10  # options, of which a message with a guess names no more


def closest(word: str, options: Iterable[str], alike: float = 0.6) -> str | None:
    """The option most like `word`, if any is so much like it (0 to 1)."""
    matches = difflib.get_close_matches(word, list(options), n=1, cutoff=alike)
    return matches[0] if matches else None


def one_of(word: str, options: Iterable[str]) -> str:
    """Half a sentence that says what could have been written instead of `word`."""
    options = list(options)
    match = closest(word, options)
    listing = ", ".join(options)
    if match is None:
        return f"must be one of: {listing}"
    return f"did you mean {match!r}?" + (f" (one of: {listing})" if len(options) <= _MANY else "")
