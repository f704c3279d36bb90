"""Who acts in an evaluation: a trained policy, a scripted expert, or any class of the user's.

Each is a recipe that travels to worker processes by pickle and makes its policy there.
"""

import importlib
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from episodes.errors import UserError
from firsthand import checkpoints

if TYPE_CHECKING:
    from envs.rollout import BatchedPolicy, EvaluatedPolicy, PolicyFactory

EXPERT = "expert"
Precision = Literal["fp32", "bf16", "int8"]


@dataclass(frozen=True)
class CheckpointActor:
    """Acts with the policy in a directory: in all worlds at once, from the process that asks. It
    takes a GPU where there is one, else one thread: the worlds share the cores. With a `precision`
    it stays on the processor and takes its products there by other means (`policy.precision`)."""

    path: str
    precision: Precision | None = None

    def __call__(self) -> "BatchedPolicy":
        import torch

        policy = checkpoints.load_policy(self.path)
        if self.precision is None and torch.cuda.is_available():
            return policy.to("cuda")
        torch.set_num_threads(1)
        if self.precision is not None:
            from policy.precision import hasten

            hasten(policy, self.precision)
        return policy


@dataclass(frozen=True)
class ExpertActor:
    """Acts with the scripted expert of the task, from the world's full state."""

    seed: int

    def __call__(self) -> "EvaluatedPolicy":
        from envs.experts import ExpertPolicy

        return ExpertPolicy(self.seed)


@dataclass(frozen=True)
class PythonActor:
    """Acts with an object of the user's: `package.module:name`, called without arguments.

    The module is looked for in the working directory too. What the call returns needs
    `reset(instruction)` and `select_action(observation)`, or `actor(seats)`; see
    `envs.rollout.EvaluatedPolicy` and `BatchedPolicy`.
    """

    name: str

    def __call__(self) -> "EvaluatedPolicy | BatchedPolicy":
        module, colon, attribute = self.name.partition(":")
        if not colon:
            raise UserError(f"actor={self.name}: write actor={EXPERT} or actor=package.module:name")
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        try:
            make = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise UserError(f"actor={self.name} cannot be imported: {error}") from error
        made = make()
        from envs.rollout import is_batched

        for method in () if is_batched(made) else ("reset", "select_action"):
            if not callable(getattr(made, method, None)):
                raise UserError(f"actor={self.name} makes a {type(made).__name__} without {method}")
        return made


def actor(
    checkpoint: str | None, name: str | None, seed: int, precision: Precision | None = None
) -> "PolicyFactory":
    """The recipe for whoever shall act.

    Raises:
        UserError: neither or both are named, or it cannot act at all.
    """
    if (checkpoint is None) == (name is None):
        raise UserError(f"name who acts: checkpoint=<path>, actor={EXPERT} or actor=module:name")
    if checkpoint is not None:
        path = checkpoints.locate(checkpoint)
        if checkpoints.load_policy(path).statistics.frames == 0:
            raise UserError(f"{path} has learned from video alone and cannot act: fine-tune it")
        return CheckpointActor(path, precision)
    if precision is not None:
        raise UserError(f"precision={precision} is for checkpoints, not for actor={name}")
    assert name is not None
    if name == EXPERT:
        return ExpertActor(seed)
    factory = PythonActor(name)
    factory()  # here, so that a mistake is found before workers start
    return factory
