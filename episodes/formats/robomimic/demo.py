"""What is in an HDF5 file of robomimic's layout, found without reading pictures or numbers."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import h5py
import numpy as np

from firsthand.common.errors import UserError
from firsthand.episodes.formats.robomimic.images import is_image
from firsthand.episodes.tally import Tally
from firsthand.episodes.text.caption_files import text_of
from firsthand.episodes.untrusted.hdf5 import load_dataset, load_texts

SPLITS = ("train", "valid", "test")
_WORDS = ("language_instruction", "language", "lang")  # of what to do


@dataclass(frozen=True)
class Demo:
    """A demonstration: the group data/demo_0.

    Datasets are called as they are in obs/, or by their path with dots outside of it; next_obs is
    not looked at.
    """

    group: h5py.Group

    @cached_property
    def datasets(self) -> dict[str, h5py.Dataset]:
        found: dict[str, h5py.Dataset] = {}

        def visit(path: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and not path.startswith("next_obs/"):
                name = path.removeprefix("obs/")
                name = path if name in self.group else name  # obs/states beside states
                found[name.replace("/", ".")] = item

        self.group.visititems(visit)
        return dict(sorted(found.items()))

    @cached_property
    def actions(self) -> h5py.Dataset:
        """Raises `UserError` when there are none, or not as many as said."""
        actions = self.group.get("actions")
        if not isinstance(actions, h5py.Dataset) or actions.ndim != 2:
            raise UserError("has no actions (t, n)")
        if self.stated not in (None, len(actions)):
            claim = f"says that it has {self.stated} samples"
            raise UserError(f"{claim}, but has {len(actions)} actions")
        return actions

    @cached_property
    def stated(self) -> int | None:
        """How many samples it says it has; None if it says no number."""
        try:
            return int(np.asarray(self.group.attrs.get("num_samples")).item())
        except (TypeError, ValueError, OverflowError):
            return None

    @property
    def images(self) -> dict[str, h5py.Dataset]:
        return {name: d for name, d in self.datasets.items() if is_image(name, d)}

    @property
    def numbers(self) -> dict[str, h5py.Dataset]:
        """One number or more a frame; not the actions."""
        return {
            name: dataset
            for name, dataset in self.datasets.items()
            if dataset.shape
            and dataset.shape[0] == len(self.actions)
            and dataset.dtype.kind in "biuf"
            and not is_image(name, dataset)
            and dataset != self.actions
        }

    def load(self, dataset: h5py.Dataset) -> np.ndarray:
        return load_dataset(self.group, str(dataset.name))

    @property
    def left(self) -> list[str]:
        """Datasets that belong to no frame."""
        known = {*self.numbers, *self.images}
        return [n for n, d in self.datasets.items() if n not in known and d != self.actions]


def open_group(parent: h5py.Group, name: str) -> h5py.Group:
    group = parent.get(name)
    if not isinstance(group, h5py.Group):
        raise UserError(f"{parent.name} holds no group {name!r}")
    return group


def demo_names(names: Iterable[str]) -> list[str]:
    """demo_2 comes before demo_10."""

    def key(name: str) -> list[tuple[int, str]]:
        return [
            (int(part[:18]), "") if part.isdecimal() and part.isascii() else (-1, part)
            for part in re.split(r"(\d+)", name)
        ]

    return sorted(names, key=key)


def load_masks(file: h5py.File) -> tuple[dict[str, list[str]], list[str]]:
    """Names of demos under every name in mask/, and which of those hold none. One that is no text
    is the name of no demo."""
    group = file.get("mask")
    masks, others = {}, []
    if not isinstance(group, h5py.Group):
        return masks, others
    for name in map(str, group):
        try:
            masks[name] = load_texts(group, name, errors="backslashreplace")
        except UserError:
            others.append(name)
    return masks, others


def load_world(file: h5py.File) -> dict[str, Any]:
    """env_args: which environment it was, and its settings in env_kwargs; {} if that is damaged."""
    try:
        world = _json(_text(open_group(file, "data").attrs.get("env_args")) or "{}", "env_args")
    except UserError:
        return {}
    return world if isinstance(world.get("env_kwargs", {}), dict) else {}


def is_osc_pose(world: dict[str, Any]) -> bool:
    """Whether actions are steps and turns of robosuite's operational space controller.

    From robosuite 1.5 on the controllers of an arm, its gripper and the rest are `body_parts`, and
    "input_type" says what "control_delta" did.
    """
    configs = world.get("env_kwargs", {}).get("controller_configs")
    whole = configs[0] if isinstance(configs, list) and len(configs) == 1 else configs
    parts = whole.get("body_parts", {"": whole}) if isinstance(whole, dict) else {}
    parts = parts.values() if isinstance(parts, dict) else ()
    arms = [part for part in parts if isinstance(part, dict) and part.get("type") == "OSC_POSE"]
    return len(arms) == 1 and (
        arms[0].get("control_delta", True) is True and arms[0].get("input_type", "delta") == "delta"
    )


def is_opengl(file: h5py.File) -> bool:
    """Whether LIBERO says that its pictures are upside down, as robosuite draws them."""
    return _text(open_group(file, "data").attrs.get("macros_image_convention")) == "opengl"


def find_instruction(file: h5py.File, demo: h5py.Group, tally: Tally, name: str) -> str:
    """What the demo was to do: its own words, else those of the file (LIBERO), else "".

    A demo's own stand in `language` or `language_instruction`, an attribute or a dataset, or in
    RoboCasa's `ep_meta`. What cannot be read is told as a sentence that is lost.
    """
    data = open_group(file, "data")
    for where, table in ((demo, "ep_meta"), (data, "problem_info")):
        try:
            sentence = text_of(_plain_words(where) or _in_table(where, table))
        except UserError as error:
            tally.lose("sentence", name, str(error))
            continue
        if sentence:
            tally.use("sentence")
            return sentence
    return ""


def _plain_words(group: h5py.Group) -> str:
    for name in _WORDS:
        if text := _text(group.attrs.get(name)):
            return text.strip()
        if isinstance(group.get(name), h5py.Dataset):
            texts = set(load_texts(group, name))
            if len(texts) > 1:
                raise UserError(f"{name} holds {len(texts)} different texts")
            return "".join(texts).strip()
    return ""


def _in_table(group: h5py.Group, name: str) -> str:
    """The sentence in an attribute that is JSON."""
    text = _text(group.attrs.get(name))
    table = _json(text, name) if text else {}
    sentence = next((table[word] for word in _WORDS if table.get(word)), "")
    if isinstance(sentence, list):  # letters or words with their spaces, joined as LIBERO does
        sentence = "".join(str(part) for part in sentence)
    if not isinstance(sentence, str):
        raise UserError(f"the sentence in {name} is {sentence!r:.80}")
    return sentence.strip().strip('"')


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return value if isinstance(value, str) else ""


def _json(text: str, name: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{name} is no readable JSON: {error!s:.100}") from None
    if not isinstance(content, dict):
        raise UserError(f"{name} is no table")
    return content
