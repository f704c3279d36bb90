"""A run directory: where one command puts everything it makes.

    config.yaml    the settings, resolved
    versions.json  one record for every start: packages, git revision, machine, seeds, words
    tensorboard/ checkpoints/ videos/ *.jsonl    what the command itself writes

Every file is written beside its final name and moved there when it is whole.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from firsthand.cli.aliases import today_flat, today_word
from firsthand.cli.schema import flatten
from firsthand.cli.settings import Settings, as_yaml
from firsthand.cli.versions import versions
from firsthand.common.atomic import write_bytes, write_text
from firsthand.common.errors import UserError
from firsthand.common.lock import lock
from firsthand.common.ranks import rank, world_size
from firsthand.policy.checkpoints.model_path import near

RUNS = Path("runs")
CONFIG, VERSIONS, LOCK = "config.yaml", "versions.json", ".lock"
# What commands write before there is anything to keep.
HEADERS = re.compile(r"\.config\.json$|\.parts/config\.json$|/study\.json$")


@dataclass(frozen=True)
class Run:
    """An open run directory. `resume` is true when work of an earlier start is there."""

    path: Path
    resume: bool


def previous(command: str, named: Path | None) -> Path | None:
    """The run that `resume=true` means: the one named, or the command's latest.

    Returns:
        its directory, or None when the named one was killed before it began.

    Raises:
        UserError: nothing was started there, or by another command, or none is named and the
            command has none.
    """
    if named is None:
        started = [path.parent for path in (RUNS / command).glob(f"*/{VERSIONS}")]
        if not started:
            raise UserError(f"nothing to resume in {RUNS / command}; name a run with run=<path>")
        return max(started, key=lambda path: (path / VERSIONS).stat().st_mtime)
    with _one_line(named, "read"):
        if (named / VERSIONS).is_file():
            starter = _starts(named)[-1].get("command", command)
            if starter != command:
                raise UserError(
                    f"{named} was started by firsthand {starter.replace('_', '-')}, "
                    f"not by firsthand {command.replace('_', '-')}"
                )
            return named
        if named.is_dir() and any(named.iterdir()) and not _occupied(named):
            return None
        if members := sorted(named.glob(f"[0-9][0-9][0-9]_*/{VERSIONS}")):
            raise UserError(
                f"{named} holds a sweep, no run: resume one of it, such as "
                f"run={members[0].parent}, or write the sweep's words again, -m included"
            )
        if named.exists():
            raise UserError(f"nothing to resume: {named} holds no run")
    raise UserError(
        f"nothing to resume: there is no run at {named}{near(named)}; without resume=true "
        "it is started"
    )


def _starts(path: Path) -> list[dict[str, Any]]:
    try:
        starts = json.loads((path / VERSIONS).read_text("utf-8"))
        if not starts or any("overrides" not in start for start in starts):
            raise ValueError("it names no start")
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path / VERSIONS} is damaged ({error}); start another run") from error
    return starts


def saved_overrides(path: Path) -> list[str]:
    """The words that the run at `path` was started with, by the names that settings have today."""
    return [today_word(word) for word in _starts(path)[-1]["overrides"]]


@contextmanager
def open_run(command: str, settings: Settings, path: Path | None) -> Iterator[Run]:
    """Make or reopen a run directory and keep other processes out of it until the block ends.

    When the block fails before it has changed anything, the directory is left as it was: without
    the new start if it was to be resumed, else not at all.

    Args:
        command: the command's name; new runs go to `runs/<command>/<time>`.
        settings: written to config.yaml, and the words they came from to versions.json; with
            `settings.resume` files may be there already.
        path: the directory, or None for a new one.

    Raises:
        UserError: the directory holds something and nothing was to be resumed, it cannot be
            written to, another process is writing there, or it was removed meanwhile.
    """
    others = world_size() > 1
    if others and path is None:
        raise UserError("several processes need one directory: name it with run=<path>")
    if path is not None and others and rank() > 0:
        yield Run(path, settings.resume)  # the first process keeps the records
        return
    absent = _absent(path or RUNS / command)
    there = path is not None and path not in absent
    path = fresh(command) if path is None else path
    with _one_line(path, "write to"):
        if path.exists() and not path.is_dir():
            raise UserError(f"{path} is a file; name a directory, run=<path>")
        if not settings.resume and _occupied(path):
            raise UserError(
                f"{path} is not empty; write resume=true to continue it, or another run="
            )
        path.mkdir(parents=True, exist_ok=True)
        file = (path / LOCK).open("w")
    with file:
        if lock(file) is False:
            raise UserError(f"another process is writing to {path}")
        before = {item: item.read_bytes() for item in _files(path) if _says_only(item, path)}
        resume = settings.resume and path / VERSIONS in before
        starts = _starts(path) if resume else []
        starts.append(versions(command, settings))
        work = _work(path)
        try:
            with _one_line(path, "write to"):
                write_text(path / CONFIG, as_yaml(settings))
                write_text(path / VERSIONS, json.dumps(starts, indent=1) + "\n")
            yield Run(path, resume)
        except BaseException as error:
            if not path.is_dir():
                if isinstance(error, OSError):
                    raise UserError(f"{path} was removed while its command ran") from error
                raise
            if resume and _work(path) == work:
                for item in _files(path):
                    if _says_only(item, path) and item not in before:
                        item.unlink()
                for item, content in before.items():
                    write_bytes(item, content)
            elif not resume and isinstance(error, Exception) and not _results(path):
                _empty(path)
                for folder in absent if there else [path, *absent]:
                    _remove_if_empty(folder)
            raise


@contextmanager
def _one_line(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot {what} {path}: {error.strerror}") from error


def _absent(path: Path) -> list[Path]:
    """The folders that are to be made for one, the innermost first."""
    with _one_line(path, "write to"):
        return [folder for folder in (path, *path.parents) if not folder.exists()]


def _occupied(path: Path) -> bool:
    """Whether a folder holds more than what a start that was killed at once leaves behind."""
    ours = re.compile(rf"{re.escape(LOCK)}|{CONFIG}|\.({CONFIG}|{VERSIONS})\.\d+")
    return path.exists() and any(not ours.fullmatch(item.name) for item in path.iterdir())


def _files(path: Path) -> list[Path]:
    return [item for item in path.rglob("*") if item.is_file() and item.name != LOCK]


def _says_only(file: Path, run: Path) -> bool:
    """Whether a file of a run only says what is to be made, or was begun."""
    return file in (run / CONFIG, run / VERSIONS) or HEADERS.search(str(file)) is not None


def _work(path: Path) -> dict[Path, tuple[int, int]]:
    """What a command has made in its run: sizes and times of the files that hold something."""
    found = ((item, item.stat()) for item in _files(path) if not _says_only(item, path))
    return {item: (s.st_size, s.st_mtime_ns) for item, s in found if s.st_size}


def _results(path: Path) -> list[Path]:
    """What is worth keeping of a run that failed: more than a log of its settings."""
    return [item for item in _work(path) if "tfevents" not in item.name]


def _empty(folder: Path) -> None:
    """Remove all that is in a folder, which may be a link, or where one is."""
    for item in folder.iterdir():
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        else:
            item.unlink()


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def fresh(command: str) -> Path:
    """A directory of this moment's name that nobody has."""
    now = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    for name in (now, *(f"{now}_{n}" for n in range(2, 1000))):
        try:
            (RUNS / command / name).mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(
                f"cannot write to {RUNS / command}: {error.strerror}; name another place with "
                "run=<path>"
            ) from error
        return RUNS / command / name
    raise UserError(f"{RUNS / command} holds a thousand runs of {now}; name one with run=<path>")


