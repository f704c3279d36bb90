"""A sweep: every combination of settings in a run of its own, one after the other."""

import re
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from firsthand.cli.console import say, table
from firsthand.cli.settings import Settings
from firsthand.cli.terminal import of_the_machine
from firsthand.common.errors import UserError


def folder_of(combinations: Sequence[Settings], fresh: Callable[[], Path]) -> Path:
    """Where all of them go: the one place that is named, or a new one.

    Raises:
        UserError: they name several.
    """
    if len({loaded.run for loaded in combinations}) > 1:
        raise UserError("run= names the sweep's own directory and cannot be swept")
    chosen = combinations[0].run
    return Path(chosen) if chosen else fresh()


def run_all(
    combinations: Sequence[Settings], folder: Path, run_one: Callable[[Settings, Path], None]
) -> None:
    """Run each in a folder of its own. One that fails is named, and the others go on.

    Raises:
        UserError: some failed; a table has been printed.
    """
    shared = set.intersection(*(set(loaded.overrides) for loaded in combinations))
    outcomes = []
    for index, loaded in enumerate(combinations):
        label = ",".join(word for word in loaded.overrides if word not in shared)
        path = folder / f"{index:03}_{re.sub(r'[^A-Za-z0-9.]+', '_', label)[:100]}"
        say(f"[{index + 1}/{len(combinations)}] {label}")
        failure = _failure(run_one, loaded, path)
        if failure:
            print(f"firsthand: {path.name} failed: {failure}", file=sys.stderr)
        outcomes.append((path.name, failure or "done"))
    failed = [name for name, outcome in outcomes if outcome != "done"]
    if failed:
        table(f"sweep in {folder}", ("run", "outcome"), outcomes)
        raise UserError(f"{len(failed)} of {len(outcomes)} runs failed: {', '.join(failed)}")


def _failure(run_one: Callable[[Settings, Path], None], loaded: Settings, path: Path) -> str | None:
    """Why a run failed, in one line; a mistake that is not the user's with its traceback."""
    try:
        run_one(loaded, path)
    except UserError as error:
        return " ".join(str(error).split())
    except Exception as error:
        if isinstance(error, OSError) and (message := of_the_machine(error)):
            return message
        traceback.print_exc()
        return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
    return None
