"""`firsthand COMMAND [key=value …]`: read the words, load the settings, run, report errors.

Only the standard library is imported here; each command imports what it needs when it runs.
"""

import importlib
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from episodes.errors import UserError
from firsthand.commands import COMMANDS, CONFIGS, Command

if TYPE_CHECKING:
    from firsthand.settings import Settings

TRACEBACK = "FIRSTHAND_TRACEBACK"
USAGE = f"""\
firsthand COMMAND [key=value …]

{{commands}}

  firsthand COMMAND --help     what the command does and its settings
  firsthand COMMAND --cfg      every setting with its value, without running
  firsthand COMMAND -m …       a sweep: run every combination of lists such as seed=0,1,2
  firsthand --version

Every command that makes something writes a run directory, runs/COMMAND/TIME or run=PATH, and goes
on where it stopped with resume=true. {TRACEBACK}=1 shows where an error came from."""


class UsageError(UserError):
    """The words on the command line do not make a command."""


@dataclass(frozen=True)
class Invocation:
    """One reading of the command line."""

    command: Command
    overrides: tuple[str, ...]
    help: bool = False
    show: bool = False
    sweep: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the words after `firsthand`; the process's own by default.

    Returns:
        0; 1 when the input is at fault; 2 when the words make no command; 130 when interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    # Read by OpenMP when torch is loaded: threads that wait sleep. Threads that spin meanwhile, as
    # is the default, took nine tenths of a busy machine's time for nothing.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        if not words or words[0] in ("-h", "--help", "help"):
            print(_overview())
            return 0 if words else 2
        if words[0] == "--version":
            from firsthand import __version__

            print(f"firsthand {__version__}")
            return 0
        _execute(parse(words))
    except UserError as error:
        if os.environ.get(TRACEBACK):
            raise
        print("firsthand:", " ".join(str(error).split()), file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        if os.environ.get(TRACEBACK):
            raise
        print("\nfirsthand: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def parse(words: Sequence[str]) -> Invocation:
    """Find the command, its switches and its settings among the words.

    Raises:
        UsageError: there is no such command or switch.
    """
    switches = {w for w in words if w.startswith("-")}
    plain = [w for w in words if not w.startswith("-") and w != "job"]
    known = {"-h": "help", "--help": "help", "-m": "sweep", "--multirun": "sweep"}
    known |= {"-c": "show", "--cfg": "show"}
    for switch in sorted(switches - known.keys()):
        raise UsageError(f"unknown switch {switch}; there are {', '.join(known)}")
    command, rest = _find(plain)
    chosen = {known[s]: True for s in switches}
    if rest and command.argument and not re.match(r"[a-z_]\w*(\.\w+)*=", rest[0]):
        rest = [f"{command.argument}={_quoted(rest[0])}", *rest[1:]]
    for word in rest:
        if "=" not in word:
            raise UsageError(f"cannot read {word!r}: settings are written key=value")
    return Invocation(command, tuple(rest), **chosen)


def _find(words: Sequence[str]) -> tuple[Command, list[str]]:
    if not words:
        raise UsageError(f"which command? one of: {', '.join(COMMANDS)}")
    for length in (2, 1):
        if (name := " ".join(words[:length])) in COMMANDS:
            return COMMANDS[name], list(words[length:])
    followers = [name.split()[1] for name in COMMANDS if name.startswith(words[0] + " ")]
    if followers:
        raise UsageError(f"{words[0]} what? one of: {', '.join(followers)}")
    from firsthand.schema import one_of

    raise UsageError(f"unknown command {words[0]!r}: {one_of(words[0], COMMANDS)}")


def _quoted(value: str) -> str:
    """A word from the shell as a value in Hydra's grammar, whatever characters it holds."""
    escaped = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + (r"\'" if m[2] else ""), value)
    return f"'{escaped}'"


def _overview() -> str:
    width = max(map(len, COMMANDS)) + 3
    lines = [f"  {c.name:{width}}{c.summary}" for c in COMMANDS.values()]
    return USAGE.format(commands="\n".join(lines))


def _help(command: Command) -> str:
    """What `COMMAND --help` prints: the YAML says it all, so it is shown as it stands."""
    text = (CONFIGS / f"{command.config}.yaml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("defaults:")]
    chosen = {}
    for line in [line for line in lines if line.startswith("  - ")]:
        lines.remove(line)
        group, _, option = line.removeprefix("  - ").partition(": ")
        if option:
            chosen[group] = option
    parts = [f"firsthand {command.name} [key=value …]: {command.summary}", "", *lines]
    if chosen:
        parts += ["", "Choices (files in configs/):"]
    for group, option in chosen.items():
        names = sorted(path.stem for path in (CONFIGS / group.partition("@")[0]).glob("*.yaml"))
        parts.append(f"  {group}={'|'.join(names)}   (now {option})")
    parts += ["", f"firsthand {command.name} --cfg prints every setting with its value."]
    return "\n".join(parts)


def _execute(invocation: Invocation) -> None:
    command = invocation.command
    if invocation.help:
        print(_help(command))
        return
    module = importlib.import_module(f"firsthand.commands.{command.config}")
    from firsthand import run, settings

    if invocation.sweep:
        _run_all(command, module, list(invocation.overrides))
        return
    loaded = settings.load(command.config, module.SCHEMA, invocation.overrides)
    if invocation.show:
        print(settings.as_yaml(loaded), end="")
        return
    path = Path(loaded.run) if loaded.run else None
    if loaded.resume and (earlier := run.previous(command.config, path)):
        loaded = _reload(command, module, loaded, earlier)
        path = earlier
    _run_one(command, module, loaded, path)


def _reload(command: Command, module: ModuleType, named: "Settings", path: Path) -> "Settings":
    """The settings that the run at `path` was started with, and on top those named now."""
    from firsthand import run, settings

    words = [*run.saved_overrides(path), *named.overrides, "resume=true"]
    loaded = settings.load(command.config, module.SCHEMA, words)
    run.refuse_silent_changes(path, loaded.resolved, named.overrides)
    return loaded


def _run_one(command: Command, module: ModuleType, loaded: "Settings", path: Path | None) -> None:
    from firsthand import run
    from training.ranks import check_alone

    if not command.writes:
        module.execute(loaded.config)
        return
    if not command.shared:
        many = hasattr(loaded.config, "workers")
        check_alone(command.name, " workers=N" if many else "")
    with run.open_run(command.config, loaded, path) as opened:
        try:
            module.execute(loaded.config, opened)
        except KeyboardInterrupt:
            again = f"firsthand {command.name} resume=true run={opened.path}"
            print(f"\nfirsthand: stopped; to go on: {again}", file=sys.stderr)
            raise SystemExit(130) from None


def _run_all(command: Command, module: ModuleType, words: list[str]) -> None:
    """A sweep: every combination in a directory of its own, one after the other."""
    from firsthand import run, settings
    from firsthand.console import say

    if not command.writes:
        raise UsageError(f"{command.name} makes nothing that could be swept")
    combinations = settings.sweep(command.config, module.SCHEMA, words)
    if len({loaded.run for loaded in combinations}) > 1:
        raise UsageError("run= names the sweep's own directory and cannot be swept")
    shared = set.intersection(*(set(loaded.overrides) for loaded in combinations))
    chosen = combinations[0].run
    folder = Path(chosen) if chosen else run.fresh(command.config)
    for index, loaded in enumerate(combinations):
        label = ",".join(word for word in loaded.overrides if word not in shared)
        say(f"[{index + 1}/{len(combinations)}] {label}")
        path = folder / f"{index:03}_{re.sub(r'[^A-Za-z0-9.]+', '_', label)[:100]}"
        _run_one(command, module, loaded, path)
