"""Datasets of LeRobot (Cadene et al. 2024), versions 2.0, 2.1 and 3.0: parquet and mp4."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np

from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import Item, Listing
from firsthand.episodes.episode import ACTION_SIZE, STATE_SIZE
from firsthand.episodes.formats.dataset_folder import Rooted
from firsthand.episodes.formats.lerobot.images import NoColoursError, decoded, embedded, encode
from firsthand.episodes.formats.lerobot.language import file_stamp, restored, sentences, tasks_path
from firsthand.episodes.formats.lerobot.layout import (
    ACTION_NAMES,
    BOOKKEEPING,
    CLOCK,
    STATE_NAMES,
    Feature,
    LeRobotInfo,
)
from firsthand.episodes.formats.lerobot.rows import load_rows
from firsthand.episodes.formats.lerobot.values import columns_of, frame_by_frame, to_numbers
from firsthand.episodes.formats.names import named_cameras, signal_name, some
from firsthand.episodes.formats.salvage import salvage, to_single
from firsthand.episodes.jpeg import QUALITY, EncodedEpisode, EncodedFrames
from firsthand.episodes.tally import Tally
from firsthand.episodes.untrusted.trust import is_there

_LATE = 0.05  # of a period, by which a time stamp may miss its place
_JPEG_BYTES = 0.3  # a pixel
_PARTS = {  # of an episode: the usual feature, what its numbers are called when they are ours
    "state": ("observation.state", STATE_NAMES, STATE_SIZE),
    "actions": ("action", ACTION_NAMES, ACTION_SIZE),
    "executed": ("executed_action", ACTION_NAMES, ACTION_SIZE),
}


@dataclass(frozen=True, kw_only=True)
class LeRobot(Rooted):
    """A LeRobot dataset; every episode is a recording.

    The sentence of an episode's frames is its instruction; where frames have different ones, they
    are narrations. Numbers keep their names and types as signals.
    """

    cameras: tuple[str, ...] = ()
    """Which ones to read, as `observation.images.front`, or with a name to keep them under, as
    `rgb_static=observation.images.front`; () reads all, each under the last part of its name."""
    state: str = "auto"
    """The feature that is CALVIN's robot_obs (15 numbers), empty if none is; `auto` takes
    observation.state when its numbers are called as in
    `episodes.formats.lerobot.layout.STATE_NAMES`."""
    actions: str = "auto"
    """The feature that holds relative actions as ours are (7 numbers), likewise."""
    size: int | None = None
    """Edge of the square that is cut from the middle of images and scaled, in pixels; None keeps
    them as they are."""
    quality: int = QUALITY
    """Of the JPEG images, 1 to 100."""

    def __post_init__(self) -> None:
        if self.size is not None and not 1 <= self.size <= 4096:
            raise UserError(f"the size of pictures must be 1 to 4096 pixels, not {self.size}")
        if not 1 <= self.quality <= 100:
            raise UserError(f"JPEG quality must be 1 to 100, not {self.quality}")

    @property
    def origin(self) -> str:
        return "lerobot"

    def listing(self) -> Listing:
        layout = LeRobotInfo(self.root)
        cameras = self._cameras(layout.features)
        video_features = [t for t in cameras.values() if layout.features[t].kind == "video"]
        tasks = file_stamp(tasks_path(self.root, layout.version))
        splits = _splits(layout)
        stamp = cache(lambda path: file_stamp(self.inside(path)))  # episodes share files
        there = cache(lambda path: is_there(self.inside(path)))
        rows = load_rows(layout, self.inside)
        items, missing = [], {theirs: list[str]() for theirs in video_features}
        for row in rows.found:
            try:
                present = {
                    t: v for t, v in row.videos.items() if t in video_features and there(v[0])
                }
                faults = {t: why for t, why in row.faults.items() if t in video_features}
                if video_features and not present and len(video_features) == len(cameras):
                    if faults:
                        raise UserError("; ".join(f"{t} {why}" for t, why in faults.items()))
                    rows.absent.add(row.name)
                    continue
                stamps = [stamp(path) for path in (row.data, *(v[0] for v in present.values()))]
            except UserError as error:
                rows.lost[row.name] = str(error)
                continue
            for theirs in video_features:
                missing[theirs] += [] if theirs in present or theirs in faults else [row.name]
            detail = asdict(replace(row, videos=present, faults=faults))
            version = sha256(json.dumps([detail, stamps, tasks]).encode()).hexdigest()[:20]
            pixels = sum(self._pixels(layout.features[theirs]) for theirs in cameras.values())
            split = next((s for s, indices in splits.items() if row.index in indices), "")
            megabytes = row.length * pixels * _JPEG_BYTES / 1e6
            items.append(Item(row.name, row.name, version, megabytes, split, detail))
        notes = self._notes(layout, len(items) + len(rows.lost) + len(rows.absent))
        missing = {"data": sorted(rows.absent), **missing}
        notes += [
            f"{what} of {len(names)} episodes is not downloaded: {some(names)}"
            for what, names in missing.items()
            if names
        ]
        return Listing(tuple(items), tuple(sorted(rows.lost.items())), tuple(notes))

    def read(self, item: Item, tally: Tally) -> Iterator[EncodedEpisode]:
        layout, detail = LeRobotInfo(self.root), item.detail
        parts = self._parts(layout.features)
        numbers, stills, faults = self._values(layout, detail, tuple(parts.values()))
        frames, missing = self._images(layout, detail, stills, faults, tally)
        signals: dict[str, np.ndarray] = {}
        for name, values in numbers.items():
            if name in BOOKKEEPING or name in parts.values():
                continue
            if (ours := signal_name(name)) in signals:
                faults[name] = f"would be called {ours}, as another"
            signals.setdefault(ours, values)
        for name in [name for name in faults if name != "task_index"]:
            tally.lose("signal", f"{item.name}: {name}", faults[name])
        sentence = sentences(self.root, layout, numbers.get("task_index"), item.name, tally)
        source = {"origin": self.origin, "episode": detail["index"], "robot": layout.robot}
        instruction, narrations, source = restored(detail["ours"], *sentence, source)
        episode = EncodedEpisode(
            frames,
            layout.fps,
            instruction,
            narrations,
            **{part: to_single(numbers[theirs]) for part, theirs in parts.items()},
            signals=dict(sorted(signals.items())),
            source=source,
        )
        yield from salvage(episode, item.name, tally, missing)

    def _values(
        self, layout: LeRobotInfo, detail: Mapping[str, Any], parts: Sequence[str]
    ) -> tuple[dict[str, np.ndarray], dict[str, list[Any]], dict[str, str]]:
        """An episode's numbers and its pictures in the parquet file, by the names of features; and
        why those are not there that one can do without."""
        features = layout.features
        cameras = self._cameras(features).values()
        stills = [n for n, f in features.items() if f.kind == "image" and n in cameras]
        kept = [n for n, f in features.items() if f.is_number and n != "index"]
        first, length = detail["first_row"], detail["length"]
        rows = None if first is None else (first, first + length)
        path = self.inside(detail["data"])
        columns, faults = columns_of(path, [*kept, *stills], rows)
        numbers = {}
        for name in [name for name in kept if name in columns]:
            try:
                numbers[name] = to_numbers(columns[name], features[name])
            except UserError as error:
                if name in parts:  # a frame that is damaged may be lost alone
                    numbers[name] = frame_by_frame(columns[name], features[name].shape[0])
                else:
                    faults[name] = str(error)
        for name in (*CLOCK, *parts):
            if name in faults:
                raise UserError(f"{name} {faults[name]}")
        if not length or len(numbers["timestamp"]) != length:
            has = f"{path.name} has {len(numbers['timestamp'])}"
            raise UserError(f"is {length} frames long, but {has}")
        _check_rows(numbers, detail["index"], layout.fps)
        cells = {name: columns[name].to_pylist() for name in stills if name in columns}
        return numbers, cells, faults

    def _images(
        self,
        layout: LeRobotInfo,
        detail: Mapping[str, Any],
        stills: Mapping[str, list[Any]],
        faults: dict[str, str],
        tally: Tally,
    ) -> tuple[dict[str, EncodedFrames], dict[int, str]]:
        """The cameras that can be used, the others told to `faults`; and which frames lack one."""
        period = 1 / Fraction(layout.fps)
        frames: dict[str, EncodedFrames] = {}
        missing: dict[int, str] = {}
        cameras = self._cameras(layout.features)
        for camera, theirs in cameras.items():
            if theirs in stills:
                images = embedded(stills[theirs])
            elif theirs in detail["videos"]:
                video, start = detail["videos"][theirs]
                times = [Fraction(start) + k * period for k in range(detail["length"])]
                images = decoded(self.inside(video), times, period)
            else:
                faults |= {t: why for t, why in detail["faults"].items() if t == theirs}
                continue
            try:
                frames[camera], lacking = encode(images, self.size, self.quality)
                missing |= {frame: f"{theirs} {reason}" for frame, reason in lacking.items()}
            except NoColoursError as error:
                if self.cameras:
                    faults[theirs] = str(error)
                else:
                    tally.note(f"{theirs} {error}; it is not read")
            except UserError as error:
                faults[theirs] = str(error)
        if not frames and (failed := [theirs for theirs in cameras.values() if theirs in faults]):
            raise UserError(f"{failed[0]} {faults[failed[0]]}")
        return frames, missing

    def _pixels(self, feature: Feature) -> int:
        return self.size**2 if self.size else feature.shape[0] * feature.shape[1]

    def _cameras(self, features: Mapping[str, Feature]) -> dict[str, str]:
        """Our name -> the feature."""
        there = [n for n, f in features.items() if f.is_image and (self.cameras or not f.is_depth)]
        return named_cameras(self.root, self.cameras, there)

    def _parts(self, features: Mapping[str, Feature]) -> dict[str, str]:
        """What in an episode is not a signal -> the feature that it is."""
        found = {}
        for part, (usual, names, size) in _PARTS.items():
            chosen = {"state": self.state, "actions": self.actions}.get(part, "auto")
            if chosen == "auto":
                feature = features.get(usual)
                if feature and (feature.shape, feature.names) == ((size,), names):
                    found[part] = usual
            elif chosen:
                feature = features.get(chosen)
                if feature is None or feature.shape != (size,) or "float" not in feature.kind:
                    there = "is not there" if feature is None else f"is {feature.shape}"
                    raise UserError(f"{self.root}: {part}={chosen} {there}, not {size} floats")
                found[part] = chosen
        return found

    def _notes(self, layout: LeRobotInfo, found: int) -> list[str]:
        notes = []
        if (announced := layout.info.get("total_episodes")) != found:
            notes.append(f"info.json announces {announced} episodes, {found} are listed")
        features = layout.features.items()
        others = [(n, f) for n, f in features if not f.is_number and n not in BOOKKEEPING]
        if deep := [n for n, f in others if f.is_depth and not self.cameras]:
            notes.append(f"cameras of distances are not read: {', '.join(deep)}")
        if texts := [n for n, f in others if f.kind == "string"]:
            notes.append(f"texts of every frame are not kept: {', '.join(texts)}")
        known = ("string", "video", "image")
        if left := [f"{n} ({f.kind:.30})" for n, f in others if f.kind not in known]:
            notes.append(f"columns that hold no numbers are not kept: {', '.join(left)}")
        parts = self._parts(layout.features)
        for part, (usual, _, size) in _PARTS.items():
            feature = layout.features.get(usual)
            if feature and feature.is_number and part not in parts:
                shape = feature.shape
                advice = (
                    f"; {part}={usual} if they are the same as ours" if shape == (size,) else ""
                )
                notes.append(f"{usual} {list(shape)} is kept as a signal, not as {part}{advice}")
        return notes


def _splits(layout: LeRobotInfo) -> dict[str, range]:
    """The numbers of the episodes in each split; {} unless there are several."""
    stated = layout.info.get("splits")
    splits = {}
    for name, text in stated.items() if isinstance(stated, dict) else ():
        first, colon, end = str(text)[:40].partition(":")
        if colon and first.isdecimal() and end.isdecimal():
            name = "valid" if name in ("val", "validation") else name
            splits[name] = range(int(first), int(end))
    return splits if len(splits) > 1 else {}


def _check_rows(numbers: Mapping[str, np.ndarray], index: int, fps: float) -> None:
    """Raises `UserError` unless the rows are all frames of the episode, at a constant rate."""
    times = numbers["timestamp"].astype(np.float64)
    expected = np.arange(len(times))
    if (numbers["episode_index"] != index).any() or (numbers["frame_index"] != expected).any():
        raise UserError(f"its rows are not the frames 0 to {len(times) - 1} of episode {index}")
    unsure = np.spacing(np.abs(times).astype(np.float32))  # what single precision cannot tell
    in_time = np.abs(times - expected / fps) <= _LATE / fps + unsure
    if not in_time.all():
        frame = int(np.argmin(in_time))
        raise UserError(f"its frame {frame} is at {times[frame]:.4f} s, not {frame / fps:.4f} s")
