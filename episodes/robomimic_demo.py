"""What is in an HDF5 file of robomimic's layout, found without reading pictures or numbers."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import h5py
import numpy as np

from episodes.errors import UserError
from episodes.hdf5 import load_dataset

SPLITS = ("train", "valid", "test")


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
        stated = self.group.attrs.get("num_samples", len(actions))
        if stated != len(actions):
            raise UserError(f"says that it has {stated} samples, but has {len(actions)} actions")
        return actions

    @property
    def pictures(self) -> dict[str, h5py.Dataset]:
        return {name: d for name, d in self.datasets.items() if _is_picture(d)}

    @property
    def numbers(self) -> dict[str, h5py.Dataset]:
        """One number or more a frame; not the actions."""
        return {
            name: dataset
            for name, dataset in self.datasets.items()
            if dataset.shape
            and dataset.shape[0] == len(self.actions)
            and dataset.dtype.kind in "biuf"
            and not _is_picture(dataset)
            and dataset != self.actions
        }

    def load(self, dataset: h5py.Dataset) -> np.ndarray:
        return load_dataset(self.group, str(dataset.name))

    @property
    def left(self) -> list[str]:
        """Datasets that belong to no frame."""
        known = {*self.numbers, *self.pictures}
        return [n for n, d in self.datasets.items() if n not in known and d != self.actions]


def _is_picture(dataset: h5py.Dataset) -> bool:
    return dataset.dtype == np.uint8 and dataset.ndim == 4 and dataset.shape[3] == 3


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


def load_masks(file: h5py.File) -> dict[str, list[str]]:
    """Names of demos under every name in mask/."""
    if "mask" not in file:
        return {}
    masks = {}
    group = open_group(file, "mask")
    for name in map(str, group):
        try:
            names = load_dataset(group, name).ravel().tolist()
            masks[name] = [n.decode() for n in names]
        except (AttributeError, UnicodeDecodeError):
            raise UserError(f"mask/{name} holds no names") from None
    return masks


def load_world(file: h5py.File) -> dict[str, Any]:
    """env_args: which environment it was, and its settings in env_kwargs."""
    text = _text(open_group(file, "data").attrs.get("env_args"))
    world = _json(text, "env_args") if text else {}
    if not isinstance(world.get("env_kwargs", {}), dict):
        raise UserError("env_kwargs in env_args is no table")
    return world


def is_osc_pose(world: dict[str, Any]) -> bool:
    """Whether actions are steps and turns of robosuite's operational space controller."""
    controller = world.get("env_kwargs", {}).get("controller_configs")
    if not isinstance(controller, dict):
        return False
    return controller.get("type") == "OSC_POSE" and controller.get("control_delta", True) is True


def is_opengl(file: h5py.File) -> bool:
    """Whether LIBERO says that its pictures are upside down, as robosuite draws them."""
    return _text(open_group(file, "data").attrs.get("macros_image_convention")) == "opengl"


def find_instruction(file: h5py.File, demo: h5py.Group) -> str:
    """What the demo was to do: its own words, else those of the file (LIBERO), else ""."""
    if own := _text(demo.attrs.get("language")):
        return own
    problem = _text(open_group(file, "data").attrs.get("problem_info"))
    said = _json(problem, "problem_info").get("language_instruction", "") if problem else ""
    if isinstance(said, list):  # letters or words with their spaces, joined as LIBERO does
        said = "".join(str(part) for part in said)
    if not isinstance(said, str):
        raise UserError(f"language_instruction in problem_info is {said!r:.80}")
    return said.strip().strip('"')


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def _json(text: str, name: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{name} is no readable JSON: {error!s:.100}") from None
    if not isinstance(content, dict):
        raise UserError(f"{name} is no table")
    return content
