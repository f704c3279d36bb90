"""From what the caller gave to a policy that can be evaluated, here or in other processes."""

import inspect
import pickle
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from firsthand.common.errors import UserError
from firsthand.envs.evaluation.policies import PolicyFactory, is_batched, optional, seed_for
from firsthand.envs.evaluation.policy_errors import STOPS, PolicyError


@dataclass(frozen=True)
class Maker:
    """Makes a policy and checks that it is one. Travels to other processes if its factory does.

    Raises:
        UserError: (when called) nothing can be made, or what is made cannot act.
    """

    factory: PolicyFactory

    def __call__(self) -> Any:
        try:
            made = self.factory()
        except (UserError, *STOPS):
            raise
        except BaseException as error:
            message = PolicyError.of(error).message
            raise UserError(
                f"{_name(self.factory)}, called without arguments, raised {message}"
            ) from error
        _check_methods(made, _name(self.factory))
        return made


def made_here(factory: PolicyFactory, workers: int) -> Any:
    """The policy, if it is to act in this process or may be batched; None if only workers need it:
    a policy may be large.

    Raises:
        UserError: `factory` makes none, or cannot be sent to the workers.
    """
    check_factory(factory)
    policy_class = _class(factory)
    made = None
    if workers == 0 or policy_class is None or is_batched(policy_class):
        made = Maker(factory)()
    if workers and not is_batched(made):
        _check_sendable(factory, workers)
        return None
    return made


def check_factory(factory: Any) -> None:
    """Raises `UserError` for a policy in place of what makes one."""
    is_policy = optional(factory, "select_action") is not None or is_batched(factory)
    if not isinstance(factory, type) and (is_policy or not callable(factory)):
        kind = type(factory).__name__
        raise UserError(
            f"what makes the policy is wanted, its class or a function, and not a {kind} itself"
        )


def _class(factory: PolicyFactory) -> type | None:
    """The class that a factory makes an object of, as far as that is known without making one."""
    made = factory.func if isinstance(factory, partial) else factory
    made = optional(made, "policy_class", made)
    return made if isinstance(made, type) else None


def _name(factory: PolicyFactory) -> str:
    made = factory.func if isinstance(factory, partial) else factory
    return optional(made, "__qualname__") or str(made)


def _check_methods(made: Any, name: str) -> None:
    """Whether it has what an evaluation calls, and takes what it is given."""
    kind = type(made).__name__
    calls: dict[str, tuple[Any, ...]] = {"reset": ("a sentence",), "select_action": ({},)}
    for method, arguments in ({"actor": (1,)} if is_batched(made) else calls).items():
        function = optional(made, method)
        if not callable(function):
            raise UserError(f"{name} makes a {kind} without {method}")
        try:
            signature = inspect.signature(function)
        except Exception:
            continue  # some functions written in C do not say what they take
        try:
            signature.bind(*arguments, **seed_for(function, 0))
        except TypeError as error:
            wanted = {"reset": "instruction", "select_action": "observation", "actor": "num_envs"}
            raise UserError(
                f"{name}: {kind}.{method} is called as {method}({wanted[method]}), but {error}"
            ) from error


def _check_sendable(factory: PolicyFactory, workers: int) -> None:
    way = "define it at the top of a module (a .py file), or write workers=0"
    try:
        sent = pickle.dumps(factory)
    except Exception as error:
        raise UserError(
            f"workers={workers} are processes that must be able to import the policy, and "
            f"{_name(factory)} cannot be sent to them ({error}): {way}"
        ) from error
    script = Path(getattr(sys.modules["__main__"], "__file__", None) or "")
    if b"__main__" in sent and not script.is_file():
        raise UserError(
            f"workers={workers} are processes that must be able to import the policy, and "
            f"{_name(factory)} is defined in a notebook or on standard input: {way}"
        )
