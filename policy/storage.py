"""A policy on disk: `model.safetensors`, `config.json`, `statistics.json`, never a pickle."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from policy.config import PolicyConfig
from policy.fit import misfits, shapes_of
from policy.statistics import Statistics

if TYPE_CHECKING:
    from policy.policy import Policy

FORMAT_VERSION = 1
FILES = ("config.json", "statistics.json", "model.safetensors")


def save_policy(policy: "Policy", directory: Path) -> None:
    """Write the three files, each under a temporary name first."""
    weights = {name: value.contiguous() for name, value in policy.state_dict().items()}
    directory.mkdir(parents=True, exist_ok=True)
    config = {"format_version": FORMAT_VERSION, **asdict(policy.config)}
    _write(directory / "config.json", json.dumps(config, indent=2))
    _write(directory / "statistics.json", json.dumps(asdict(policy.statistics), indent=2))
    partial = directory / "model.safetensors.partial"
    save_file(weights, partial)
    os.replace(partial, directory / "model.safetensors")


def load_policy(source: str | Path) -> tuple[PolicyConfig, Statistics, dict[str, Tensor]]:
    """What the three files of a local directory or a hub repository say.

    Raises:
        ValueError: a file is missing, cannot be read or holds something else, by name.
    """
    directory = _locate(source)
    for name in FILES:
        if not (directory / name).is_file():
            why = ": a policy without its statistics does not load" if name == FILES[1] else ""
            raise ValueError(f"{directory} holds no {name}{why}")
    config = _read_json(directory / "config.json")
    version = config.pop("format_version", None)
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{directory / 'config.json'} has format_version {version}, not {FORMAT_VERSION}"
        )
    try:
        weights = load_file(directory / "model.safetensors")
    except SafetensorError as error:
        raise ValueError(f"{directory / 'model.safetensors'} cannot be read: {error}") from error
    statistics = _from_dict(
        Statistics, _read_json(directory / "statistics.json"), "statistics.json"
    )
    return _from_dict(PolicyConfig, config, "config.json"), statistics, weights


def fill(policy: "Policy", weights: Mapping[str, Tensor], source: str | Path) -> None:
    """Give a policy made from the same directory's configuration its weights.

    Raises:
        ValueError: weights are missing, too many or of another shape, each by name.
    """
    if wrong := misfits(shapes_of(weights), shapes_of(policy.state_dict())):
        raise ValueError(f"{source}: model.safetensors does not fit config.json: {wrong}")
    policy.load_state_dict(weights)


def _locate(source: str | Path) -> Path:
    if Path(source).is_dir():
        return Path(source)
    if isinstance(source, Path) or source.count("/") != 1 or source.startswith((".", "/")):
        raise ValueError(f"no policy at {source}: there is no such directory")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(source, allow_patterns=list(FILES)))
    except (HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise ValueError(f"no policy at {source}: neither a directory nor on the hub") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no table of names and values")
    return value


def _from_dict(kind: type, values: Mapping[str, Any], where: str) -> Any:
    """A (nested) dataclass from plain values, every name checked."""
    hints = get_type_hints(kind)
    known = {f.name for f in fields(kind)}
    if unknown := sorted(set(values) - known):
        raise ValueError(
            f"{where}: unknown {', '.join(unknown)}; {kind.__name__} has {sorted(known)}"
        )
    return kind(**{name: _convert(hints[name], value, where) for name, value in values.items()})


def _convert(hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        return _from_dict(hint, value, where)
    if isinstance(value, list):
        (item, *_) = get_args(hint)
        return tuple(_convert(item, element, where) for element in value)
    return value


def _write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    os.replace(partial, path)
