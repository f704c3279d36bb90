"""A default stands twice, in a dataclass and in the YAML that `--help` shows: both say the same."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from firsthand.cli.schema import NEEDED, plain
from firsthand.commands import COMMANDS, CONFIGS
from firsthand.policy.config import PolicyConfig

OWN = [name for name in COMMANDS if name != "demo"]  # its YAML says how small the whole story is
UNUSED = {  # by a convolutional encoder with a spatial softmax
    "images.model",
    "pool.depth",
    "pool.heads",
    "pool.head_width",
}


def different(file: Path, kind: type) -> Iterator[str]:
    """The keys of a YAML, dotted, whose values are not the defaults of the dataclass."""
    shown = yaml.safe_load(file.read_text())
    shown.pop("defaults", None)
    return _different(shown, plain(kind), "")


def _different(shown: Mapping[str, Any], defaults: Mapping[str, Any], key: str) -> Iterator[str]:
    for name, value in shown.items():
        default = defaults[name]
        if isinstance(value, dict) and isinstance(default, dict):
            yield from _different(value, default, f"{key}{name}.")
        elif default != NEEDED and value != default:
            yield f"{key}{name}"


@pytest.mark.parametrize("name", OWN)
def test_a_command_and_its_choices_show_the_defaults_of_their_dataclasses(name: str) -> None:
    command = COMMANDS[name]
    schema = command.load().SCHEMA
    assert list(different(CONFIGS / f"{command.config}.yaml", schema.kind)) == []
    for group, kinds in schema.choices.items():
        for option, kind in kinds.items():
            assert list(different(CONFIGS / group / f"{option}.yaml", kind)) == [], option


def test_the_small_policy_is_the_default() -> None:
    assert set(different(CONFIGS / "policy" / "small.yaml", PolicyConfig)) == UNUSED
