"""`firsthand COMMAND [key=value …]`: read the words, load the settings, run, report errors.

Only the standard library is imported here; each command imports what it needs when it runs.
"""

import os
import re
import shlex
import sys
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firsthand.cli import stop
from firsthand.cli.overrides import quoted, written
from firsthand.cli.terminal import of_the_machine, tolerate_ascii
from firsthand.commands import COMMANDS, CONFIGS, Command
from firsthand.common.errors import UserError
from firsthand.common.suggestions import one_of

if TYPE_CHECKING:
    from firsthand.cli.settings import Settings

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
        0; 1 when the input is at fault; 2 when the words make no command; 130 when interrupted,
        143 and 129 when by SIGTERM and SIGHUP.
    """
    # Read by OpenMP when torch is loaded: threads that wait sleep. Threads that spin meanwhile, as
    # is the default, took nine tenths of a busy machine's time for nothing.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    tolerate_ascii()
    with stop.like_ctrl_c():
        return _main(list(sys.argv[1:] if argv is None else argv))


def _main(words: list[str]) -> int:
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
    except KeyboardInterrupt as stopped:
        if os.environ.get(TRACEBACK):
            raise
        print("\nfirsthand: stopped before anything was written", file=sys.stderr)
        return stop.status(stopped)
    except BrokenPipeError:  # the reader of our output left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if os.environ.get(TRACEBACK) or not (message := of_the_machine(error)):
            raise
        print("firsthand:", message, file=sys.stderr)
        return 1
    return 0


def parse(words: Sequence[str]) -> Invocation:
    """Find the command, its switches and its settings among the words.

    Raises:
        UsageError: there is no such command or switch.
    """
    switches = {w for w in words if w.startswith("-")}
    plain = [w for w in words if not w.startswith("-") and w != "job"]
    switch_of = {"-h": "help", "--help": "help", "-m": "sweep", "--multirun": "sweep"}
    switch_of |= {"-c": "show", "--cfg": "show"}
    for switch in sorted(switches - switch_of.keys()):
        raise UsageError(f"unknown switch {switch}; {_meant(switch, words)}")
    command, rest = _find(plain)
    chosen = {switch_of[s]: True for s in switches}
    if rest and command.argument and not re.match(r"[a-z_]\w*(\.\w+)*=", rest[0]):
        rest = [f"{command.argument}={quoted(rest[0])}", *rest[1:]]
    for word in rest:
        if "=" not in word:
            raise UsageError(f"cannot read {word!r}: settings are written key=value")
    return Invocation(command, tuple(rest), **chosen)


def _meant(switch: str, words: Sequence[str]) -> str:
    """What to write instead of `--key value` or `--key=value`."""
    key, _, value = switch.lstrip("-").replace("-", "_").partition("=")
    after = [*words, ""][list(words).index(switch) + 1]
    value = switch.partition("=")[2] or (after if after and after[0] != "-" else "<value>")
    if "=" in value or not switch.startswith("--"):
        value = "<value>"
    return f"settings are written without dashes, {key}={value}; switches are -h, -m and -c"


def _find(words: Sequence[str]) -> tuple[Command, list[str]]:
    if not words:
        raise UsageError(f"which command? one of: {', '.join(COMMANDS)}")
    if len(words) > 1 and (joined := "-".join(words[:2])) in COMMANDS:
        raise UsageError(f"there is no {' '.join(words[:2])}; write firsthand {joined}")
    for length in (2, 1):
        if (name := " ".join(words[:length])) in COMMANDS:
            return COMMANDS[name], list(words[length:])
    followers = [name.split()[1] for name in COMMANDS if name.startswith(words[0] + " ")]
    if followers:
        raise UsageError(f"{words[0]} what? one of: {', '.join(followers)}")
    raise UsageError(f"unknown command {words[0]!r}: {one_of(words[0], COMMANDS)}")


def _overview() -> str:
    width = max(map(len, COMMANDS)) + 3
    lines = [f"  {c.name:{width}}{c.summary}" for c in COMMANDS.values()]
    return USAGE.format(commands="\n".join(lines))


def _help(command: Command) -> str:
    """What `COMMAND --help` prints: the YAML as it stands, comments included."""
    text = (CONFIGS / f"{command.config}.yaml").read_text("utf-8")
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
    module = command.load()
    from firsthand.cli import run_dir as run
    from firsthand.cli import settings

    if invocation.sweep:
        _run_all(command, module, invocation.overrides)
        return
    words = invocation.overrides
    if invocation.show:
        print(settings.shown(command.config, module.SCHEMA, words), end="")
        return
    earlier = None
    if command.writes and any(word.startswith("resume=") for word in words):
        named, resume = settings.place(command.config, module.SCHEMA, words)
        earlier = run.previous(command.config, Path(named) if named else None) if resume else None
    if earlier is not None:
        # Before anything is checked: what has no default was given when the run was started.
        words = (*run.saved_overrides(earlier), *words)
    loaded = settings.load(command.config, module.SCHEMA, words)
    if earlier is not None:
        run.refuse_silent_changes(earlier, loaded.resolved, invocation.overrides)
    path = earlier or (Path(loaded.run) if loaded.run else None)
    _run_one(command, module, loaded, path)


def _run_one(
    command: Command, module: Any, loaded: "Settings", path: Path | None, sweep: str = ""
) -> None:
    """Run a command; one that is stopped says how to go on, with the line of the `sweep` it is
    part of."""
    from firsthand.cli import run_dir as run
    from firsthand.common.ranks import check_alone, rank

    if not command.writes:
        module.execute(loaded.config)
        return
    if not command.shared:
        many = hasattr(loaded.config, "workers")
        check_alone(command.name, " workers=N" if many else "")
    # What the user's own code made the working directory holds no longer than the command.
    with run.open_run(command.config, loaded, path) as opened, chdir("."):
        try:
            module.execute(loaded.config, opened)
        except KeyboardInterrupt as stopped:
            if rank() == 0:
                again = sweep or _again(command, opened.path)
                print(f"\nfirsthand: stopped; to go on: {again}", file=sys.stderr)
            raise SystemExit(stop.status(stopped)) from None


def _again(command: Command, path: Path, *words: str) -> str:
    """The line, for a shell, that resumes a run; for a sweep, with its words."""
    return shlex.join(
        ["firsthand", *command.name.split(), *words, "resume=true", written("run", str(path))]
    )


def _run_all(command: Command, module: Any, words: Sequence[str]) -> None:
    from firsthand.cli import run_dir as run
    from firsthand.cli import settings, sweep

    if not command.writes:
        raise UsageError(f"{command.name} makes nothing that could be swept")
    combinations = settings.sweep(command.config, module.SCHEMA, words)
    folder = sweep.folder_of(combinations, lambda: run.fresh(command.config))
    kept = [word for word in words if word.partition("=")[0] not in settings.RUN_KEYS]
    again = _again(command, folder, "-m", *kept)
    sweep.run_all(
        combinations, folder, lambda one, path: _run_one(command, module, one, path, again)
    )
