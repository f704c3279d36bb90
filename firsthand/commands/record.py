"""Scripted experts act in a world; what they did becomes a file of episodes."""

from firsthand.cli.console import say
from firsthand.cli.run_dir import Run
from firsthand.cli.settings import Schema
from firsthand.envs import config as worlds
from firsthand.envs.recording.record import RecordConfig, record
from firsthand.episodes.storage.merge import EpisodeFile

SCHEMA = Schema(RecordConfig, {"env": worlds.CHOICES})


def execute(config: RecordConfig, run: Run) -> None:
    """Record into `episodes.hdf5` in the run directory."""
    path = record(config, run.path / "episodes.hdf5", resume=run.resume)
    with EpisodeFile(path) as file:
        splits = ", ".join(f"{len(file.names(split))} {split}" for split in file.splits)
        say(f"{len(file)} {'recordings' if config.play else 'demonstrations'} ({splits}): {path}")
