"""How a policy is evaluated, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from firsthand.common.errors import UserError
from firsthand.common.suggestions import one_of
from firsthand.envs.config import PlayTableWorld, World
from firsthand.envs.options import CAMERAS_CALVIN
from firsthand.envs.tasks.calvin_settings import SETTINGS, SettingName
from firsthand.envs.tasks.chains import OFFICIAL
from firsthand.envs.tasks.instructions import Wording
from firsthand.envs.tasks.tasks import TASKS


@dataclass(frozen=True)
class EvaluationConfig:
    """How a policy is evaluated.

    Raises:
        UserError: a value is out of range or a name unknown.
    """

    env: World = field(default_factory=PlayTableWorld)
    """The world, its scene and its renderer."""
    setting: SettingName | None = None
    """Of CALVIN's protocol (`envs.tasks.calvin_settings`), or None. It decides the sentences, and
    refuses another scene than its own."""
    tasks: tuple[str, ...] = tuple(TASKS)
    """Which single tasks."""
    trials: int = 10
    """Of each single task."""
    chains: int = 100
    """How many chains of five instructions, the first of CALVIN's thousand."""
    steps: int = 360
    """Control steps (1/30 s) allowed for each instruction."""
    seed: int = 0
    """Of single tasks' layouts, and of sentences."""
    instructions: Wording | None = None
    """Which sentences: "validation", CALVIN's one sentence a task put in other words; "unseen"
    paraphrases; or sentences of "training". None goes by the setting."""
    policy: str = ""
    """What is evaluated, in words: kept with the results, which are never mixed with those of
    another."""
    weights: str | None = None
    """What tells a policy's weights from all others, as a hash does, or None. If it is known, it
    decides whose results may be mixed, and `policy` is only a name."""
    step: int | None = None
    """Of training, when the weights were saved. Noted with the results."""
    source: str | None = None
    """A hash of the file that a policy's class is written in. Noted with the results."""
    cameras: Mapping[str, int] = field(default_factory=lambda: dict(CAMERAS_CALVIN))
    """Edge in pixels of every camera's picture; {} for a policy that does not look."""
    action_repeat: int | None = None
    """Control steps an action lasts; None goes by the policy's `control_hz`."""
    num_envs: int = 8
    """Environments that a batched policy acts in at once. Results may depend on it: how a sum is
    rounded may depend on the size of the batch."""
    workers: int = 2
    """Processes that hold the environments; 0 uses this one. They change no result."""
    success_videos: int = 1
    """How many successes of every task (or of all chains) are kept as videos."""
    failure_videos: int | None = None
    """The same for failures; None keeps every failure."""
    on_error: Literal["record", "stop"] = "record"
    """A policy that raises, or whose action is none, has failed at that trial: "record" notes why
    and goes on (but ends when the first trials all go that way); "stop" ends the evaluation, to be
    resumed. It changes no result."""

    def __post_init__(self) -> None:
        setting = SETTINGS[self.setting or "multi_task"]
        if self.setting is not None and self.env.scene != setting.tested:
            raise UserError(
                f"setting={self.setting} is tested in scene {setting.tested}, not {self.env.scene}"
            )
        if self.instructions is None:
            object.__setattr__(self, "instructions", setting.instructions)
        if self.setting is not None and self.instructions != setting.instructions:
            raise UserError(
                f"setting={self.setting} is tested on {setting.instructions} sentences, "
                f"not on {self.instructions} ones"
            )
        if self.instructions not in ("validation", "unseen", "training"):
            raise UserError(
                f"instructions must be validation, unseen or training, not {self.instructions!r}"
            )
        self._check_numbers()

    def _check_numbers(self) -> None:
        if unknown := [task for task in self.tasks if task not in TASKS]:
            raise UserError(f"unknown task {unknown[0]!r}: {one_of(unknown[0], TASKS)}")
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise UserError(f"tasks must name one task or more, each once, not {self.tasks}")
        for name in ("trials", "chains", "steps", "num_envs"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be 1 or more, not {getattr(self, name)}")
        for name in ("seed", "workers", "success_videos", "failure_videos"):
            if (getattr(self, name) or 0) < 0:
                raise UserError(f"{name} must be 0 or more, not {getattr(self, name)}")
        if self.on_error not in ("record", "stop"):
            raise UserError(f"on_error must be record or stop, not {self.on_error!r}")
        if self.chains > OFFICIAL:
            raise UserError(f"chains must be at most {OFFICIAL}, CALVIN's own, not {self.chains}")
        if self.action_repeat is not None and not 1 <= self.action_repeat <= self.steps:
            raise UserError(f"action_repeat must be 1 to steps={self.steps}: {self.action_repeat}")
