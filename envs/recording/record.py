"""Demonstrations: experts act in worlds, and what they did becomes a file of episodes.

Every row of episodes is a pure function of (configuration, attempt). Workers put each finished one
into a folder beside the file to be; when all are there, they are joined in a fixed order. So
neither the number of workers nor an interruption changes a byte of the result.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from firsthand.common import workers
from firsthand.common.atomic import write_text
from firsthand.common.errors import UserError
from firsthand.common.progress import progress
from firsthand.envs.aliases import today
from firsthand.envs.evaluation.records import blaming_the_disk, check_same, read_json, versions
from firsthand.envs.recording.config import RecordConfig
from firsthand.envs.recording.corrections import Corrections
from firsthand.envs.recording.recorder import Recorder
from firsthand.envs.recording.schedule import LENGTH, RecordingSchedule
from firsthand.episodes.storage.merge import EpisodeFile, EpisodeWriter

__all__ = ["RecordConfig", "record"]


def record(
    config: RecordConfig,
    out: Path,
    resume: bool = False,
    corrections: Corrections | None = None,
) -> Path:
    """Record demonstrations into the HDF5 file `out` (see `episodes.storage`); returns its path.

    A failed task is not stored; another takes its place. Frames show what was seen before the
    action of the same index.

    Args:
        out: the file; while recording, finished episodes lie in the folder `<out>.parts`.
        resume: continue an interrupted recording; a finished one is left as it is.
        corrections: a policy that acts and is corrected, whose failures are stored as well; None
            lets the experts demonstrate.

    Raises:
        UserError: something else is at `out`, an expert keeps failing, or the disk is full or
            cannot be written to.
        RuntimeError: a worker failed.
    """
    with blaming_the_disk(out):
        return _record(config, out, resume, corrections)


def _record(config: RecordConfig, out: Path, resume: bool, corrections: Corrections | None) -> Path:
    if corrections is not None and config.play:
        raise UserError("a policy is corrected at single tasks: leave play=true away")
    # through JSON, so that it can be compared with what was read from a file
    conditions = json.loads(json.dumps(_conditions(config, corrections)))
    parts = out.with_name(out.name + ".parts")
    if out.exists():
        if not resume:
            raise UserError(f"{out} exists: add resume=true to keep it, or choose another name")
        with EpisodeFile(out) as file:
            made_by = today({name: file.source.get(name) for name in conditions})
        check_same(out, made_by, conditions)
        shutil.rmtree(parts, ignore_errors=True)  # left when stopped after the last step but one
        return out
    _open_parts(parts, conditions, resume)
    schedule = RecordingSchedule(config.wanted, parts, 1 if config.play else LENGTH)
    make = partial(Recorder, config, parts, corrections)
    with progress() as begin:
        bar = begin("episodes", config.total, schedule.successes)
        for attempt, outcome in workers.run(make, schedule.next_attempt, config.workers):
            schedule.finished(attempt, outcome)
            failed = f"{schedule.failures} failed" if schedule.failures else ""
            bar.reach(schedule.successes, failed)
        source = conditions | {"failures": schedule.failures_by_request()}
        finished = schedule.in_order()
        bar = begin("joining", len(finished))
        for _ in _join(parts, finished, out, config, source):
            bar.advance()
    shutil.rmtree(parts)
    return out


def _conditions(config: RecordConfig, corrections: Corrections | None) -> dict[str, Any]:
    """All that the file depends on."""
    settings = {name: value for name, value in asdict(config).items() if name != "workers"}
    settings["env"] = {k: v for k, v in config.env.describe().items() if k != "scene"}
    corrected = {"corrections": corrections.describe()} if corrections else {}
    return {"recorded_with": settings | corrected, "versions": versions()}


def _open_parts(parts: Path, conditions: Mapping[str, Any], resume: bool) -> None:
    header = parts / "config.json"
    if header.exists():
        if not resume:
            raise UserError(
                f"{parts} holds an unfinished recording: add resume=true to continue it, "
                "or remove that folder"
            )
        check_same(parts, today(read_json(header)), conditions)
        return
    parts.mkdir(parents=True, exist_ok=True)
    write_text(header, json.dumps(conditions, indent=1))


def _join(
    parts: Path,
    finished: Iterable[tuple[int, int]],
    out: Path,
    config: RecordConfig,
    source: Mapping[str, Any],
) -> Iterator[None]:
    """Write the demonstrations, by row and place, into one file; yields after each."""
    with EpisodeWriter(out, env_args=config.env_args(), source=source) as writer:
        for row, place in finished:
            with EpisodeFile(parts / f"{row:06d}.hdf5") as file:
                writer.add(file.read_encoded(place), file.splits[0])
            yield
