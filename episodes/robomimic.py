"""Demonstrations of robomimic (Mandlekar et al. 2021) and LIBERO (Liu et al. 2023) in HDF5.

    data                     attrs: env_args (JSON), total; LIBERO's: problem_info (JSON)
    data/demo_0              attrs: num_samples
    data/demo_0/actions      (t, n); also rewards, dones, states, …
    data/demo_0/obs/<key>    pictures (t, h, w, 3) uint8, and numbers
    data/demo_0/next_obs     the same one step later
    mask/<split>             names of demos

Layout: https://robomimic.github.io/docs/datasets/overview.html and scripts/create_dataset.py of
LIBERO. Our own stores have it too, and are read as what they are.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from jaxtyping import Float32

from episodes.episode import ACTION_SIZE, STATE_SIZE, Episode
from episodes.errors import UserError
from episodes.hdf5 import open_hdf5
from episodes.jpeg import EncodedEpisode
from episodes.names import named_cameras, plain_name
from episodes.reader import EpisodeFile
from episodes.robomimic_demo import (
    SPLITS,
    Demo,
    demo_names,
    find_instruction,
    is_opengl,
    is_osc_pose,
    load_masks,
    load_world,
    open_group,
)
from episodes.rooted import Rooted, walk
from episodes.source import Item, Listing
from episodes.tally import Tally
from episodes.trust import regular_file

_ENDINGS = (".hdf5", ".h5")
_JPEG_BYTES = 0.3  # a pixel
_TO_OURS = np.array(
    [1, 1, 1, 1, 1, 1, -1], np.float32
)  # robosuite's gripper closes at 1, ours opens


@dataclass(frozen=True, kw_only=True)
class Robomimic(Rooted):
    """A file of demonstrations, or a folder of such files; every demo is a recording.

    Numbers keep their names and types as signals: those in obs/ under their own names, `actions` as
    `recorded_actions`.

    Attributes:
        fps: frames a second; None takes the control_freq of env_args.
        cameras: which ones to read, as "agentview_rgb", or with a name to keep them under, as
            "rgb_static=agentview_rgb"; () reads all.
        actions: "auto" takes steps and turns of robosuite's OSC_POSE controller, in its own units
            (`source` keeps its settings) and with the gripper turned round; "ours" takes any seven
            numbers as they are; "none" leaves them to the signals.
        upside_down: whether to turn pictures the right way up; None does it where a file says that
            it follows OpenGL, as LIBERO's do.
    """

    fps: float | None = None
    cameras: tuple[str, ...] = ()
    actions: Literal["auto", "ours", "none"] = "auto"
    upside_down: bool | None = None

    def __post_init__(self) -> None:
        if self.fps is not None and not 0 < self.fps <= 1000:
            raise UserError(f"fps must be in (0, 1000], not {self.fps}")

    @property
    def origin(self) -> str:
        return "robomimic"

    def listing(self) -> Listing:
        items: list[Item] = []
        lost: list[tuple[str, str]] = []
        notes: dict[str, list[str]] = {}  # what -> in which files
        tally = Tally()
        for path in self._files(tally):
            name = path.name if path == self.root else str(path.relative_to(self.root))
            try:
                with open_hdf5(self.inside("" if path == self.root else name)) as file:
                    data = open_group(file, "data")
                    ours = "format_version" in data.attrs
                    names = demo_names(map(str, data))
                    found = {demo: data.get(demo) for demo in names}
                    demos = {n: Demo(g) for n, g in found.items() if isinstance(g, h5py.Group)}
                    listed = list(self._items(file, demos, path, name, ours))
                    masked = {demo for mask in load_masks(file).values() for demo in mask}
                    absent = sorted({*names, *masked} - set(demos))
                    oddities = [] if ours else self._oddities(file, demos)
            except UserError as error:
                lost.append((name, str(error)))
                continue
            items += listed
            lost += [(f"{name}/{demo}", "is named, but no demo is there") for demo in absent]
            for note in oddities:
                notes.setdefault(note, []).append(name)
        told = [f"{note}: {_some(names)}" for note, names in notes.items()]
        return Listing(tuple(items), tuple(lost), tuple(told), tally)

    def read(self, item: Item, tally: Tally) -> Iterator[Episode | EncodedEpisode]:
        name, demo = item.detail["file"], item.detail["demo"]
        path = self.inside(name)
        if item.detail["ours"]:
            with EpisodeFile(path) as file:
                yield file.read_encoded(demo)
        else:
            with open_hdf5(path) as file:
                yield self._episode(file, demo)

    def _files(self, tally: Tally) -> list[Path]:
        if not self.root.is_dir():
            return [self.root]
        below = walk(self.root, self.links, tally).items()
        files = sorted(f / n for f, names in below for n in names if Path(n).suffix in _ENDINGS)
        if not files:
            tally.note(f"{self.root}: holds no file ending in {' or '.join(_ENDINGS)}")
        return files

    def _items(
        self, file: h5py.File, demos: dict[str, Demo], path: Path, name: str, ours: bool
    ) -> Iterator[Item]:
        masks = load_masks(file)
        stamp = [regular_file(path), path.stat().st_mtime_ns]
        for demo, content in demos.items():
            splits = [split for split in SPLITS if demo in masks.get(split, ())]
            if len(splits) > 1:
                raise UserError(f"has {demo} in the masks {' and '.join(splits)}")
            pictures = {} if ours else content.pictures
            pixels = sum(int(np.prod(d.shape[:3], dtype=object)) for d in pictures.values())
            yield Item(
                name=f"{name}/{demo}",
                group=f"{name}/{demo}",
                version=sha256(json.dumps([stamp, demo]).encode()).hexdigest()[:20],
                megabytes=pixels * _JPEG_BYTES / 1e6 or 1.0,
                split=splits[0] if splits else "",
                detail={"file": "" if path == self.root else name, "demo": demo, "ours": ours},
            )

    def _oddities(self, file: h5py.File, demos: dict[str, Demo]) -> list[str]:
        notes = []
        if others := [mask for mask in load_masks(file) if mask not in SPLITS]:
            notes.append(f"masks that are no splits are not kept ({_some(others)})")
        if any("next_obs" in demo.group for demo in demos.values()):
            notes.append("next_obs is not kept: it is obs one step later")
        if self._is_upside_down(file):
            notes.append("pictures are upside down and turned")
        left, shapes = set(), set()
        for demo in demos.values():
            try:
                shapes.add(demo.actions.shape[1])
                left |= set(demo.left)
            except UserError:
                continue  # told when it is read
        if left:
            notes.append(f"not kept since they are not one a frame ({_some(sorted(left))})")
        if shapes and self.actions == "auto":
            if shapes == {ACTION_SIZE} and is_osc_pose(load_world(file)):
                notes.append("actions are OSC_POSE's, with the gripper turned round")
            else:
                sizes = ", ".join(str(size) for size in sorted(shapes))
                notes.append(f"actions of {sizes} numbers are kept as a signal, not as actions")
        return notes

    def _is_upside_down(self, file: h5py.File) -> bool:
        return is_opengl(file) if self.upside_down is None else self.upside_down

    def _episode(self, file: h5py.File, name: str) -> Episode:
        group, world = open_group(open_group(file, "data"), name), load_world(file)
        demo = Demo(group)
        recorded = demo.load(demo.actions)
        cameras = named_cameras(self.root, self.cameras, list(demo.pictures))
        for theirs in cameras.values():
            if (count := len(demo.pictures[theirs])) != len(recorded):
                raise UserError(f"has {count} pictures of {theirs}, but {len(recorded)} actions")
        order = -1 if self._is_upside_down(file) else 1
        frames = {
            camera: np.ascontiguousarray(demo.load(demo.pictures[theirs])[:, ::order])
            for camera, theirs in cameras.items()
        }
        numbers = {n: demo.load(d) for n, d in demo.numbers.items()}
        state = numbers.get("state")
        if state is not None and state.shape[1:] == (STATE_SIZE,):
            state = numbers.pop("state").astype(np.float32)
        else:
            state = None
        signals = {plain_name(name): values for name, values in numbers.items()}
        signals["recorded_actions"] = recorded
        if len(signals) <= len(numbers):
            raise UserError(f"its datasets {', '.join(numbers)} would get the same names")
        controller = world.get("env_kwargs", {}).get("controller_configs")
        known = {"env_name": world.get("env_name"), "controller": controller}
        return Episode(
            frames,
            self._rate(world),
            find_instruction(file, group),
            state=state,
            actions=self._actions(recorded, world),
            signals=signals,
            source={"origin": self.origin} | {k: v for k, v in known.items() if v is not None},
        )

    def _actions(
        self, recorded: np.ndarray, world: dict[str, Any]
    ) -> Float32[np.ndarray, "t 7"] | None:
        size = recorded.shape[1]
        if self.actions == "ours" and size != ACTION_SIZE:
            raise UserError(f"actions=ours needs {ACTION_SIZE} numbers a frame, not {size}")
        if self.actions == "ours":
            return recorded.astype(np.float32)
        if self.actions == "auto" and size == ACTION_SIZE and is_osc_pose(world):
            return recorded.astype(np.float32) * _TO_OURS
        return None

    def _rate(self, world: dict[str, Any]) -> float:
        rate = self.fps or world.get("env_kwargs", {}).get("control_freq")
        if not isinstance(rate, int | float) or not 0 < rate <= 1000:
            raise UserError(f"its control_freq is {rate!r}; say how many frames a second: fps=20")
        return float(rate)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
