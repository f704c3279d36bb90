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
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from jaxtyping import Float32

from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import Item, Listing
from firsthand.episodes.episode import ACTION_SIZE, STATE_SIZE, Episode
from firsthand.episodes.formats.dataset_folder import Rooted, walk
from firsthand.episodes.formats.names import named_cameras, signal_name, some
from firsthand.episodes.formats.robomimic.demo import (
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
from firsthand.episodes.formats.robomimic.images import load_images
from firsthand.episodes.formats.salvage import salvage, to_single
from firsthand.episodes.jpeg import EncodedEpisode
from firsthand.episodes.storage.reader import EpisodeFile
from firsthand.episodes.tally import Tally
from firsthand.episodes.untrusted.hdf5 import open_hdf5
from firsthand.episodes.untrusted.trust import regular_file

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
    """

    fps: float | None = None
    """Frames a second; None takes the control_freq of env_args."""
    cameras: tuple[str, ...] = ()
    """Which ones to read, as `agentview_rgb`, or with a name to keep them under, as
    `rgb_static=agentview_rgb`; () reads all."""
    actions: Literal["auto", "osc_pose", "ours", "none"] = "auto"
    """`auto` takes steps and turns of robosuite's OSC_POSE controller, in its own units (`source`
    keeps its settings) and with the gripper turned round; `osc_pose` does it where a file does not
    say what they are; `ours` takes any seven numbers as they are; `none` leaves them to the
    signals."""
    upside_down: bool | None = None
    """Whether to turn images the right way up; None does it where a file says that it follows
    OpenGL, as LIBERO's do."""

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
                    found = {demo: data.get(demo) for demo in demo_names(map(str, data))}
                    demos = {n: Demo(g) for n, g in found.items() if isinstance(g, h5py.Group)}
                    listed = list(self._items(file, demos, path, name, ours))
                    oddities = [] if ours else self._oddities(file, demos)
            except UserError as error:
                lost.append((name, str(error)))
                continue
            items += listed
            strangers = [demo for demo in found if demo not in demos]
            lost += [(f"{name}/{demo}", "is named, but no demo is there") for demo in strangers]
            for note in oddities:
                notes.setdefault(note, []).append(name)
        lines = [f"{note}: {some(names)}" for note, names in notes.items()]
        return Listing(tuple(items), tuple(lost), tuple(lines), tally)

    def read(self, item: Item, tally: Tally) -> Iterator[Episode | EncodedEpisode]:
        name, demo = item.detail["file"], item.detail["demo"]
        path = self.inside(name)
        if item.detail["ours"]:
            with EpisodeFile(path) as file:
                yield file.read_encoded(demo)
        else:
            with open_hdf5(path) as file:
                episode, missing = self._episode(file, demo, item.name, tally)
            yield from salvage(episode, item.name, tally, missing)

    def _files(self, tally: Tally) -> list[Path]:
        if not self.root.is_dir():
            return [self.root]
        below = walk(self.root, self.links, tally).items()
        files = sorted(
            f / n for f, names in below for n in names if Path(n).suffix.lower() in _ENDINGS
        )
        if not files:
            tally.note(f"{self.root}: holds no file ending in {' or '.join(_ENDINGS)}")
        return files

    def _items(
        self, file: h5py.File, demos: dict[str, Demo], path: Path, name: str, ours: bool
    ) -> Iterator[Item]:
        masks, _ = load_masks(file)
        stamp = [regular_file(path), path.stat().st_mtime_ns]
        for demo, content in demos.items():
            splits = [split for split in SPLITS if demo in masks.get(split, ())]
            images = {} if ours else content.images
            pixels = sum(int(np.prod(d.shape[:3], dtype=object)) for d in images.values())
            yield Item(
                name=f"{name}/{demo}",
                group=f"{name}/{demo}",
                version=sha256(json.dumps([stamp, demo]).encode()).hexdigest()[:20],
                megabytes=pixels * _JPEG_BYTES / 1e6 or 1.0,
                split=splits[-1] if splits else "",
                detail={"file": "" if path == self.root else name, "demo": demo, "ours": ours},
            )

    def _oddities(self, file: h5py.File, demos: dict[str, Demo]) -> list[str]:
        notes = []
        masks, odd = load_masks(file)
        if odd:
            notes.append(f"masks that hold no names are not kept ({some(odd)})")
        if others := [mask for mask in masks if mask not in SPLITS]:
            notes.append(f"masks that are no splits are not kept ({some(others)})")
        named = [demo for split in SPLITS for demo in dict.fromkeys(masks.get(split, ()))]
        if twice := [demo for demo, count in Counter(named).items() if count > 1]:
            notes.append(f"demos of several splits are kept from learning ({some(twice)})")
        if removed := demo_names(set(named) - demos.keys()):
            notes.append(f"masks name demos that are not there ({some(removed)})")
        if any("next_obs" in demo.group for demo in demos.values()):
            notes.append("next_obs is not kept: it is obs one step later")
        if self._is_upside_down(file):
            notes.append("pictures are upside down and turned")
        left, blind, unsure = set(), [], []
        sizes: dict[int, list[str]] = {}  # numbers of an action -> demos
        for name, demo in demos.items():
            try:
                sizes.setdefault(demo.actions.shape[1], []).append(name)
                left |= set(demo.left)
            except UserError:
                continue  # told when it is read
            blind += [] if demo.images else [name]
            unsure += [name] if demo.stated is None and "num_samples" in demo.group.attrs else []
        if unsure:
            notes.append(f"num_samples is no number and not looked at ({some(unsure)})")
        if left:
            notes.append(
                f"not kept since they are not numbers of every frame ({some(sorted(left))})"
            )
        if blind:
            draws = "robomimic's dataset_states_to_obs.py draws them"
            notes.append(f"demos hold no pictures, {draws} ({some(blind)})")
        return [*notes, *self._oddities_of_actions(file, sizes)]

    def _oddities_of_actions(self, file: h5py.File, sizes: dict[int, list[str]]) -> list[str]:
        """What becomes of them, by the size that they have in some demos."""
        world, notes = load_world(file), []
        converted = self.actions == "osc_pose" or (self.actions == "auto" and is_osc_pose(world))
        if converted and ACTION_SIZE in sizes:
            notes.append("actions are OSC_POSE's, with the gripper turned round")
        kept = [size for size in sorted(sizes) if not (converted and size == ACTION_SIZE)]
        if kept and self.actions == "auto":
            counts = ", ".join(str(size) for size in kept)
            note = f"actions of {counts} numbers are kept as a signal, not as actions"
            if converted:
                names = demo_names(name for size in kept for name in sizes[size])
                note += f" ({some(names)})"
            if ACTION_SIZE in kept:
                note += "; source.actions=osc_pose or source.actions=ours takes them"
            if not world and self.upside_down is None and not is_opengl(file):
                note += "; pictures are as stored, LIBERO's want source.upside_down=true"
            notes.append(note)
        return notes

    def _is_upside_down(self, file: h5py.File) -> bool:
        return is_opengl(file) if self.upside_down is None else self.upside_down

    def _episode(
        self, file: h5py.File, name: str, item: str, tally: Tally
    ) -> tuple[Episode, dict[int, str]]:
        """A demo without what cannot be read, and which frames lack a picture."""
        group, world = open_group(open_group(file, "data"), name), load_world(file)
        demo = Demo(group)
        recorded = demo.load(demo.actions)
        order = -1 if self._is_upside_down(file) else 1
        frames, missing = self._frames(demo, len(recorded), order, item, tally)
        numbers: dict[str, np.ndarray] = {}
        for theirs, dataset in demo.numbers.items():
            try:
                numbers[theirs] = demo.load(dataset)
            except UserError as error:
                tally.lose("signal", f"{item}: {theirs}", str(error))
        state = numbers.get("state")
        if state is not None and state.shape[1:] == (STATE_SIZE,):
            state = to_single(numbers.pop("state"))
        else:
            state = None
        signals = {"recorded_actions": recorded}
        for theirs, values in numbers.items():
            if (ours := signal_name(theirs)) in signals:
                tally.lose("signal", f"{item}: {theirs}", f"would be called {ours}, as another")
            signals.setdefault(ours, values)
        controller = world.get("env_kwargs", {}).get("controller_configs")
        known = {"env_name": world.get("env_name"), "controller": controller}
        return Episode(
            frames,
            self._rate(world),
            find_instruction(file, group, tally, item),
            state=state,
            actions=self._actions(recorded, world),
            signals=signals,
            source={"origin": self.origin} | {k: v for k, v in known.items() if v is not None},
        ), missing

    def _frames(
        self, demo: Demo, count: int, order: int, item: str, tally: Tally
    ) -> tuple[dict[str, np.ndarray], dict[int, str]]:
        """The cameras that can be used, and which frames lack a picture of one."""
        frames: dict[str, np.ndarray] = {}
        missing: dict[int, str] = {}
        faults: dict[str, str] = {}
        for camera, theirs in named_cameras(self.root, self.cameras, list(demo.images)).items():
            name = str(demo.images[theirs].name)
            try:
                images, lacking = load_images(demo.group, name, count)
            except UserError as error:
                faults[theirs] = str(error)
                continue
            frames[camera] = np.ascontiguousarray(images[:, ::order])
            missing |= {frame: f"{theirs} {reason}" for frame, reason in lacking.items()}
        if faults and not frames:
            raise UserError("; ".join(f"{theirs} {why}" for theirs, why in faults.items()))
        for theirs, reason in faults.items():
            tally.lose("signal", f"{item}: {theirs}", reason)
        return frames, missing

    def _actions(
        self, recorded: np.ndarray, world: dict[str, Any]
    ) -> Float32[np.ndarray, "t 7"] | None:
        size = recorded.shape[1]
        if self.actions in ("ours", "osc_pose") and size != ACTION_SIZE:
            raise UserError(
                f"actions={self.actions} needs {ACTION_SIZE} numbers a frame, not {size}"
            )
        if self.actions == "ours":
            return to_single(recorded)
        osc_pose = self.actions == "auto" and size == ACTION_SIZE and is_osc_pose(world)
        return to_single(recorded) * _TO_OURS if osc_pose or self.actions == "osc_pose" else None

    def _rate(self, world: dict[str, Any]) -> float:
        rate = self.fps or world.get("env_kwargs", {}).get("control_freq")
        if not isinstance(rate, int | float) or not 0 < rate <= 1000:
            raise UserError(f"its control_freq is {rate!r}; say how many frames a second: fps=20")
        return float(rate)
