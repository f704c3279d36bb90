"""One folder of CALVIN's frames: which are there, which belong together, what is wrong with them.

Known trouble of published copies, from mees/calvin's changelog and issues 14 and 40: scene_info.npy
from before 16 September 2022 (before 24 February 2023 for task_D_D) calls the scenes by each
other's names; validation annotations of ABC and ABCD repeat themselves; some frames of training
belong to no trajectory. Interrupted downloads lack frames.
"""

import hashlib
import os
import re
from pathlib import Path

import numpy as np
from jaxtyping import Int

from firsthand.common.errors import UserError
from firsthand.episodes.formats.calvin.language import (
    FILE,
    MAX_FRAMES,
    Annotation,
    Language,
    load_language,
)
from firsthand.episodes.untrusted.npy import load_npy
from firsthand.episodes.untrusted.npz import load_npz
from firsthand.episodes.untrusted.trust import is_there, load_text

FPS = 30
_FRAME = re.compile(r"episode_(\d{7})\.npz")
# Every scene was played for a length of its own, by which it is known whatever it is called.
_FOOTAGE = {603_706: "A", 598_910: "B", 592_429: "C", 611_099: "D"}
_SAMPLED = 64  # frames that statistics.yaml is compared with


def frame_name(frame: int) -> str:
    return f"episode_{frame:07d}.npz"


