"""From `key=value` words to a checked dataclass: Hydra composes, `firsthand.cli.schema` checks.

A command's settings are one top-level YAML in `configs/` over the schema that its dataclass
spells out, plus one file for every choice (`corpus=videos`). Two keys belong to every command:
`run`, where its results go, and `resume`.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException, HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from firsthand.cli.aliases import REPLACED
from firsthand.cli.overrides import in_grammar
from firsthand.cli.schema import (
    NEEDED,
    alternatives,
    annotations,
    build,
    convert,
    expected,
    flatten,
    free_keys,
    plain,
)
from firsthand.cli.unknown_key import unknown_key
from firsthand.commands import CONFIGS
from firsthand.common.errors import UserError
from firsthand.common.suggestions import one_of

RUN_KEYS = {"run": None, "resume": False}


@dataclass(frozen=True)
class Settings:
    """What a command shall do. `config` is the recipe's dataclass; `resolved` the same, plain."""

    config: Any
    resolved: Mapping[str, Any]
    overrides: tuple[str, ...]
    run: str | None
    resume: bool


@dataclass(frozen=True)
class Schema:
    """The dataclass behind a command, and behind each choice where choices differ in kind.

    `choices["corpus"]["videos"]` is the dataclass that `corpus=videos` fills in.
    """

    kind: type
    choices: Mapping[str, Mapping[str, type]] = field(default_factory=dict)


def options(group: str) -> list[str]:
    """What can be chosen in a group: the files of its folder."""
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


def groups() -> list[str]:
    """Every folder of choices, nested ones as `a/b`."""
    found = (path.relative_to(CONFIGS) for path in CONFIGS.rglob("*") if path.is_dir())
    return sorted(path.as_posix() for path in found if options(path.as_posix()))


def load(command: str, schema: Schema, overrides: Sequence[str]) -> Settings:
    """Compose and check the settings of one run.

    Args:
        command: the name of the top-level YAML.
        schema: the dataclasses that the settings must fill.
        overrides: words such as `training.steps=300` and `corpus=videos`, in Hydra's grammar.

    Raises:
        UserError: a word cannot be read, names no key or choice, or has an impossible value.
    """
    return _load(command, schema, _parse_one(schema, overrides))


def place(command: str, schema: Schema, overrides: Sequence[str]) -> tuple[str | None, bool]:
    """`run` and `resume` alone, whether or not other settings have values.

    Raises:
        UserError: as for `load`.
    """
    _, _, run, resume = _composed(command, schema, _parse_one(schema, overrides))
    return run, resume


def shown(command: str, schema: Schema, overrides: Sequence[str]) -> str:
    """What `--cfg` prints: the settings as YAML, those without a value as `???`.

    Raises:
        UserError: as for `load`, but for missing values.
    """
    parsed = _parse_one(schema, overrides)
    composed, *_ = _composed(command, schema, parsed)
    if NEEDED in flatten(composed).values():
        return OmegaConf.to_yaml(OmegaConf.create(composed))
    return as_yaml(_load(command, schema, parsed))


def _parse_one(schema: Schema, overrides: Sequence[str]) -> list[Override]:
    parsed = parse(overrides, schema)
    for override in parsed:
        if override.is_sweep_override():
            raise UserError(f"{override.input_line} lists several values; add -m to run them all")
    return parsed


def sweep(command: str, schema: Schema, overrides: Sequence[str]) -> list[Settings]:
    """The settings of every combination of the swept values, the last one changing fastest.

    Values are written as in Hydra: `a=1,2,3`, `a=range(0,10,2)`, `a=choice(x,y)`, `a=glob(*)`
    for choices.
    """
    lists = []
    for override in parse(overrides, schema, sweep=True):
        if not override.is_sweep_override():
            lists.append([override.input_line])
        elif (name := override.key_or_group) in groups():
            values = override.sweep_string_iterator() if _is_list(override) else _globbed(override)
            lists.append([f"{override.get_key_element()}={value}" for value in values])
        else:
            lists.append([f"{name}={value}" for value in override.sweep_string_iterator()])
    combinations = [parse(words, schema) for words in itertools.product(*lists)]
    return [_load(command, schema, parsed) for parsed in combinations]


def as_yaml(settings: Settings) -> str:
    """The resolved settings, as `--cfg` prints them and config.yaml holds them."""
    return OmegaConf.to_yaml(OmegaConf.create(dict(settings.resolved)))


def _is_list(override: Override) -> bool:
    from hydra.core.override_parser.types import Glob

    return not isinstance(override.value(), Glob)


def _globbed(override: Override) -> list[str]:
    return override.value().filter(options(str(override.key_or_group)))  # pyright: ignore


def parse(words: Sequence[str], schema: Schema, sweep: bool = False) -> list[Override]:
    """Read `key=value` words: texts as they are written, the rest in Hydra's grammar. The last
    word for a key counts."""
    parser = OverridesParser.create()
    parsed: dict[str, Override] = {}
    for word in words:
        if "=" not in word:
            raise UserError(f"cannot read {word!r}: settings are written key=value")
        key = word.partition("=")[0]
        hints = [str | None] if key == "run" else annotations(schema.kind, key)
        try:
            override = parser.parse_override(in_grammar(word, hints, sweep))
        except HydraException:
            kinds = tuple(kind for hint in hints for kind in alternatives(hint))
            why = f": {key} {expected(kinds)}" if kinds else ""
            raise UserError(f"cannot read {word!r}{why}") from None
        if override.is_delete():
            raise UserError(f"{word}: settings cannot be taken away, only given another value")
        if override.is_add() or override.is_force_add():
            raise UserError(f"{word}: there is nothing to add; write {word.lstrip('+')}")
        parsed.pop(override.get_key_element(), None)
        parsed[override.get_key_element()] = override
    return list(parsed.values())


