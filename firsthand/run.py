"""A run directory: where one command puts everything it makes.

    config.yaml    the settings, resolved
    versions.json  one record for every start: packages, git revision, machine, seeds, words
    tensorboard/ checkpoints/ videos/ *.jsonl    what the command itself writes

Every file is written beside its final name and moved there when it is whole.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from episodes.errors import UserError
from episodes.lock import lock
from firsthand.settings import Settings, as_yaml
from training.ranks import rank, world_size

RUNS = Path("runs")
CONFIG, VERSIONS, LOCK = "config.yaml", "versions.json", ".lock"


@dataclass(frozen=True)
class Run:
    """An open run directory. `resume` is true when work of an earlier start is there."""

    path: Path
    resume: bool


def previous(command: str, named: Path | None) -> Path | None:
    """The run that `resume=true` means: the one named, or the command's latest.

    Returns:
        its directory, or None when the named one was never started.

    Raises:
        UserError: none is named and the command has none.
    """
    if named is not None:
        return named if (named / VERSIONS).is_file() else None
    started = [path.parent for path in (RUNS / command).glob(f"*/{VERSIONS}")]
    if not started:
        raise UserError(f"nothing to resume in {RUNS / command}; name a run with run=<path>")
    return max(started, key=lambda path: (path / VERSIONS).stat().st_mtime)


def saved_overrides(path: Path) -> list[str]:
    """The words that the run at `path` was started with."""
    try:
        return list(json.loads((path / VERSIONS).read_text())[-1]["overrides"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path / VERSIONS} is damaged ({error}); start another run") from error


@contextmanager
def open_run(command: str, settings: Settings, path: Path | None) -> Iterator[Run]:
    """Make or reopen a run directory and keep other processes out of it until the block ends.

    Args:
        command: the command's name; new runs go to `runs/<command>/<time>`.
        settings: written to config.yaml, and the words they came from to versions.json; with
            `settings.resume` files may be there already.
        path: the directory, or None for a new one.

    Raises:
        UserError: the directory holds something and nothing was to be resumed, it cannot be
            written to, or another process is writing there.
    """
    others = world_size() > 1
    if others and path is None:
        raise UserError("several processes need one directory: name it with run=<path>")
    if path is not None and others and rank() > 0:
        yield Run(path, settings.resume)  # the first process keeps the records
        return
    path = fresh(command) if path is None else path
    if not settings.resume and path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path} is not empty; write resume=true to continue it, or another run=")
    with _held(path):
        resume = settings.resume and (path / VERSIONS).is_file()
        starts = json.loads((path / VERSIONS).read_text()) if resume else []
        write_text(path / CONFIG, as_yaml(settings))
        starts.append(versions(command, settings))
        write_text(path / VERSIONS, json.dumps(starts, indent=1) + "\n")
        try:
            yield Run(path, resume)
        except UserError:
            _remove_if_empty(path)
            raise


def _remove_if_empty(path: Path) -> None:
    """A run that ended before it made anything leaves nothing that would be in the way."""
    if {item.name for item in path.iterdir()} <= {CONFIG, VERSIONS, LOCK}:
        shutil.rmtree(path)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Make the directory and hold its lock; the system lets go of it however the process ends."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        file = (path / LOCK).open("w")
    except OSError as error:
        raise UserError(f"cannot write to {path}: {error.strerror}") from error
    with file:
        if lock(file) is False:
            raise UserError(f"another process is writing to {path}")
        yield


def fresh(command: str) -> Path:
    """A directory of this moment's name that nobody has."""
    now = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    for name in (now, *(f"{now}_{n}" for n in range(2, 1000))):
        try:
            (RUNS / command / name).mkdir(parents=True)
        except FileExistsError:
            continue
        return RUNS / command / name
    raise UserError(f"{RUNS / command} holds a thousand runs of {now}; name one with run=<path>")


def refuse_silent_changes(path: Path, resolved: Mapping[str, Any], named: Sequence[str]) -> None:
    """A resumed run keeps its settings, whatever the defaults became since it was started.

    Raises:
        UserError: a setting differs from the run's config.yaml and no word in `named` says so.
    """
    from omegaconf import OmegaConf

    try:
        before = flatten(OmegaConf.to_container(OmegaConf.load(path / CONFIG)))  # pyright: ignore
    except Exception as error:
        raise UserError(f"{path / CONFIG} is damaged: {str(error).splitlines()[0]}") from error
    now = flatten(resolved)
    chosen = [word.partition("=")[0].replace("/", ".") for word in named]
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) == now.get(key):
            continue
        if not any(key == name or key.startswith(f"{name}.") for name in chosen):
            raise UserError(
                f"{path} was started with {key}={before.get(key)}, and now it would be "
                f"{now.get(key)}; write {key}=<value> to say which"
            )


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level of dotted keys."""
    flat = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def versions(command: str, settings: Settings) -> dict[str, Any]:
    """What it takes to make a result again: words, seeds, packages, revision, machine."""
    flat = flatten(settings.resolved)
    torch = sys.modules.get("torch")
    gpu = torch.cuda.get_device_name() if torch and torch.cuda.is_available() else None
    return {
        "command": command,
        "overrides": list(settings.overrides),
        "argv": sys.argv[1:],
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "seeds": {k: v for k, v in flat.items() if k.rpartition(".")[2] == "seed"},
        "git": _git_revision(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "gpu": gpu,
        "packages": {d.name: d.version for d in sorted(metadata.distributions(), key=_name)},
    }


def _name(distribution: metadata.Distribution) -> str:
    return distribution.name.lower()


def _git_revision() -> dict[str, Any] | None:
    """The revision of the checkout that this package runs from, if it runs from one."""
    source = Path(__file__).resolve().parent

    def git(*words: str) -> str:
        command = ["git", "-C", str(source), *words]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=10
        ).stdout

    try:
        if not git("ls-files", Path(__file__).name).strip():
            return None  # installed inside somebody else's checkout
        dirty = bool(git("status", "--porcelain", "--untracked-files=no").strip())
        return {"revision": git("rev-parse", "HEAD").strip(), "dirty": dirty}
    except (OSError, subprocess.SubprocessError):
        return None


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def write_text(path: Path, text: str) -> None:
    """Put a whole file at `path`, or leave what was there."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text)
    os.replace(beside, path)