def refuse_silent_changes(path: Path, resolved: Mapping[str, Any], named: Sequence[str]) -> None:
    """A resumed run keeps its settings, whatever the defaults became since it was started.

    Raises:
        UserError: a setting differs from the run's config.yaml and no word in `named` says so.
    """
    from omegaconf import OmegaConf

    try:
        loaded = OmegaConf.to_container(OmegaConf.load(path / CONFIG))
        before = today_flat(flatten(loaded))  # pyright: ignore
    except Exception as error:
        raise UserError(f"{path / CONFIG} is damaged: {str(error).splitlines()[0]}") from error
    now = flatten(resolved)
    changed = [key for key in before.keys() | now.keys() if before.get(key) != now.get(key)]
    chosen = [word.partition("=")[0].replace("/", ".") for word in named]
    for key in sorted(changed):
        if any(key == name or key.startswith(f"{name}.") for name in chosen):
            continue
        old, new = before.get(key), now.get(key)
        for name in sorted(set(chosen) & set(changed)):
            if (before.get(name), now.get(name)) == (old, new):  # as source.root follows root
                raise UserError(
                    f"{path} was started with {name}={old}, and now {name}={new} is said, which "
                    f"changes {key} too: leave out {name}= to go on with {old}, or write "
                    f"{key}={new} as well"
                )
        raise UserError(
            f"{path} was started with {key}={old}, and now it would be {new}; "
            f"write {key}=<value> to say which"
        )
