"""Executes recordings again and says whether they still succeed."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from firsthand.cli.console import say
from firsthand.cli.settings import Schema
from firsthand.common import workers
from firsthand.common.errors import UserError
from firsthand.common.progress import progress
from firsthand.envs.recording.replay import replay
from firsthand.episodes.storage.merge import EpisodeFile


@dataclass(frozen=True)
class ReplayConfig:
    """What is executed again."""

    path: Path
    """A file of episodes, or the run that recorded it."""
    root: Path | None = None
    """The checkout of calvin_env, for recordings that were made there."""
    sample: int | None = 100
    """How many recordings are replayed; None: all."""
    seed: int = 0
    """Of the choice of these."""
    workers: int = 2
    """Processes; 0 uses this one."""


SCHEMA = Schema(ReplayConfig)


def execute(config: ReplayConfig) -> None:
    """Replay and count.

    Raises:
        UserError: there is no such file, or a recording did not succeed again.
    """
    path = config.path / "episodes.hdf5" if config.path.is_dir() else config.path
    with EpisodeFile(path) as file:
        names = file.names()
    if config.sample is not None and config.sample < len(names):
        drawn = np.random.default_rng(config.seed).choice(len(names), config.sample, replace=False)
        names = [names[index] for index in sorted(drawn)]
    waiting = iter(names)
    make = partial(partial, replay, path, root=config.root)
    failed, drift = [], 0.0
    with progress() as begin:
        bar = begin("replaying", len(names))
        for name, outcome in workers.run(make, lambda: next(waiting, None), config.workers):
            drift = max(drift, outcome.drift)
            if not outcome.success:
                failed.append(name)
            bar.advance()
    if failed:
        raise UserError(
            f"{path}: {len(failed)} of {len(names)} recordings did not succeed again: "
            f"{', '.join(sorted(failed))}"
        )
    say(f"all of {len(names)} recordings succeeded again; largest difference of a state {drift:g}")
