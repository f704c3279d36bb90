"""What is to be recorded, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from firsthand.common.errors import UserError
from firsthand.common.suggestions import one_of
from firsthand.envs.config import PlayTableWorld, Scene, World
from firsthand.envs.recording.schedule import DemoRequest, RecordAttempt
from firsthand.envs.tasks.calvin_settings import SETTINGS, SettingName
from firsthand.envs.tasks.tasks import TASKS

PLAY = "play"  # stands for a task where everything is shown


@dataclass(frozen=True)
class RecordConfig:
    """What is recorded.

    Raises:
        UserError: a value is out of range or a name unknown.
    """

    env: World = field(default_factory=PlayTableWorld)
    """The world; its scene is the one shown where `scenes` names none."""
    setting: SettingName | None = None
    """Of CALVIN's protocol (`envs.tasks.calvin_settings`), or None: it names the scenes, and
    records its share of `episodes`, those with which the whole recording begins."""
    scenes: tuple[Scene, ...] = ()
    """Shown equally often, up to one episode of every task."""
    tasks: tuple[str, ...] = tuple(TASKS)
    """Shown equally often, up to one episode."""
    episodes: int = 1000
    """How many in all."""
    play: bool = False
    """Whether an episode shows one task, up to five of them in a row from one layout, or, as
    CALVIN's data set does, `seconds` of one task after another from wherever the last one ended,
    with a narration for each that succeeded."""
    seconds: float = 60.0
    """How long an episode of play lasts."""
    cameras: Mapping[str, int] = field(
        default_factory=lambda: {"rgb_static": 96, "rgb_gripper": 64}
    )
    """Edge in pixels of every camera's picture."""
    action_repeat: int = 3
    """Control steps (1/30 s) an action lasts; frames are as far apart."""
    steps: int = 360
    """Control steps an expert may take before it has failed."""
    noise: float = 0.3
    """Size of the disturbances that make experts correct themselves (`envs.experts`)."""
    held_out_every: int = 20
    """One layout in so many goes with all that is done there to the split `valid`, the others to
    `train`; 0 holds out none."""
    seed: int = 0
    """Of layouts, disturbances and sentences."""
    workers: int = 2
    """Processes, one environment of every scene each; 0 uses this one."""

    def __post_init__(self) -> None:
        learned = SETTINGS[self.setting].learned if self.setting else (self.env.scene,)
        if not self.scenes:
            object.__setattr__(self, "scenes", learned)
        if self.setting and set(self.scenes) != set(learned):
            raise UserError(
                f"setting={self.setting} learns from scenes {', '.join(learned)}, "
                f"not {', '.join(self.scenes)}"
            )
        for name, values, known in (
            ("task", self.tasks, tuple(TASKS)),
            ("scene", self.scenes, ("A", "B", "C", "D")),
        ):
            if unknown := [value for value in values if value not in known]:
                raise UserError(f"unknown {name} {unknown[0]!r}: {one_of(unknown[0], known)}")
            if not values or len(set(values)) < len(values):
                raise UserError(f"{name}s must name one {name} or more, each once, not {values}")
        for name in ("episodes", "action_repeat", "steps"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be 1 or more, not {getattr(self, name)}")
        for name in ("noise", "held_out_every", "seed", "workers"):
            if getattr(self, name) < 0:
                raise UserError(f"{name} must be 0 or more, not {getattr(self, name)}")
        if self.seconds * 30 < self.action_repeat:
            raise UserError(f"seconds={self.seconds} is shorter than one action")

    @property
    def total(self) -> int:
        """How many episodes the file will hold."""
        return max(1, round(self.episodes * (SETTINGS[self.setting].share if self.setting else 1)))

    @property
    def wanted(self) -> dict[DemoRequest, int]:
        """How many episodes of everything."""
        tasks = (PLAY,) if self.play else self.tasks
        requests = [DemoRequest(task, scene) for task in tasks for scene in self.scenes]
        share, rest = divmod(self.total, len(requests))
        return {request: share + (i < rest) for i, request in enumerate(requests)}

    def holds_out(self, attempt: RecordAttempt) -> bool:
        """Whether a row of episodes goes to the split `valid`: one of every `held_out_every`. Of
        the first of these an early one, though not the very first, so that both splits have some
        however few there are; then a random one, so that no scene or task is always the one."""
        every = self.held_out_every
        if not every:
            return False
        block, turn = divmod(attempt.index, every)
        early = min(every - 1, max(1, every // 4))
        random = np.random.default_rng((self.seed, block)).integers(every)
        return bool(turn == (random if block else early))

    def world(self, scene: str) -> World:
        """The world of one of the scenes."""
        return replace(self.env, scene=scene)

    def env_args(self) -> dict[str, Any]:
        """The first scene's world in robomimic's words; every episode names its own."""
        return self.world(self.scenes[0]).env_args(self.cameras, self.action_repeat)
