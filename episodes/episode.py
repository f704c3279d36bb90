"""What a recording is, whoever made it, and what a window cut from it looks like."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Shaped, UInt8

from firsthand.common.errors import UserError

STATE_SIZE = (
    15  # tcp xyz, tcp Euler xyz, gripper width, 7 joints, last gripper action (CALVIN's robot_obs)
)
ACTION_SIZE = 7  # relative xyz and Euler xyz in [-1, 1], gripper -1 (close) or 1 (open)
# m/s and rad/s of an action of 1: 2 cm and 0.05 rad a control step, 30 of them a second
ACTION_SPEED = 30 * np.array([0.02] * 3 + [0.05] * 3)
# The signal that tells at which frames the expert acted where it corrected a policy; LeRobot's name
INTERVENTION = "is_intervention"


@dataclass(frozen=True)
class Narration:
    """A sentence about the stretch of a recording between two times (seconds from its start)."""

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class EpisodeBase:
    """One recording at a constant rate: images, and what else was known while it was made.

    Attributes:
        frames: the images of each camera, decoded (`Episode`) or as JPEG bytes
            (`episodes.jpeg.EncodedEpisode`).
        fps: frames a second.
        instruction: what to do; empty if there is no single sentence for all of it.
        narrations: sentences about stretches of it.
        state, actions: CALVIN's `robot_obs` and `rel_actions` of every frame.
        executed: the actions really sent when they differ from `actions` (the ones to learn from),
            as when noise was injected into an expert's commands (DART, Laskey et al. 2017).
        signals: other numbers of every frame, of any real type or bool and any shape: what a
            foreign recording holds that is neither `state` nor `actions`, kept as it came.
        source: enough to make the recording again: origin, seed, scene, renderer, reset options.

    Raises:
        UserError: the lengths of the parts disagree, a signal holds no real numbers, or neither
            images nor a state nor signals are present.
    """

    frames: Mapping[str, Any]
    fps: float
    instruction: str = ""
    narrations: tuple[Narration, ...] = ()
    state: Float32[np.ndarray, "t 15"] | None = None
    actions: Float32[np.ndarray, "t 7"] | None = None
    executed: Float32[np.ndarray, "t 7"] | None = None
    signals: Mapping[str, Shaped[np.ndarray, "t ..."]] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self)

    def __len__(self) -> int:
        return next(iter(_lengths(self).values()))


@dataclass(frozen=True)
class Episode(EpisodeBase):
    """A recording with decoded images."""

    frames: Mapping[str, UInt8[np.ndarray, "t h w 3"]]


def _lengths(episode: Any) -> dict[str, int]:
    """Frames in each part of a (decoded or encoded) episode."""
    lengths = {f"frames[{camera}]": len(frames) for camera, frames in episode.frames.items()}
    for name in ("state", "actions", "executed"):
        if (values := getattr(episode, name)) is not None:
            lengths[name] = len(values)
    return lengths | {f"signals[{name}]": len(values) for name, values in episode.signals.items()}


def _check(episode: Any) -> None:
    """Raise `UserError` unless the parts of a (decoded or encoded) episode fit together."""
    if not episode.frames and episode.state is None and not episode.signals:
        raise UserError("an episode needs at least one camera, a state or a signal, and has none")
    for name, values in episode.signals.items():
        if values.dtype.kind not in "biuf" or values.dtype.itemsize > 8 or not values.ndim:
            raise UserError(
                f"signals[{name}] must be real numbers or truth values for every frame, "
                f"not {values.dtype} of shape {values.shape}"
            )
    lengths = _lengths(episode)
    if len(set(lengths.values())) > 1:
        raise UserError(f"the parts of an episode disagree in length: {lengths}")
    if not (episode.fps > 0 and math.isfinite(episode.fps)):
        raise UserError(f"an episode's fps must be positive, not {episode.fps}")


@dataclass(frozen=True)
class WindowSpec:
    """Which part of a recording a training sample shows."""

    length: int
    """Frames of a window."""
    stride: float
    """Seconds from one of them to the next."""
    cameras: tuple[str, ...]
    """Whose images it shows, in this order."""
    future: float | None = None
    """It also shows, for every frame, the image so many seconds later: what the model learns to
    predict. None for none."""
    chunk: int = 0
    """It also holds, for every frame, so many actions at the recording's own rate, the first of
    them the frame's own."""
    state: bool = True
    """Whether states are shown, where there are any."""
    narrated: bool = False
    """The future ends with the sentence: it is no later than the last frame that the sentence said
    about the window is about. A window then tells which frames that are."""

    def __post_init__(self) -> None:
        if self.length < 1 or self.stride <= 0:
            raise UserError(
                "a window needs length >= 1 and stride > 0, "
                f"not length={self.length} stride={self.stride}"
            )
        if self.future is not None and self.future <= 0:
            raise UserError(f"future must be a positive number of seconds, not {self.future}")
        if self.chunk < 0:
            raise UserError(f"chunk must be 0 or more actions, not {self.chunk}")
        if not self.cameras:
            raise UserError("a window needs at least one camera")


@dataclass(frozen=True)
class Window:
    """A training sample.

    Past the end of its recording, frames repeat the last one and are not valid. A camera that a
    recording lacks is absent from `frames` and `future`. A camera whose pictures an encoder has
    made into `features` (k tokens each, see `episodes.corpus.features`) is absent from `frames`.
    `narrated`: the frames that its sentence is about (see `WindowSpec.narrated`).
    """

    frames: Mapping[str, UInt8[np.ndarray, "t h w 3"]]
    valid: Bool[np.ndarray, "t"]
    instruction: str
    state: Float32[np.ndarray, "t 15"] | None = None
    actions: Float32[np.ndarray, "t k 7"] | None = None
    actions_valid: Bool[np.ndarray, "t k"] | None = None
    future: Mapping[str, UInt8[np.ndarray, "t h w 3"]] | None = None
    future_valid: Bool[np.ndarray, "t"] | None = None
    features: Mapping[str, Float[np.ndarray, "t _ _"]] | None = None
    narrated: Bool[np.ndarray, "t"] | None = None


@dataclass(frozen=True)
class Course:
    """A recording from beginning to end.

    windows: numbers of those that begin at its first frame, its second, and so on, to the last from
    which any begins. frames, fps: of the recording. spec: what the windows show.
    """

    windows: range
    frames: int
    fps: float
    spec: WindowSpec
