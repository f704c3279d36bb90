"""Who acts in an evaluation: a trained policy, a scripted expert, or any class of the user's.

Each is a recipe that travels to worker processes by pickle and makes its policy there.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from firsthand.build import checkpoints
from firsthand.build.users_module import users_module
from firsthand.common.errors import UserError

if TYPE_CHECKING:
    from firsthand.envs.evaluation.policies import BatchedPolicy, EvaluatedPolicy
    from firsthand.policy.policy import Policy

EXPERT = "expert"
Precision = Literal["fp32", "bf16", "int8"]


@dataclass(frozen=True)
class CheckpointActor:
    """Acts with the policy in a directory: in all worlds at once, from the process that asks. It
    takes a GPU where there is one, else one thread: the worlds share the cores. With a `precision`
    it stays on the processor and multiplies there by other means (`policy.inference.quantize`)."""

    path: str
    precision: Precision | None = None

    @cached_property
    def policy(self) -> "Policy":
        """What is in the directory now, read once."""
        return checkpoints.load_policy(self.path)

    @property
    def cameras(self) -> dict[str, int]:
        """Edge in pixels of the images that it takes, by camera."""
        return {camera.name: camera.size for camera in self.policy.config.cameras}

    @property
    def known_as(self) -> dict[str, Any]:
        """What tells its weights from all others; see `EvaluationConfig`."""
        arithmetic = f" in {self.precision}" if self.precision else ""
        weights, step = checkpoints.identity(self.path)
        return {"weights": weights + arithmetic, "step": step}

    def __call__(self) -> "BatchedPolicy":
        return self._ready

    @cached_property
    def _ready(self) -> "Policy":
        import torch

        if self.precision is None and torch.cuda.is_available():
            return self.policy.to("cuda")
        torch.set_num_threads(1)
        if self.precision is not None:
            from firsthand.policy.inference.quantize import quantize

            quantize(self.policy, self.precision)
        return self.policy


@dataclass(frozen=True)
class ExpertActor:
    """Acts with the scripted expert of the task, from the world's full state."""

    seed: int
    cameras: Mapping[str, int] = field(default_factory=dict)  # it reads the full state

    @property
    def known_as(self) -> dict[str, Any]:
        return {}

    @property
    def policy_class(self) -> type:
        """What it makes objects of."""
        from firsthand.envs.experts.expert import ExpertPolicy

        return ExpertPolicy

    def __call__(self) -> "EvaluatedPolicy":
        from firsthand.envs.experts.expert import ExpertPolicy

        return ExpertPolicy(self.seed)


@dataclass(frozen=True)
class PythonActor:
    """Acts with an object of the user's: `package.module:name`, called without arguments.

    The module is looked for in the working directory too. What the call returns needs
    `reset(instruction)` and `select_action(observation)`, or `actor(num_envs)`; see
    `envs.evaluation.policies.EvaluatedPolicy` and `BatchedPolicy`.
    """

    name: str

    def __str__(self) -> str:
        return f"actor={self.name}"

    @property
    def cameras(self) -> dict[str, int]:
        """CALVIN's, as nobody says what it looks at."""
        from firsthand.envs.options import CAMERAS_CALVIN

        return dict(CAMERAS_CALVIN)

    @property
    def known_as(self) -> dict[str, Any]:
        """The hash of the file that it is written in, if there is one."""
        try:
            file = inspect.getsourcefile(inspect.unwrap(self.policy_class))
            return {"source": sha256(Path(file or "").read_bytes()).hexdigest()[:16]}
        except (TypeError, OSError):
            return {}

    @property
    def policy_class(self) -> Any:
        """What is called: a class or a function.

        Raises:
            UserError: it cannot be imported, or is an object instead.
        """
        from firsthand.envs.evaluation.policies import optional
        from firsthand.envs.evaluation.policy_errors import error_text

        module, colon, attribute = self.name.partition(":")
        if not colon:
            raise UserError(f"actor={self.name}: write actor={EXPERT} or actor=package.module:name")
        try:
            made = getattr(users_module(module), attribute)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            kind = "" if isinstance(error, (ImportError, AttributeError)) else type(error).__name__
            why = f"{kind}: {error_text(error)}" if kind else error_text(error)
            raise UserError(f"actor={self.name} cannot be imported: {why}") from error
        if not callable(made) or optional(made, "select_action") and not isinstance(made, type):
            kind = type(made).__name__
            raise UserError(
                f"actor={self.name} is a {kind}, not what makes one: name its class or a function"
            )
        return made

    def __call__(self) -> "EvaluatedPolicy | BatchedPolicy":
        return self.policy_class()


Actor = CheckpointActor | ExpertActor | PythonActor


def actor(
    checkpoint: str | None, name: str | None, seed: int, precision: Precision | None = None
) -> Actor:
    """The recipe for whoever shall act. A checkpoint that is a link is followed once, so that it
    stays the same one however far its run has come when it is read.

    Raises:
        UserError: neither or both are named, or it cannot act at all.
    """
    if (checkpoint is None) == (name is None):
        raise UserError(f"name who acts: checkpoint=<path>, actor={EXPERT} or actor=module:name")
    if checkpoint is not None:
        path = checkpoints.pin(checkpoints.locate(checkpoint))
        found = CheckpointActor(path, precision)
        if found.policy.statistics.frames == 0:
            raise UserError(f"{path} has learned from video alone and cannot act: fine-tune it")
        return found
    if precision is not None:
        raise UserError(f"precision={precision} is for checkpoints, not for actor={name}")
    assert name is not None
    if name == EXPERT:
        return ExpertActor(seed)
    found = PythonActor(name)
    _ = found.policy_class  # here, so that a mistake is found before workers start
    return found
