"""Scripted experts act in a world; what they did becomes a file of episodes."""

from envs import worlds
from envs.record import RecordConfig, record
from episodes.store import EpisodeFile
from firsthand.console import say
from firsthand.run import Run
from firsthand.settings import Schema

SCHEMA = Schema(RecordConfig, {"env": worlds.CHOICES})


def execute(config: RecordConfig, run: Run) -> None:
    """Record into `episodes.hdf5` in the run directory."""
    path = record(config, run.path / "episodes.hdf5", resume=run.resume)
    with EpisodeFile(path) as file:
        splits = ", ".join(f"{len(file.names(split))} {split}" for split in file.splits)
        say(f"{len(file)} {'recordings' if config.play else 'demonstrations'} ({splits}): {path}")
