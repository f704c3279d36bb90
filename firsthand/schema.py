"""Between frozen dataclasses and the plain nested values that Hydra composes.

`plain` writes a dataclass out as nested dictionaries: the schema that Hydra merges choices and
overrides into. `build` goes back and checks every value on the way, so that what a recipe receives
is exactly what its dataclass says. Errors name the dotted key and the value.
"""

import difflib
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from episodes.errors import UserError

T = TypeVar("T")
NEEDED = "???"  # OmegaConf's mark for a value that has no default
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def plain(value: Any) -> Any:
    """Nested dictionaries, lists and scalars that say the same as `value`.

    Given a dataclass type instead of an instance, fields without a default become `???`.
    """
    if is_dataclass(value):
        return {f.name: plain(_field_value(value, f)) for f in fields(value) if f.init}
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _field_value(owner: Any, field: Field) -> Any:
    if not isinstance(owner, type):
        return getattr(owner, field.name)
    if field.default is not MISSING:
        return field.default
    if field.default_factory is not MISSING:
        return field.default_factory()
    kind = get_type_hints(owner)[field.name]
    return kind if isinstance(kind, type) and is_dataclass(kind) else NEEDED


def build(kind: type[T], values: Mapping[str, Any], key: str = "", chosen: Mapping = {}) -> T:  # noqa: B006
    """The dataclass `kind` made of nested plain values.

    Args:
        kind: a dataclass type; its annotations decide what each value must be.
        values: nested dictionaries, lists and scalars.
        key: the dotted key of `values`, for messages.
        chosen: for a dotted key whose annotation allows several dataclasses, the one that is meant.

    Raises:
        UserError: a key is unknown or missing, a value has the wrong type, or the dataclass itself
            refuses the combination.
    """
    hints = get_type_hints(kind)
    names = [f.name for f in fields(kind) if f.init]  # pyright: ignore[reportArgumentType]
    for name in values:
        if name not in names:
            raise UserError(unknown_key(_join(key, str(name)), [_join(key, n) for n in names]))
    made = {
        name: _convert(hints[name], value, _join(key, name), chosen)
        for name, value in values.items()
    }
    for f in fields(kind):  # pyright: ignore[reportArgumentType]
        if f.init and f.name not in made and f.default is MISSING and f.default_factory is MISSING:
            raise UserError(_needed(_join(key, f.name)))
    try:
        return kind(**made)
    except ValueError as error:
        raise UserError(f"{key}: {error}" if key else str(error)) from error


def free_keys(kind: type, key: str = "") -> list[str]:
    """The dotted keys below which any name may stand: fields annotated as mappings."""
    found = []
    for name, hint in get_type_hints(kind).items():
        for part in (hint, *get_args(hint)):
            origin = get_origin(part)
            if isinstance(origin, type) and issubclass(origin, Mapping):
                found.append(_join(key, name))
            elif isinstance(part, type) and is_dataclass(part):
                found += free_keys(part, _join(key, name))
    return found


def _convert(kind: Any, value: Any, key: str, chosen: Mapping[str, type]) -> Any:
    """`value` as an instance of the annotation `kind`."""
    if value == NEEDED:
        raise UserError(_needed(key))
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _convert_union(arguments, value, key, chosen)
    if origin is Literal:
        if value not in arguments:
            raise UserError(f"{key}={value}: {one_of(str(value), [str(a) for a in arguments])}")
        return value
    if origin is tuple:
        return _convert_tuple(arguments, value, key, chosen)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise UserError(f"{key}={value}: write {{name: value, …}}")
        return {
            name: _convert(arguments[1], item, _join(key, str(name)), chosen)
            for name, item in value.items()
        }
    if is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise UserError(f"{key}={value}: {key} has keys of its own, set {key}.<key>=<value>")
        return build(kind, value, key, chosen)  # pyright: ignore[reportArgumentType]
    return _convert_scalar(kind, value, key)


def _convert_union(kinds: tuple, value: Any, key: str, chosen: Mapping[str, type]) -> Any:
    if value is None and types.NoneType in kinds:
        return None
    kinds = tuple(k for k in kinds if k is not types.NoneType)
    if key in chosen and chosen[key] in kinds:
        return _convert(chosen[key], value, key, chosen)
    errors = []
    for kind in kinds:
        try:
            return _convert(kind, value, key, chosen)
        except UserError as error:
            errors.append(error)
    raise errors[0] if len(kinds) == 1 else UserError(f"{key}={value}: " + _expected(kinds))


def _convert_tuple(kinds: tuple, value: Any, key: str, chosen: Mapping[str, type]) -> tuple:
    if not isinstance(value, list | tuple):
        raise UserError(f"{key}={value}: write a list, {key}=[a,b]")
    if len(kinds) == 2 and kinds[1] is ...:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise UserError(f"{key} needs {len(kinds)} values and has {len(value)}: {list(value)}")
    return tuple(
        _convert(kind, item, f"{key}[{index}]", chosen)
        for index, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


def _convert_scalar(kind: Any, value: Any, key: str) -> Any:
    if kind is Any:
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is str and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if kind is Path and isinstance(value, str):
        return Path(value)
    if type(value) is kind:
        return value
    raise UserError(f"{key}={'null' if value is None else value}: " + _expected((kind,)))


def _expected(kinds: tuple) -> str:
    return "must be " + " or ".join(_WORDS.get(k, getattr(k, "__name__", str(k))) for k in kinds)


def _needed(key: str) -> str:
    return f"{key} has no value: write {key}=<value>"


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def closest(word: str, options: Iterable[str]) -> str | None:
    """The option most like `word`, if any is like it."""
    matches = difflib.get_close_matches(word, list(options), n=1, cutoff=0.6)
    return matches[0] if matches else None


def one_of(word: str, options: Iterable[str]) -> str:
    """Half a sentence that says what could have been written instead of `word`."""
    options = list(options)
    match = closest(word, options)
    listing = ", ".join(options)
    return f"did you mean {match!r}? (one of: {listing})" if match else f"must be one of: {listing}"


def unknown_key(key: str, known: Iterable[str]) -> str:
    """The message for a key that does not exist: the nearest by spelling, or by its last part."""
    known = list(known)
    last = key.rpartition(".")[2]
    ending = [k for k in known if k.rpartition(".")[2] == last]
    match = closest(key, known) or (ending[0] if len(ending) == 1 else None)
    if match is None:
        near = closest(last, [k.rpartition(".")[2] for k in known])
        match = next((k for k in known if near and k.rpartition(".")[2] == near), None)
    return f"unknown key {key!r}" + (f"; did you mean {match!r}?" if match else "")
