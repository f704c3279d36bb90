"""What can be evaluated: who acts in one world, or in many at once."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from firsthand.common.errors import UserError
from firsthand.envs.evaluation.policy_errors import STOPS, Mistake


@runtime_checkable
class EvaluatedPolicy(Protocol):
    """What acts. Two attributes are optional: `control_hz`, the rate at which it wants to act (30,
    or a rate that divides it), and `privileged`: when true, observations also hold `info` (the
    world's full state), `task` (its name) and `layout` (the world's), which scripted experts need.

    A `reset(instruction, seed)` is told a number to draw random numbers from, the same for an
    instruction of a trial whatever was run before it. Generators that the object holds as
    attributes and the global ones of numpy, Python and torch are seeded without being asked for.
    """

    def reset(self, instruction: str) -> None:
        """Forget everything; act on this sentence from now on."""
        ...

    def select_action(self, observation: dict[str, Any]) -> np.ndarray:
        """The relative action, (7,), for an observation of `envs.playtable.env.PlayTable`."""
        ...


@runtime_checkable
class BatchedActor(Protocol):
    """Acts in several environments at once, by their index. As with `EvaluatedPolicy`, `reset`
    may take a `seed` as well; generators are seeded when a round of trials begins."""

    def reset(self, env_index: int, instruction: str) -> None:
        """Forget everything about this environment; act there on this sentence from now on."""
        ...

    def select_actions(self, observations: Mapping[int, dict[str, Any]]) -> dict[int, np.ndarray]:
        """The relative action, (7,), for every environment that shows an observation."""
        ...


@runtime_checkable
class BatchedPolicy(Protocol):
    """What acts in many environments with one set of weights. The attributes are as for
    `EvaluatedPolicy`."""

    def actor(self, num_envs: int) -> BatchedActor:
        """A new actor, for the environments 0 to `num_envs` - 1."""
        ...


def optional(owner: Any, name: str, default: Any = None) -> Any:
    """An attribute that a policy may have, else `default`. What wraps another object may raise
    anything for a name that it does not know.

    Raises:
        UserError: the attribute is there, and reading it raises.
    """
    try:
        return getattr(owner, name, default)
    except (UserError, *STOPS):
        raise
    except BaseException as error:
        if inspect.getattr_static(owner, name, None) is None:
            return default
        what = f"{type(owner).__name__}.{name}"
        raise UserError(f"{what} cannot be read: {Mistake.of(error).message}") from error


def is_batched(policy: Any) -> bool:
    """Whether a policy, or its class, has a method `actor` that takes `num_envs`
    (`seats` before 0.2.0). Networks and methods
    of that name, as those of actor and critic have, are something else."""
    method = getattr(policy if isinstance(policy, type) else type(policy), "actor", None)
    if not callable(method):
        return False
    return optional(policy, "select_action") is None or any(
        _takes(method, name) for name in ("num_envs", "seats")
    )


def _takes(function: Any, name: str) -> bool:
    """Whether a function has a parameter of that name."""
    try:
        return name in inspect.signature(function).parameters
    except Exception:  # what it calls may be an object that does not say
        return False


def seed_for(reset: Any, seed: int) -> dict[str, int]:
    """The keyword with which a policy's `reset` is told its seed, if it wants to know."""
    return {"seed": seed} if _takes(reset, "seed") else {}


PolicyFactory = Callable[[], EvaluatedPolicy | BatchedPolicy]
