"""Datasets of LeRobot (Cadene et al. 2024), versions 2.0, 2.1 and 3.0: parquet and mp4."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from episodes.episode import ACTION_SIZE, STATE_SIZE, Narration
from episodes.errors import UserError
from episodes.jpeg import QUALITY, EncodedEpisode, EncodedFrames
from episodes.lerobot_layout import ACTION_NAMES, BOOKKEEPING, OURS, STATE_NAMES, Feature, Layout
from episodes.lerobot_rows import load_rows
from episodes.lerobot_values import (
    decoded,
    embedded,
    load_rows_of,
    load_tasks,
    square,
    tasks_path,
    to_numbers,
)
from episodes.names import named_cameras, plain_name
from episodes.rooted import Rooted
from episodes.source import Item, Listing
from episodes.tally import Tally
from episodes.trust import regular_file

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

    Attributes:
        cameras: which ones to read, as "observation.images.front", or with a name to keep them
            under, as "rgb_static=observation.images.front"; () reads all, each under the last part
            of its name.
        state: the feature that is CALVIN's robot_obs (15 numbers), "" if none is; "auto" takes
            observation.state when its numbers are called as in `lerobot_layout.STATE_NAMES`.
        actions: the feature that holds relative actions as ours are (7 numbers), likewise.
        size: edge of the square that is cut from the middle of pictures and scaled; None keeps
            them as they are.
        quality: of the JPEG pictures.
    """

    cameras: tuple[str, ...] = ()
    state: str = "auto"
    actions: str = "auto"
    size: int | None = None
    quality: int = QUALITY

    def __post_init__(self) -> None:
        if self.size is not None and not 1 <= self.size <= 4096:
            raise UserError(f"the size of pictures must be 1 to 4096 pixels, not {self.size}")
        if not 1 <= self.quality <= 100:
            raise UserError(f"JPEG quality must be 1 to 100, not {self.quality}")

    @property
    def origin(self) -> str:
        return "lerobot"

    def listing(self) -> Listing:
        layout = Layout(self.root)
        cameras = self._cameras(layout.features)
        tasks = _stamp(tasks_path(self.root))
        splits = _splits(layout)
        stamp = cache(lambda path: _stamp(self.inside(path)))  # episodes share files
        items, lost = [], []
        for row in load_rows(layout):
            name, detail = f"episode_{row.index:06d}", asdict(row)
            shown = [row.videos[theirs][0] for theirs in cameras.values() if theirs in row.videos]
            try:
                stamps = [stamp(path) for path in (row.data, *shown)]
            except UserError as error:
                lost.append((name, str(error)))
                continue
            version = sha256(json.dumps([detail, stamps, tasks]).encode()).hexdigest()[:20]
            pixels = sum(self._pixels(layout.features[theirs]) for theirs in cameras.values())
            split = next((s for s, indices in splits.items() if row.index in indices), "")
            megabytes = row.length * pixels * _JPEG_BYTES / 1e6
            items.append(Item(name, name, version, megabytes, split, detail))
        notes = self._notes(layout, len(items) + len(lost))
        return Listing(tuple(items), tuple(lost), tuple(notes))

    def read(self, item: Item, tally: Tally) -> Iterator[EncodedEpisode]:
        layout, detail = Layout(self.root), item.detail
        parts = self._parts(layout.features)
        numbers, stills = self._values(layout, detail)
        said = _said(self.root, numbers["task_index"], layout.fps)
        kept = [n for n in numbers if n not in BOOKKEEPING and n not in parts.values()]
        signals = {plain_name(name): numbers[name] for name in kept}
        if len(signals) < len(kept):
            raise UserError(f"its features {', '.join(kept)} would get the same names")
        source = {"origin": self.origin, "episode": detail["index"], "robot": layout.robot}
        instruction, narrations, source = _restored(detail["ours"], *said, source)
        yield EncodedEpisode(
            self._pictures(layout, detail, stills),
            layout.fps,
            instruction,
            narrations,
            **{part: numbers[theirs].astype(np.float32) for part, theirs in parts.items()},
            signals=signals,
            source=source,
        )

    def _values(
        self, layout: Layout, detail: Mapping[str, Any]
    ) -> tuple[dict[str, np.ndarray], dict[str, list[Any]]]:
        """An episode's numbers and its pictures in the parquet file, by the names of features."""
        cameras = self._cameras(layout.features).values()
        features = layout.features.items()
        stills = [n for n, feature in features if feature.kind == "image" and n in cameras]
        kept = {n: f for n, f in features if not f.is_picture and f.kind != "string"}
        first, length = detail["first_row"], detail["length"]
        rows = None if first is None else (first, first + length)
        path = self.inside(detail["data"])
        table = load_rows_of(path, [*kept, *stills], rows)
        if not length or len(table) != length:
            raise UserError(f"is {length} frames long, but {path.name} has {len(table)}")
        numbers = {}
        for name, feature in kept.items():
            try:
                numbers[name] = to_numbers(table.column(name), feature)
            except UserError as error:
                raise UserError(f"{name} {error}") from None
        _check_rows(numbers, detail["index"], layout.fps)
        return numbers, {name: table.column(name).to_pylist() for name in stills}

    def _pictures(
        self, layout: Layout, detail: Mapping[str, Any], stills: Mapping[str, list[Any]]
    ) -> dict[str, EncodedFrames]:
        period = 1 / Fraction(layout.fps)
        frames = {}
        for camera, theirs in self._cameras(layout.features).items():
            if theirs in stills:
                seen = embedded(stills[theirs])
            else:
                video, start = detail["videos"][theirs]
                times = [Fraction(start) + k * period for k in range(detail["length"])]
                seen = decoded(self.inside(video), times, period)
            seen = square(seen, self.size) if self.size else seen
            try:
                frames[camera] = EncodedFrames.encode(seen, self.quality)
            except UserError as error:
                raise UserError(f"{theirs} {error}") from None
        return frames

    def _pixels(self, feature: Feature) -> int:
        return self.size**2 if self.size else feature.shape[0] * feature.shape[1]

    def _cameras(self, features: Mapping[str, Feature]) -> dict[str, str]:
        """Our name -> the feature."""
        there = [name for name, feature in features.items() if feature.is_picture]
        return named_cameras(self.root, self.cameras, there)

    def _parts(self, features: Mapping[str, Feature]) -> dict[str, str]:
        """What in an episode is not a signal -> the feature that it is."""
        found = {}
        for part, (usual, names, size) in _PARTS.items():
            asked = {"state": self.state, "actions": self.actions}.get(part, "auto")
            if asked == "auto":
                feature = features.get(usual)
                if feature and (feature.shape, feature.names) == ((size,), names):
                    found[part] = usual
            elif asked:
                feature = features.get(asked)
                if feature is None or feature.shape != (size,) or "float" not in feature.kind:
                    there = "is not there" if feature is None else f"is {feature.shape}"
                    raise UserError(f"{self.root}: {part}={asked} {there}, not {size} floats")
                found[part] = asked
        return found

    def _notes(self, layout: Layout, found: int) -> list[str]:
        notes = []
        if (announced := layout.info.get("total_episodes")) != found:
            notes.append(f"info.json announces {announced} episodes, {found} are listed")
        texts = [name for name, feature in layout.features.items() if feature.kind == "string"]
        if texts:
            notes.append(f"texts of every frame are not kept: {', '.join(texts)}")
        parts = self._parts(layout.features)
        for part, (usual, _, size) in _PARTS.items():
            if part not in parts and usual in layout.features:
                shape = layout.features[usual].shape
                advice = (
                    f"; {part}={usual} if they are the same as ours" if shape == (size,) else ""
                )
                notes.append(f"{usual} {list(shape)} is kept as a signal, not as {part}{advice}")
        return notes


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of a file."""
    return regular_file(path), path.stat().st_mtime_ns


def _splits(layout: Layout) -> dict[str, range]:
    """The numbers of the episodes in each split; {} unless there are several."""
    said = layout.info.get("splits")
    splits = {}
    for name, text in said.items() if isinstance(said, dict) else ():
        first, colon, end = str(text)[:40].partition(":")
        if colon and first.isdecimal() and end.isdecimal():
            name = "valid" if name in ("val", "validation") else name
            splits[name] = range(int(first), int(end))
    return splits if len(splits) > 1 else {}


def _check_rows(numbers: Mapping[str, np.ndarray], index: int, fps: float) -> None:
    """Raises `UserError` unless the rows are all frames of the episode, at a constant rate."""
    times = numbers["timestamp"].astype(np.float64)
    places = np.arange(len(times))
    if (numbers["episode_index"] != index).any() or (numbers["frame_index"] != places).any():
        raise UserError(f"its rows are not the frames 0 to {len(times) - 1} of episode {index}")
    unsure = np.spacing(np.abs(times).astype(np.float32))  # what single precision cannot tell
    in_time = np.abs(times - places / fps) <= _LATE / fps + unsure
    if not in_time.all():
        frame = int(np.argmin(in_time))
        raise UserError(f"its frame {frame} is at {times[frame]:.4f} s, not {frame / fps:.4f} s")


def _said(
    root: Path, tasks: Int64[np.ndarray, "t"], fps: float
) -> tuple[str, tuple[Narration, ...]]:
    """The sentence of all frames, or those of the stretches that have the same."""
    path = tasks_path(root)
    texts = load_tasks(path, _stamp(path))
    if unknown := set(tasks.tolist()) - set(texts):
        raise UserError(f"its task {min(unknown)} is not in {path.name}")
    cuts = [0, *(np.flatnonzero(np.diff(tasks)) + 1).tolist(), len(tasks)]
    said = [
        Narration(first / fps, end / fps, texts[int(tasks[first])])
        for first, end in zip(cuts, cuts[1:], strict=False)
    ]
    return (said[0].text, ()) if len(said) == 1 else ("", tuple(n for n in said if n.text))


def _restored(
    ours: Mapping[str, str],
    instruction: str,
    narrations: tuple[Narration, ...],
    source: dict[str, Any],
) -> tuple[str, tuple[Narration, ...], dict[str, Any]]:
    """What our own writer put beside LeRobot's columns, which hold less."""
    if not ours:
        return instruction, narrations, source
    try:
        instruction, said, source = (json.loads(ours[name]) for name in OURS)
        return str(instruction), tuple(Narration(**n) for n in said), dict(source)
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise UserError(f"its columns {', '.join(OURS)} are damaged: {error!s:.100}") from None
