"""What a LeRobot dataset says of itself in meta/info.json, and the names that ours have in one.

Layout: https://huggingface.co/docs/lerobot/lerobot-dataset-v3 and lerobot/datasets/utils.py of the
versions that tests/episodes/formats/test_lerobot.py names.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from firsthand.common.errors import UserError
from firsthand.episodes.untrusted.trust import load_json

STATE_NAMES = [
    "tcp_x", "tcp_y", "tcp_z", "tcp_roll", "tcp_pitch", "tcp_yaw", "gripper_width",
    *(f"joint_{number}" for number in range(1, 8)), "gripper_action",
]  # fmt: skip
ACTION_NAMES = ["x", "y", "z", "roll", "pitch", "yaw", "gripper"]
CLOCK = ("timestamp", "frame_index", "episode_index")  # without which nothing has its place
BOOKKEEPING = (*CLOCK, "index", "task_index")  # what LeRobot calls DEFAULT_FEATURES
# What LeRobot has no place for, as JSON in columns of our own in meta/episodes.
OURS = ("firsthand.instruction", "firsthand.narrations", "firsthand.source")
_VERSIONS = ("v2.0", "v2.1", "v3.0")
_PLACEHOLDER = re.compile(r"\{(\w+)(?::0(\d)d)?\}")


@dataclass(frozen=True)
class Feature:
    """A column of the dataset. `shape` is one frame's: height, width and channels of pictures."""

    kind: str  # a numpy type, "video", "image", or what is not read: "string", "language", …
    shape: tuple[int, ...]
    names: Any
    is_depth: bool = False  # a picture of distances, not of colours

    @property
    def is_image(self) -> bool:
        return self.kind in ("video", "image")

    @property
    def is_number(self) -> bool:
        try:
            kind = np.dtype(self.kind)
        except (TypeError, ValueError, SyntaxError):
            return False
        return kind.kind in "biuf" and 0 < kind.itemsize <= 8


@dataclass(frozen=True)
class LeRobotInfo:
    """meta/info.json, as far as reading needs it.

    Raises:
        UserError: naming the file, which is missing, malformed or of another version.
    """

    root: Path

    def __post_init__(self) -> None:
        if self.version not in _VERSIONS:
            known = ", ".join(_VERSIONS)
            raise UserError(
                f"{self.path}: is of version {self.version}; {known} can be read, and lerobot's "
                "own scripts bring older datasets to these"
            )
        fps = self.info.get("fps")
        if not isinstance(fps, int | float) or isinstance(fps, bool) or not 0 < fps <= 1e4:
            raise UserError(f"{self.path}: fps is {fps!r}, not a positive number")

    @property
    def path(self) -> Path:
        return self.root / "meta" / "info.json"

    @cached_property
    def info(self) -> dict[str, Any]:
        info = load_json(self.path, 64 << 20)
        if not isinstance(info, dict):
            raise UserError(f"{self.path}: is no table")
        return info

    @property
    def version(self) -> str:
        return str(self.info.get("codebase_version"))

    @property
    def fps(self) -> float:
        return float(self.info["fps"])

    @property
    def robot(self) -> str:
        return str(self.info.get("robot_type") or "")

    @cached_property
    def features(self) -> dict[str, Feature]:
        """Raises `UserError` when a feature that tells the time is malformed or missing."""
        content = self.info.get("features")
        features = content if isinstance(content, dict) else {}
        if missing := [name for name in CLOCK if name not in features]:
            raise UserError(f"{self.path}: lacks the feature {missing[0]!r}")
        return {name: self._feature(name, feature) for name, feature in features.items()}

    def _feature(self, name: str, content: Any) -> Feature:
        """What is no number, or nothing that can be understood, is for the reader to leave out."""
        values: dict[str, Any] = content if isinstance(content, dict) else {}
        kind, names, shape = str(values.get("dtype")), values.get("names"), values.get("shape")
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            if name in CLOCK:
                raise UserError(f"{self.path}: the feature {name!r} has no type or shape")
            kind, shape = kind if kind in ("video", "image") else "of no known shape", []
        if kind not in ("video", "image"):
            return Feature(kind, tuple(shape), names)
        height, width, channels = (*shape, 0, 0, 0)[:3]
        if isinstance(names, list) and names[:1] in (["channel"], ["channels"]):
            height, width, channels = width, channels, height
        about = values.get("info") or values.get("video_info")
        about = about if isinstance(about, dict) else {}
        deep = any(about.get(key) is True for key in ("video.is_depth_map", "is_depth_map"))
        return Feature(kind, (height, width, channels), names, deep)

    def file(self, template: str, numbers: Mapping[str, int | str]) -> str:
        """A path of the dataset, as data_path or video_path say; it may lead anywhere.

        (Python's own `format` would do more than put in numbers.)

        Raises:
            UserError: the template asks for anything else.
        """
        text = self.info.get(template)

        def value(match: re.Match[str]) -> str:
            if match[1] not in numbers:
                raise UserError(f"{self.path}: {template} asks for {{{match[1]}}}: {text!r:.200}")
            return str(numbers[match[1]]).zfill(int(match[2] or 0))

        if not isinstance(text, str):
            raise UserError(f"{self.path}: {template} is {text!r:.80}, no path")
        return _PLACEHOLDER.sub(value, text)
