"""Models on disk: `config.json`, one file beside it and `model.safetensors`, never a pickle.

The file beside is a policy's `statistics.json`, a word-grounding model's `vocabulary.json`.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import (
    Any,
    ClassVar,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from firsthand.common.atomic import whole_file, write_json
from firsthand.policy.checkpoints.aliases import before_narration, today, today_weight
from firsthand.policy.checkpoints.model_path import locate
from firsthand.policy.checkpoints.state_dict import listed, shape_mismatches, shapes_of
from firsthand.policy.config import PolicyConfig
from firsthand.policy.statistics import Statistics

Config = TypeVar("Config")
Model = TypeVar("Model", bound="PretrainedModel")

FORMAT_VERSION = 4  # of before (names, parts): `policy.checkpoints.aliases`
FILES = ("config.json", "statistics.json", "model.safetensors")


class PretrainedModel(nn.Module, ABC):
    """A model made from a configuration and one object more, saved and loaded as a directory."""

    config: Any
    """A dataclass, written as `config.json`."""
    format_version: ClassVar[int]
    """Stands in `config.json`."""

    def save_pretrained(self, directory: str | Path) -> None:
        """Write the three files, each under a temporary name first."""
        weights = self.state_dict()  # first: a quantized model refuses
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        config = {"format_version": self.format_version, **asdict(self.config)}
        write_json(directory / "config.json", config, indent=2)
        self.save_companion(directory)
        write_weights(directory / "model.safetensors", weights)

    @classmethod
    def from_pretrained(cls: type[Model], source: str | Path) -> Model:
        """Read a directory written by `save_pretrained`, here or on the Hugging Face hub.

        Raises:
            ValueError: a file is missing or does not fit, by name.
        """
        config, companion, weights = cls.read_files(source)
        model = cls(config, companion)
        load_weights(model, weights, source)
        return model.eval()

    @abstractmethod
    def save_companion(self, directory: Path) -> None:
        """Write what the model is made from besides its configuration."""

    @staticmethod
    @abstractmethod
    def read_files(source: str | Path) -> tuple[Any, Any, dict[str, Tensor]]:
        """The configuration, what `save_companion` wrote, and the weights.

        Raises:
            ValueError: a file is missing, cannot be read or holds something else, by name.
        """


def load_policy(source: str | Path) -> tuple[PolicyConfig, Statistics, dict[str, Tensor]]:
    """What the three files of a local directory or a hub repository say.

    Raises:
        ValueError: a file is missing, cannot be read or holds something else, by name.
    """
    directory = locate(source, FILES, "policy")
    for name in FILES:
        if not (directory / name).is_file():
            why = ": a policy without its statistics does not load" if name == FILES[1] else ""
            raise ValueError(f"{directory} holds no {name}{why}")
    older = dict.fromkeys(range(1, FORMAT_VERSION), _today)
    config = read_config(directory / "config.json", PolicyConfig, FORMAT_VERSION, older)
    statistics = from_dict(Statistics, read_json(directory / "statistics.json"), "statistics.json")
    weights = read_weights(directory / "model.safetensors")
    return config, statistics, {today_weight(name): value for name, value in weights.items()}


def _today(config: Mapping[str, Any]) -> dict[str, Any]:
    return before_narration(today(config))


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], source: str | Path) -> None:
    """Give a model made from the same directory's configuration its weights.

    Raises:
        ValueError: weights are missing, too many or of another shape, or hold what is no number,
            each by name.
    """
    if wrong := shape_mismatches(shapes_of(weights), shapes_of(model.state_dict())):
        raise ValueError(f"{source}: model.safetensors does not fit config.json: {wrong}")
    if broken := [name for name, value in weights.items() if not value.isfinite().all()]:
        raise ValueError(f"{source}: model.safetensors holds NaN or infinite in {listed(broken)}")
    model.load_state_dict(weights)


def read_config(
    path: Path,
    kind: type[Config],
    version: int,
    older: Mapping[int, Callable[[Mapping[str, Any]], dict[str, Any]]] | None = None,
) -> Config:
    """The configuration that a file holds beside its `format_version`.

    older: for versions of before, what makes today's values of theirs.

    Raises:
        ValueError: the file is of another version or says something else, by name.
    """
    config = read_json(path)
    found = config.pop("format_version", None)
    if older and found in older:
        config = older[found](config)
    elif found != version:
        raise ValueError(f"{path} has format_version {found}, not {version}")
    return from_dict(kind, config, path.name)


def read_weights(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8-sig"))  # a byte order mark is dropped
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no table of names and values")
    return value


def from_dict(kind: type[Config], values: Mapping[str, Any], where: str) -> Config:
    """A (nested) dataclass from plain values, every name checked."""
    hints = get_type_hints(kind)
    names = {f.name for f in fields(cast(Any, kind))}
    if unknown := sorted(set(values) - names):
        raise ValueError(
            f"{where}: unknown {', '.join(unknown)}; {kind.__name__} has {sorted(names)}"
        )
    return kind(
        **{name: _convert(hints[name], value, f"{where}: {name}") for name, value in values.items()}
    )


def _convert(hint: Any, value: Any, where: str) -> Any:
    """A value of JSON as what a field is declared to hold.

    Raises:
        ValueError: it is of another kind, by its full name.
    """
    if is_dataclass(hint) and isinstance(hint, type) and isinstance(value, Mapping):
        return from_dict(hint, value, where)
    if get_origin(hint) is tuple and isinstance(value, (list, tuple)):
        item = get_args(hint)[0]
        return tuple(_convert(item, v, f"{where}[{i}]") for i, v in enumerate(value))
    if not _fits(hint, value):
        wanted = getattr(hint, "__name__", None) if isinstance(hint, type) else None
        raise ValueError(f"{where} is {value!r}, not {wanted or _words(hint)}")
    return value


def _fits(hint: Any, value: Any) -> bool:
    """Whether a value is one of a declared kind. A whole number is a float too, a bool is none."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(kind, value) for kind in get_args(hint))
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    kind = get_origin(hint) or hint
    return not isinstance(kind, type) or isinstance(value, kind)


def _words(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    return str(hint)


def write_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    with whole_file(path) as draft:
        save_tensors({name: value.contiguous() for name, value in weights.items()}, draft)


def save_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    """A file of safetensors with the permissions of any new file: what the library makes can be
    read by its owner alone."""
    path.unlink(missing_ok=True)
    path.touch()
    mode = path.stat().st_mode
    save_file(tensors, path)
    path.chmod(mode)