def _load(command: str, schema: Schema, parsed: Sequence[Override]) -> Settings:
    composed, chosen, run, resume = _composed(command, schema, parsed)
    kinds = {
        group: kinds[chosen[group]] for group, kinds in schema.choices.items() if group in chosen
    }
    config = build(schema.kind, composed, chosen={g.replace("/", "."): k for g, k in kinds.items()})
    words = tuple(o.input_line for o in parsed if o.key_or_group not in RUN_KEYS)
    return Settings(config, plain(config), tuple(str(w) for w in words), run, resume)


def _composed(
    command: str, schema: Schema, parsed: Sequence[Override]
) -> tuple[dict[str, Any], dict[str, str], str | None, bool]:
    """The settings as plain nested values, the option chosen in every group, run and resume."""
    _register(command, schema)
    known_groups = groups()
    choices = [o for o in parsed if o.key_or_group in known_groups]
    for override in choices:
        group, choice = str(override.key_or_group), str(override.value())
        if choice not in options(group):
            instead = REPLACED.get(f"{group}={choice}") or one_of(choice, options(group))
            raise UserError(f"{group}={choice}: {instead}")
    base, _ = _compose(command, choices)
    known = list(_keys(base))
    free = free_keys(schema.kind)
    for group, kinds in schema.choices.items():
        for kind in kinds.values():
            free += free_keys(kind, group.replace("/", "."))
    for override in parsed:
        if override in choices or override.key_or_group in known or _is_free(override, free):
            continue
        raise UserError(_unknown(str(override.key_or_group), known, schema))
    try:
        composed, chosen = _compose(command, parsed, free)
    except UserError:
        _refuse_misfit(command, schema, choices, parsed, free)
        raise
    for override in parsed:
        if override.key_or_group in free and isinstance(value := override.value(), dict):
            _put(composed, str(override.key_or_group), value)  # in place of what was there
    run, resume = composed.pop("run"), composed.pop("resume")
    if not isinstance(resume, bool):
        raise UserError(f"resume={resume}: must be true or false")
    return composed, chosen, None if run is None else str(run), resume


def _refuse_misfit(
    command: str,
    schema: Schema,
    choices: Sequence[Override],
    parsed: Sequence[Override],
    free: Sequence[str],
) -> None:
    """Raises `UserError` for a word that has names where a list is meant, or the like: what Hydra
    says when it merges them names no key."""
    for override in parsed:
        key = str(override.key_or_group)
        try:
            _compose(command, [*(o for o in choices if o != override), override], free)
        except UserError:
            for hint in annotations(schema.kind, key):
                convert(hint, override.value(), key, {})


def _unknown(key: str, known: Sequence[str], schema: Schema) -> str:
    """The message for a key that does not exist, or not with the choice that was made."""
    group, _, name = key.partition(".")
    for option, kind in schema.choices.get(group, {}).items():
        if name in {f.name for f in fields(kind)}:
            return f"unknown key {key!r} here; it belongs to {group}={option}"
    return unknown_key(key, known)


def _compose(
    command: str, parsed: Sequence[Override], free: Sequence[str] = ()
) -> tuple[dict[str, Any], dict[str, str]]:
    """The merged settings as plain nested values, and the option chosen in every group.

    Below the keys in `free`, names that the schema does not hold are added.
    """
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIGS), version_base="1.3", job_name=command):
        try:
            words = [("++" if _is_free(o, free) else "") + str(o.input_line) for o in parsed]
            composed = compose(command, words, return_hydra_config=True)
            chosen = OmegaConf.to_container(composed.hydra.runtime.choices)
            del composed._content["hydra"]  # pyright: ignore
            values = OmegaConf.to_container(composed, resolve=True)
        except (ConfigCompositionException, HydraException, OmegaConfBaseException) as error:
            raise UserError(_first_line(error)) from error
    assert isinstance(values, dict)
    assert isinstance(chosen, dict)
    return values, {str(group): str(option) for group, option in chosen.items()}  # pyright: ignore


def _first_line(error: Exception) -> str:
    """What Hydra says, without the lines about its internals; the cause says it better."""
    return str(error.__cause__ or error).strip().splitlines()[0]


def _is_free(override: Override, free: Sequence[str]) -> bool:
    """Whether an override sets a mapping, or a name in one."""
    key = str(override.key_or_group)
    return key in free or key.rpartition(".")[0] in free


def _put(values: dict[str, Any], key: str, value: Mapping[Any, Any]) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        values = values[parent]
    values[last] = {str(name): item for name, item in value.items()}


def _keys(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        yield f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _keys(value, f"{prefix}{name}.")


def _register(command: str, schema: Schema) -> None:
    """Put the schemas where the YAML files name them: `<command>_schema`, `<choice>_schema`."""
    store = ConfigStore.instance()
    values = {k: v for k, v in plain(schema.kind).items() if k not in schema.choices}
    top: DictConfig = OmegaConf.create({**RUN_KEYS, **values})
    store.store(name=f"{command}_schema", node=top, provider="firsthand")
    for group, kinds in schema.choices.items():
        for option, kind in kinds.items():
            node = OmegaConf.create(plain(kind))
            store.store(name=f"{option}_schema", group=group, node=node, provider="firsthand")