class Folder:
    """A training or validation folder.

    Attributes:
        name: what items of the folder are called by.
        ids, sizes, times: of the frames' files, in order of ids (times: modified, in ns).
        trajectories: (n, 2), first and last frame of each, sorted.
        lost: lines of ep_start_end_ids.npy that are no trajectory, and why.
        language: the annotations; none when the folder has none.
        notes: what is odd about the folder.

    Raises:
        UserError: there is no frame, or ep_start_end_ids.npy lists no trajectory.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        self.notes: list[str] = []
        self.lost: list[tuple[str, str]] = []
        self.ids, self.sizes, self.times = _frame_files(path)
        self.trajectories = self._load_trajectories()
        self.language = self._load_language()
        windows = [(annotation.first, annotation.end) for annotation in self.language.annotations]
        self._windows = np.array(windows, np.int64).reshape(-1, 2)
        self.notes += [*self.language.notes, *self._stray_frames(), *self._statistics()]
        self.scenes = self._load_scenes()

    def _load_trajectories(self) -> Int[np.ndarray, "n 2"]:
        """Those that make sense; the others are told to `lost`."""
        path = self.path / "ep_start_end_ids.npy"
        found = load_npy(path)
        if found.ndim != 2 or found.shape[1] != 2 or found.dtype.kind not in "iu":
            raise UserError(
                f"{path}: must be whole numbers (n, 2), not {found.dtype} {found.shape}"
            )
        kept: list[tuple[int, int]] = []
        for first, last in sorted({(first, last) for first, last in found.tolist()}, key=_last):
            wrong = "" if 0 <= first <= last < MAX_FRAMES else "is not first <= last"
            if not wrong and kept and first <= kept[-1][1]:
                wrong = f"overlaps another, {kept[-1][0]} to {kept[-1][1]}"
            if wrong:
                self.lost.append((f"trajectory {first} to {last}", wrong))
            else:
                kept.append((first, last))
        if not kept:
            why = "".join(f": {name} {why}" for name, why in self.lost[:1])
            raise UserError(f"{path}: lists no trajectory{why}")
        trajectories = np.array(kept, np.int64)
        self.notes += self._lengths(trajectories)
        return trajectories

    def _lengths(self, trajectories: Int[np.ndarray, "n 2"]) -> list[str]:
        """Compare ep_lens.npy with the trajectories."""
        path = self.path / "ep_lens.npy"
        if not is_there(path):
            return []
        try:
            stated = load_npy(path)
        except UserError as error:
            return [f"{path.name} cannot be read: {str(error).removeprefix(f'{path}: ')}"]
        lengths = trajectories[:, 1] - trajectories[:, 0] + 1
        if stated.dtype.kind not in "iu":
            return [f"{path.name} holds {stated.dtype}, no whole numbers"]
        if sorted(stated.ravel()) == sorted(lengths):
            return []
        return [
            f"ep_lens.npy counts {stated.size} trajectories of {stated.sum()} frames, "
            f"ep_start_end_ids.npy {len(lengths)} of {lengths.sum()}, which is believed"
        ]

    def _load_language(self) -> Language:
        """The sentences are the same in every folder of annotations; only embeddings differ."""
        usual = self.path / "lang_annotations" / FILE
        others = sorted(self.path.glob(f"lang_*/{FILE}"))
        if not is_there(usual) and not others:
            self.notes.append(f"there is no lang_annotations/{FILE}: nothing is said")
            return Language()
        path = usual if is_there(usual) else others[0]
        if path != usual:
            self.notes.append(f"lang_annotations is missing; {path.parent.name} is read instead")
        try:
            return load_language(path)
        except UserError as error:
            reason = str(error).removeprefix(f"{path}: ")
            return Language(lost=((str(path.relative_to(self.path)), reason),))

    def _stray_frames(self) -> list[str]:
        trajectory = np.searchsorted(self.trajectories[:, 0], self.ids, "right") - 1
        inside = (trajectory >= 0) & (self.ids <= self.trajectories[trajectory, 1])
        strays = self.ids[~inside]
        if not len(strays):
            return []
        return [f"{len(strays)} frames are in no trajectory and not read: {_some(strays)}"]

    def trajectory_of(self, first: int, end: int) -> int:
        """The first frame of the trajectory that the frames first … end - 1 are in.

        Raises:
            UserError: they are in none, or not in one.
        """
        index = int(np.searchsorted(self.trajectories[:, 0], first, "right")) - 1
        start, last = self.trajectories[index].tolist() if index >= 0 else (0, -1)
        if first > last:
            raise UserError(f"frame {first} is in no trajectory of ep_start_end_ids.npy")
        if end - 1 > last:
            raise UserError(f"frame {end - 1} is past the end of its trajectory {start}-{last}")
        return start

    def fingerprint(self, first: int, end: int) -> tuple[int, str]:
        """Bytes of the files of the frames first … end - 1, and what changes with any of them.

        Raises:
            UserError: all frames are missing. (Some that are cost themselves alone when read.)
        """
        begin, stop = np.searchsorted(self.ids, [first, end])
        if stop == begin:
            raise UserError(f"all of its {end - first} frames are missing")
        ids, sizes, times = (part[begin:stop] for part in (self.ids, self.sizes, self.times))
        decided_by = [sizes, times] + ([] if len(ids) == end - first else [ids])
        digest = hashlib.sha256(b"".join(part.tobytes() for part in decided_by))
        return int(sizes.sum()), digest.hexdigest()[:20]

    def annotations_within(self, first: int, end: int) -> list[Annotation]:
        """The annotations that say something about a frame of first … end - 1."""
        there = (self._windows[:, 0] < end) & (self._windows[:, 1] > first)
        return [self.language.annotations[index] for index in np.flatnonzero(there)]

    def scene_of(self, trajectory: int) -> str:
        """A, B, C or D by scene_info.npy, "" where that does not say."""
        for scene, (first, last) in self.scenes:
            if first <= trajectory <= last:
                return scene
        return ""

    def _load_scenes(self) -> list[tuple[str, tuple[int, int]]]:
        """Scene, and the first and last frame that shows it."""
        path = self.path / "scene_info.npy"
        if not is_there(path):
            return []
        try:
            rows = list(load_npy(path, objects=True).item().items())
        except (ValueError, AttributeError) as error:
            why = (
                f": {str(error).removeprefix(f'{path}: ')}" if isinstance(error, UserError) else ""
            )
            self.notes.append(f"{path.name} holds no table of scenes{why}")
            return []
        stated: dict[str, tuple[int, int]] = {}
        for name, frames in rows:
            try:
                first, last = map(int, frames)
                stated[str(name).removeprefix("calvin_scene_")] = (first, last)
            except (ValueError, TypeError, OverflowError):
                what = f"{name!r:.40} is {frames!r:.80}"
                self.notes.append(f"{path.name}: {what}, no first and last frame of a scene")
        scenes = []
        for name, (first, last) in stated.items():
            true = _FOOTAGE.get(last + 1 - first, name)
            if true != name:
                self.notes.append(
                    f"scene_info.npy calls frames {first}-{last} scene {name}: it is the listing "
                    f"from before the fix of September 2022; these frames are scene {true}"
                )
            scenes.append((true, (first, last)))
        return scenes

    def _statistics(self) -> list[str]:
        """Compare robot_obs in statistics.yaml with frames spread over the folder."""
        path = self.path / "statistics.yaml"
        if not is_there(path):
            return ["there is no statistics.yaml"]
        try:
            mean, std = _robot_statistics(load_text(path, 1 << 20))
        except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError) as error:
            return [f"statistics.yaml has no means and deviations of robot_obs: {error!s:.100}"]
        chosen = np.unique(np.linspace(0, len(self.ids) - 1, _SAMPLED).astype(int))
        sample = []
        for frame in self.ids[chosen]:
            try:
                values = load_npz(self.path / frame_name(int(frame)), ("robot_obs",))["robot_obs"]
            except UserError:
                continue  # told when its recording is read
            if values.shape == mean.shape and np.isfinite(values).all():
                sample.append(values)
        if not sample:
            return []
        found = np.mean(sample, 0)
        far = np.abs(found - mean) / (std + 1e-3)
        worst = int(far.argmax())
        if far[worst] <= 1:
            return []
        return [
            f"statistics.yaml says that robot_obs[{worst}] averages {mean[worst]:.3f} with a "
            f"deviation of {std[worst]:.3f}, but {len(sample)} frames average "
            f"{found[worst]:.3f}: it is not of this folder"
        ]


def _frame_files(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ids, sizes and times of the frames in a folder; one pass even over millions."""
    found = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if match := _FRAME.fullmatch(entry.name):
                    status = _status(entry)
                    found.append((int(match[1]), status.st_size, status.st_mtime_ns))
    except OSError as error:
        raise UserError(f"{path}: cannot be listed: {error.strerror}: {error.filename}") from None
    if not found:
        raise UserError(f"{path}: holds no frame (episode_0000000.npz, …)")
    ids, sizes, times = np.array(sorted(found), np.int64).T
    return ids, sizes, times


def _status(entry: os.DirEntry[str]) -> os.stat_result:
    """That of the link itself where it leads nowhere, which costs its frame when that is read."""
    try:
        return entry.stat()
    except OSError:
        return entry.stat(follow_symlinks=False)


def _robot_statistics(text: str) -> tuple[np.ndarray, np.ndarray]:
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    (normalise,) = [t for t in content["robot_obs"] if "mean" in t]
    mean, std = (np.array(normalise[key], np.float64) for key in ("mean", "std"))
    if mean.shape != std.shape or mean.shape != (15,):
        raise ValueError(f"shapes {mean.shape} and {std.shape}")
    return mean, std


def _last(trajectory: tuple[int, int]) -> tuple[int, int]:
    """Taken in this order, as many as possible do not overlap, and one far too long is left."""
    return trajectory[1], -trajectory[0]


def _some(frames: np.ndarray) -> str:
    return ", ".join(str(f) for f in frames[:5]) + (", …" if len(frames) > 5 else "")
