"""CALVIN's recordings (Mees et al. 2022): a file for every thirtieth of a second of play.

    task_X/training, task_X/validation
        episode_0000000.npz …                the frames; ids may have gaps
        ep_start_end_ids.npy                 (n, 2): first and last frame of every play trajectory
        lang_annotations/auto_lang_ann.npy   sentences for windows of at most 64 frames
        scene_info.npy, statistics.yaml      which frames show which scene; means and deviations

Layout: https://github.com/mees/calvin/tree/main/dataset. What is known to be wrong in published
copies is found and told in the listing's notes (`episodes.formats.calvin.folder`).
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import Item, Listing
from firsthand.episodes.episode import ACTION_SIZE, STATE_SIZE, Episode, Narration
from firsthand.episodes.formats.calvin.folder import FPS, Folder, frame_name
from firsthand.episodes.formats.calvin.language import Annotation
from firsthand.episodes.formats.dataset_folder import Rooted
from firsthand.episodes.formats.salvage import most_common, salvage, to_single
from firsthand.episodes.tally import Tally
from firsthand.episodes.untrusted.npz import load_npz

SPLITS = {"training": "train", "validation": "valid"}
_JPEG_SHARE = 0.15  # of a frame's file that its two pictures take as JPEG
_SHAPES = {"robot_obs": (STATE_SIZE,), "rel_actions": (ACTION_SIZE,)}
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, kw_only=True)
class Calvin(Rooted):
    """A split of CALVIN, or its training or validation folder alone.

    `state` is robot_obs and `actions` are rel_actions, in single precision. The trajectory that a
    window was cut from is its group.
    """

    episodes: Literal["language", "play"] = "language"
    """`language` makes a recording of every window with a sentence, which is its instruction;
    `play` takes the trajectories whole, the sentences as narrations."""
    cameras: tuple[str, ...] = ("rgb_static", "rgb_gripper")
    """Whose images to keep."""
    signals: tuple[str, ...] = ("actions", "scene_obs")
    """What else to keep of every frame; `actions` are the absolute ones, which become
    `absolute_actions`. Also robot_obs, depth_static, depth_gripper, rgb_tactile, …."""
    seconds: float = 20.0
    """Play that is longer becomes several recordings of at most this length."""

    def __post_init__(self) -> None:
        if not self.seconds * FPS >= 1:
            raise UserError(f"{self.seconds} s at {FPS} fps hold no frame")

    @property
    def origin(self) -> str:
        return "calvin"

    def listing(self) -> Listing:
        items_of = self._windows if self.episodes == "language" else self._parts
        items, notes, tally = [], [], Tally()
        folders, lost = self._folders()
        for folder in folders:
            kept, items_lost = items_of(folder)
            items += kept
            lost += items_lost
            rows = [(f"{folder.name}/{name}", why) for name, why in folder.language.lost]
            played = [(f"{folder.name}/{name}", why) for name, why in folder.lost]
            if self.episodes == "language":
                lost += rows
                notes += [f"{name} {why}" for name, why in played]
            else:
                lost += played
                self._count_sentences(folder, rows, tally)
            notes += [f"{folder.name}: {note}" for note in folder.notes]
        if not items and not lost:
            raise UserError(f"{self.root}: says nothing about any frame; episodes=play reads it")
        return Listing(tuple(items), tuple(lost), tuple(notes), tally)

    def _count_sentences(
        self, folder: Folder, malformed: list[tuple[str, str]], tally: Tally
    ) -> None:
        """Those of play: they are in a trajectory, or lost."""
        for name, reason in malformed:
            tally.lose("sentence", name, reason)
        for annotation in folder.language.annotations:
            try:
                folder.trajectory_of(annotation.first, annotation.end)
                tally.use("sentence")
            except UserError as error:
                where = f"{folder.name}/{annotation.first:07d}-{annotation.end - 1:07d}"
                tally.lose("sentence", where, str(error))

    def _folders(self) -> tuple[list[Folder], list[tuple[str, str]]]:
        """The folders that can be read, and why another cannot.

        Raises:
            UserError: there is none.
        """
        names = [name for name in SPLITS if self.inside(name).is_dir()]
        if (self.root / "ep_start_end_ids.npy").is_file():
            return [Folder(self.root, self.root.absolute().name)], []
        if not names:
            raise UserError(
                f"{self.root}: is no split of CALVIN: it holds neither ep_start_end_ids.npy nor "
                f"a folder {' or '.join(SPLITS)}"
            )
        folders, lost = [], []
        for name in names:
            try:
                folders.append(Folder(self.root / name, name))
            except UserError as error:
                lost.append((name, str(error)))
        if not folders:
            raise UserError(lost[0][1])
        return folders, lost

    def _windows(self, folder: Folder) -> tuple[list[Item], list[tuple[str, str]]]:
        """An item for every annotated window."""
        items, lost = [], []
        times: dict[tuple[int, int], int] = {}
        for annotation in folder.language.annotations:
            window = (annotation.first, annotation.end)
            times[window] = times.get(window, 0) + 1
            name = f"{folder.name}/{annotation.first:07d}-{annotation.end - 1:07d}"
            name += f" ({times[window]})" if times[window] > 1 else ""
            try:
                items.append(self._item(folder, name, *window, instruction=annotation))
            except UserError as error:
                lost.append((name, str(error)))
        return items, lost

    def _parts(self, folder: Folder) -> tuple[list[Item], list[tuple[str, str]]]:
        """Items for every trajectory, cut into parts of about the same length."""
        items, lost = [], []
        for first, last in folder.trajectories.tolist():
            for start, end in parts(first, last + 1, int(self.seconds * FPS)):
                annotations = folder.annotations_within(start, end)
                name = f"{folder.name}/{start:07d}-{end - 1:07d}"
                try:
                    items.append(self._item(folder, name, start, end, narrations=annotations))
                except UserError as error:
                    lost.append((name, str(error)))
        return items, lost

    def _item(
        self,
        folder: Folder,
        name: str,
        first: int,
        end: int,
        instruction: Annotation | None = None,
        narrations: Sequence[Annotation] = (),
    ) -> Item:
        """Raises `UserError` when frames are missing, or are not of one trajectory."""
        trajectory = folder.trajectory_of(first, end)
        size, version = folder.fingerprint(first, end)
        annotations = [instruction] if instruction else narrations
        texts = [[a.first, a.end, a.text, a.task] for a in annotations]
        detail: dict[str, Any] = {
            "folder": "" if folder.path == self.root else folder.name,
            "first": first,
            "end": end,
            "texts": texts,
            "trajectory": trajectory,
            "scene": folder.scene_of(trajectory),
        }
        return Item(
            name=name,
            group=f"{folder.name}/{trajectory:07d}",
            version=version,
            megabytes=size * _JPEG_SHARE / 1e6,
            split=SPLITS.get(folder.name, ""),
            detail=detail,
        )

    def read(self, item: Item, tally: Tally) -> Iterator[Episode]:
        detail = item.detail
        first, end = detail["first"], detail["end"]
        frames, missing, left_out = self._frames(detail["folder"], first, end)
        names = {"actions": "absolute_actions"}
        for key, reason in left_out.items():
            tally.lose("signal", f"{item.name}: {names.get(key, key)}", reason)
        source = {
            "origin": self.origin,
            "split": item.name.partition("/")[0],
            "frames": [first, end - 1],
            "trajectory": detail["trajectory"],
        }
        source |= {"scene": detail["scene"]} if detail["scene"] else {}
        instruction, narrations = "", ()
        if self.episodes == "language":
            ((_, _, instruction, task),) = detail["texts"]
            source |= {"task": task} if task else {}
        else:
            narrations = tuple(
                Narration(max(a - first, 0) / FPS, (min(b, end) - first) / FPS, text)
                for a, b, text, _ in detail["texts"]
            )
        episode = Episode(
            {camera: frames[camera] for camera in self.cameras if camera in frames},
            float(FPS),
            instruction,
            narrations,
            state=to_single(frames["robot_obs"]),
            actions=to_single(frames["rel_actions"]),
            signals={names.get(s, s): frames[s] for s in self.signals if s in frames},
            source=source,
        )
        yield from salvage(episode, item.name, tally, missing)

    def _frames(
        self, folder: str, first: int, end: int
    ) -> tuple[dict[str, np.ndarray], dict[int, str], dict[str, str]]:
        """Every key of the frames from `first` up to `end`, stacked (zeros where one cannot be
        used), and why those cannot; and the cameras and signals that are left out, and why.

        Raises:
            UserError: no frame can be used, or no camera.
        """
        keys = list(dict.fromkeys((*_SHAPES, *self.cameras, *self.signals)))
        found: dict[str, dict[int, np.ndarray]] = {key: {} for key in keys}
        wrong: dict[str, dict[int, str]] = {key: {} for key in keys}
        for index, frame in enumerate(range(first, end)):
            values, faults = self._load(folder, frame, keys)
            for key in keys:
                if key in values:
                    found[key][index] = values[key]
                else:
                    wrong[key][index] = faults[key]
        for key, values in found.items():
            wrong[key] |= _odd_ones(key, values)
        lost = wrong["rel_actions"] | wrong["robot_obs"]
        left_out, count = {}, end - first - len(lost)
        for camera, without in [(c, _but(wrong[c], lost)) for c in self.cameras]:
            if 2 * len(without) > count:
                why = without[min(without)]
                left_out[camera] = f"lacks {len(without)} of {count} pictures: {why}"
            else:
                lost |= without
        if len(lost) == end - first:
            raise UserError(f"none of its {end - first} frames can be used: {lost[0]}")
        if self.cameras and left_out.keys() >= {*self.cameras}:
            raise UserError("; ".join(f"{camera} {why}" for camera, why in left_out.items()))
        for signal in self.signals:
            if without := _but(wrong[signal], lost):
                frame = min(without)
                left_out[signal] = f"{without[frame]} (frame {first + frame})"
        kept = {key: _but(values, lost) for key, values in found.items() if key not in left_out}
        return {key: _stacked(v, end - first) for key, v in kept.items()}, lost, left_out

    def _load(
        self, folder: str, frame: int, keys: Sequence[str]
    ) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """What a frame holds under the keys, and why it holds nothing under others: a damaged
        array costs itself alone."""
        path = self.root / folder / frame_name(frame)
        try:
            values = load_npz(self.inside(Path(folder, path.name)), keys)
        except UserError as error:
            if len(keys) == 1:
                return {}, {keys[0]: str(error).removeprefix(f"{path}: ")}
            values, faults = {}, {}
            for key in keys:
                one, fault = self._load(folder, frame, [key])
                values, faults = values | one, faults | fault
            return values, faults
        faults = {key: why for key, v in values.items() if (why := self._why_not(key, v))}
        return _but(values, faults), faults

    def _why_not(self, key: str, value: np.ndarray) -> str:
        """Why an array is not what its key promises, or ""."""
        is_image = value.dtype == np.uint8 and value.ndim == 3 and value.shape[2] == 3
        if key in self.cameras and not is_image:
            return f"{key} is {value.dtype} {value.shape}, no picture (h, w, 3) of uint8"
        numbers = value.dtype.kind == "f" and value.shape == _SHAPES.get(key, value.shape)
        if key in _SHAPES and not numbers:
            return f"{key} is {value.dtype} {value.shape}, not {_SHAPES[key]} of floats"
        if value.dtype.kind not in "biuf":
            return f"{key} is {value.dtype}, no numbers"
        if key in _SHAPES and not np.isfinite(value).all():
            return f"{key} is not finite"
        return ""


def _odd_ones(key: str, values: dict[int, np.ndarray]) -> dict[int, str]:
    """Which frames hold another kind of array than most, and what."""
    kinds = {frame: (value.dtype, value.shape) for frame, value in values.items()}
    usual = most_common(kinds.values())
    return {
        frame: f"{key} is {kind[0]} {kind[1]}, that of others {usual[0]} {usual[1]}"
        for frame, kind in kinds.items()
        if usual and kind != usual
    }


def _stacked(values: dict[int, np.ndarray], count: int) -> np.ndarray:
    """The arrays of `count` frames in one, zeros where there is none."""
    one = next(iter(values.values()))
    stacked = np.zeros((count, *one.shape), one.dtype)
    for frame, value in values.items():
        stacked[frame] = value
    return stacked


def _but(values: dict[K, V], left: Container[K]) -> dict[K, V]:
    return {key: value for key, value in values.items() if key not in left}


def parts(first: int, end: int, longest: int) -> list[tuple[int, int]]:
    """Cut first … end - 1 into the fewest stretches of at most `longest`, about equally long."""
    count = -(-(end - first) // longest)
    cuts = [first + (end - first) * part // count for part in range(count + 1)]
    return list(zip(cuts, cuts[1:], strict=False))
