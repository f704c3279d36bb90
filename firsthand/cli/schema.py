"""Between frozen dataclasses and the plain nested values that Hydra composes.

`plain` writes a dataclass out as nested dictionaries: the schema that Hydra merges choices and
overrides into. `build` goes back and checks every value on the way, so that what a recipe receives
is exactly what its dataclass says. Errors name the dotted key and the value.
"""

import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from firsthand.cli.unknown_key import unknown_key
from firsthand.common.errors import UserError
from firsthand.common.suggestions import one_of

T = TypeVar("T")
NEEDED = "???"  # OmegaConf's mark for a value that has no default
_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Path: "a path",
}


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
        name: convert(hints[name], value, _join(key, name), chosen)
        for name, value in values.items()
    }
    for f in fields(kind):  # pyright: ignore[reportArgumentType]
        if f.init and f.name not in made and f.default is MISSING and f.default_factory is MISSING:
            raise UserError(_needed(_join(key, f.name)))
    try:
        return kind(**made)
    except ValueError as error:
        raise UserError(f"{key}: {error}" if key else str(error)) from error


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The kinds that an annotation allows: those of a union, else itself."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def annotations(kind: type, key: str) -> list[Any]:
    """The annotations that may stand at a dotted key: several if dataclasses can be chosen on the
    way, none if there is no such key."""
    found: list[Any] = [kind]
    for name in key.split("."):
        inner = []
        for part in (part for hint in found for part in alternatives(hint)):
            origin = get_origin(part)
            if is_dataclass(part) and name in (names := get_type_hints(part)):
                inner.append(names[name])
            elif isinstance(origin, type) and issubclass(origin, Mapping):
                inner.append(get_args(part)[1])
        found = inner
    return found


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


def convert(kind: Any, value: Any, key: str, chosen: Mapping[str, type]) -> Any:
    """`value` as an instance of the annotation `kind`.

    Raises:
        UserError: it cannot be one; names the dotted `key`.
    """
    if value == NEEDED:
        raise UserError(_needed(key))
    origin, arguments = get_origin(kind), get_args(kind)
    if len(alternatives(kind)) > 1:
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
            name: convert(arguments[1], item, _join(key, str(name)), chosen)
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
        return convert(chosen[key], value, key, chosen)
    errors = []
    for kind in kinds:
        try:
            return convert(kind, value, key, chosen)
        except UserError as error:
            errors.append(error)
    raise errors[0] if len(kinds) == 1 else UserError(f"{key}={value}: " + expected(kinds))


def _convert_tuple(kinds: tuple, value: Any, key: str, chosen: Mapping[str, type]) -> tuple:
    if not isinstance(value, list | tuple):
        raise UserError(f"{key}={value}: write a list, {key}=[a,b]")
    if len(kinds) == 2 and kinds[1] is ...:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise UserError(f"{key} needs {len(kinds)} values and has {len(value)}: {list(value)}")
    return tuple(
        convert(kind, item, f"{key}[{index}]", chosen)
        for index, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


def _convert_scalar(kind: Any, value: Any, key: str) -> Any:
    if kind is Any:
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is Path and isinstance(value, str):
        return Path(value)
    if type(value) is kind:
        return value
    raise UserError(f"{key}={'null' if value is None else value}: " + expected((kind,)))


def expected(kinds: tuple) -> str:
    return "must be " + " or ".join(dict.fromkeys(map(_named, kinds)))


def _named(kind: Any) -> str:
    if kind is types.NoneType:
        return "null"
    if get_origin(kind) is tuple:
        return "a list [a,b]"
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    if kind in _WORDS or isinstance(kind, type):
        return _WORDS.get(kind, kind.__name__)
    return "{name: value}"


def _needed(key: str) -> str:
    return f"{key} has no value: write {key}=<value>"


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level of dotted keys."""
    flat = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
