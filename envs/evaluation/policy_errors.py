"""Errors of the policy that is evaluated: each costs its trial, and is noted in the record."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from traceback import format_exception
from typing import Any

import numpy as np
from jaxtyping import Float

from firsthand.common.errors import UserError
from firsthand.common.worker import Terminated
from firsthand.envs.evaluation.records import Record
from firsthand.envs.states import vector

HOPELESS = 20  # trials after which a policy that failed at each is not asked any more
_LENGTH = 500  # characters of a message; some libraries print whole tensors
_KINDS = 5  # of errors that are listed in a summary
STOPS = (KeyboardInterrupt, Terminated)  # what ends us; all else that a policy raises is its own
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class PolicyError:
    """What a policy did instead of acting: what it raised, or what is wrong with its action."""

    message: str
    traceback: str = ""

    @classmethod
    def of(cls, error: BaseException) -> "PolicyError":
        words = _writable(" ".join(error_text(error).split())[:_LENGTH])
        if isinstance(error, UserError):
            return cls(words)
        kind = _writable(type(error).__name__)
        traceback = _without_errors(lambda: "".join(format_exception(error)))
        return cls(f"{kind}: {words}" if words else kind, _writable(traceback))


def error_text(error: BaseException) -> str:
    """An error's words, or that it has none: a class of the user's may raise when it is asked."""
    return _without_errors(lambda: str(error))


def _without_errors(words: Callable[[], str]) -> str:
    try:
        return words()
    except STOPS:
        raise
    except BaseException as error:
        return f"(its text cannot be had: that raises {type(error).__name__})"


def _writable(text: str) -> str:
    """Text with escapes for what no file takes, half a surrogate pair, or no terminal shows."""
    return _UNWRITABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def call_policy(call: Callable[[], Any]) -> Any:
    """What a call into a policy returns, or the `PolicyError` that it was: whatever it raises, even
    what is no `Exception`, such as `sys.exit` or a panic of Rust's, but for Ctrl-C."""
    try:
        return call()
    except STOPS:
        raise
    except BaseException as error:
        return PolicyError.of(error)


def read_action(values: Any) -> Float[np.ndarray, "7"]:
    """A policy's action as seven finite numbers.

    Raises:
        UserError: it is something else.
    """
    return vector("the action", values, 7)


def where(record: Record) -> str:
    """Which trial a mistake ended, and what it was."""
    error = record["error"]
    trial = f"trial {record['index']} ({error['task'] or ', '.join(record['tasks'])})"
    if error["step"] is not None:
        trial += f", step {error['step']}"
    return f"{trial}: {error['message']}"


def counted(records: Sequence[Record]) -> dict[str, list[Record]]:
    """The records of trials that ended by a mistake, by its words, the commonest first."""
    found: dict[str, list[Record]] = {}
    for record in records:
        if record.get("error"):
            found.setdefault(record["error"]["message"], []).append(record)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def report(records: Sequence[Record]) -> str:
    """The mistakes in words, by kind; empty without any."""
    kinds = list(counted(records).values())
    if not (count := sum(map(len, kinds))):
        return ""
    listed = "; ".join(
        where(kind[0]) + (f" (and {len(kind) - 1} more like it)" if len(kind) > 1 else "")
        for kind in kinds[:_KINDS]
    )
    more = f"; and {len(kinds) - _KINDS} other kinds" if len(kinds) > _KINDS else ""
    return (
        f"{count} of {len(records)} trials ended by an error of the policy and count as failed. "
        f"{listed}{more}"
    )


def refuse_to_go_on(records: Sequence[Record], last: Record, stop: bool) -> None:
    """End an evaluation whose policy made a mistake, if it is to stop at the first, or made one in
    every trial of the first `HOPELESS`.

    Raises:
        UserError: names the trial.
    """
    if not last["error"]:
        return
    origin = RuntimeError(last["error"]["traceback"])
    if stop:
        raise UserError(f"the policy failed at {where(last)} (on_error=stop)") from origin
    if len(records) >= HOPELESS and all(record.get("error") for record in records):
        raise UserError(
            f"stopped, as every one of the first {len(records)} trials ended by an error of the "
            f"policy, the last at {where(last)}. Mend it and write resume=true"
        ) from origin


def refuse_if_all(records: Sequence[Record], path: Path) -> None:
    """Raises `UserError` if no trial ended otherwise than by a mistake."""
    if all(record.get("error") for record in records):
        raise UserError(
            f"nothing was measured: {report(records)}. See {path}; resume=true tries them again"
        ) from RuntimeError(records[0]["error"]["traceback"])
