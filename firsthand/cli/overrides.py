"""Words of the command line: text is taken as it is written, the rest is Hydra's grammar.

Hydra reads `1.10` as a number and refuses `a=b` or `é`. So where a setting is a text, its word is
put into quotes of Hydra's before Hydra sees it. What stands in such quotes already is taken
literally; `~/x` is in the home directory; `${…}` stays an interpolation.
"""

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

from firsthand.cli.schema import alternatives
from firsthand.common.errors import UserError

_PLAIN = re.compile(r"(?:[A-Za-z_/]|\.\.?/)[A-Za-z0-9_/.-]*")  # Hydra reads it as it stands
_NO_TEXT = {"null", "true", "false", "nan", "inf"}  # but for these
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_SWEPT = re.compile(r"(choice|shuffle)\((.*)\)", re.DOTALL)
_TEXTS = (str, Path)


def quoted(text: str) -> str:
    """A text as a value in Hydra's grammar, whatever characters it holds."""
    text = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    escaped = re.sub(r"(\\*)(\"|\Z)", lambda m: 2 * m[1] + (r"\"" if m[2] else ""), text)
    return f'"{escaped}"'


def written(key: str, text: str) -> str:
    """The word that gives a key this text."""
    return f"{key}={_plain_or_quoted(text)}"


def in_grammar(word: str, hints: Sequence[Any], sweep: bool) -> str:
    """A word `key=value` as Hydra has to see it.

    Args:
        word: as it came from the shell.
        hints: the annotations that may belong to the key.
        sweep: whether commas separate values to be tried one after the other.

    Raises:
        UserError: several values stand where a list is meant.
    """
    key, _, value = word.partition("=")
    kinds = [kind for hint in hints for kind in alternatives(hint)]
    lists = [kind for kind in kinds if get_origin(kind) is tuple]
    bracketed = _QUOTED.fullmatch(value) or value.strip().startswith("[")
    if lists and not sweep and not bracketed and len(split(value)) > 1:
        raise UserError(f"{key} takes a list: write {shlex.quote(f'{key}=[{value}]')}")
    if not kinds or not all(map(_is_text, kinds)) or "${" in value:
        return word
    if not sweep:
        return f"{key}={_value(value, kinds)}"
    if function := _SWEPT.fullmatch(value):
        values = ",".join(_value(part.strip(), kinds) for part in split(function[2]))
        return f"{key}={function[1]}({values})"
    if re.match(r"[a-z_]+\(", value):
        return word
    return f"{key}={','.join(_value(part, kinds) for part in split(value))}"


def split(text: str) -> list[str]:
    """What commas separate, but not within quotes or brackets."""
    parts, depth, quote, start = [], 0, "", 0
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote and text[place - 1] != "\\" else quote
        elif letter in "'\"" and not text[start:place].strip(" [{("):
            quote = letter
        elif letter in "[{(":
            depth += 1
        elif letter in "]})":
            depth -= 1
        elif letter == "," and depth <= 0:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def _is_text(kind: Any) -> bool:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple or (isinstance(origin, type) and issubclass(origin, Mapping)):
        arguments = arguments[:1] if origin is tuple else arguments[1:]
        return all(inner in _TEXTS for hint in arguments for inner in alternatives(hint))
    return kind in (*_TEXTS, NoneType)


def _value(value: str, kinds: Sequence[Any]) -> str:
    """One value, not several to be swept, for a key of these kinds of text."""
    bare, origins = value.strip(), [get_origin(kind) for kind in kinds]
    if tuple in origins and bare.startswith("[") and bare.endswith("]"):
        inner = bare[1:-1]
        parts = split(inner) if inner.strip() else []
        return f"[{','.join(_text(part.strip()) for part in parts)}]"
    if any(kind is not tuple for kind in origins if kind) and bare.startswith("{"):
        parts = split(bare[1:-1]) if bare[1:-1].strip() else []
        pairs = [part.partition(":") for part in parts]
        return f"{{{', '.join(f'{name.strip()}: {_text(v.strip())}' for name, _, v in pairs)}}}"
    if value == "null" and NoneType in kinds or not any(kind in _TEXTS for kind in kinds):
        return value
    return _text(value)


def _text(value: str) -> str:
    if _QUOTED.fullmatch(value):
        return value
    return _plain_or_quoted(os.path.expanduser(value))


def _plain_or_quoted(text: str) -> str:
    plain = _PLAIN.fullmatch(text) and text.lower() not in _NO_TEXT
    return text if plain else quoted(text)
