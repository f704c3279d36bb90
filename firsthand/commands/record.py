"""Scripted experts act in a world, or correct a policy; what was done becomes a file."""

from dataclasses import dataclass, fields, replace

from firsthand.build import actors
from firsthand.cli.console import say
from firsthand.cli.run_dir import Run
from firsthand.cli.settings import Schema
from firsthand.common.errors import UserError
from firsthand.envs import config as worlds
from firsthand.envs.recording.corrections import Corrections
from firsthand.envs.recording.record import RecordConfig, record
from firsthand.episodes.storage.merge import EpisodeFile


@dataclass(frozen=True)
class RecordActor(RecordConfig):
    """Who acts; everything else is `RecordConfig`."""

    actor: str = actors.EXPERT
    """`expert`, who demonstrates; or who acts and is corrected: a run, one of its checkpoints, a
    saved policy or a hub id, or any class as `package.module:name`."""
    beta: float = 0.5
    """Share of stretches of a second in which the expert acts in place of the one it corrects."""


SCHEMA = Schema(RecordActor, {"env": worlds.CHOICES})


def execute(config: RecordActor, run: Run) -> None:
    """Record into `episodes.hdf5` in the run directory."""
    settings = RecordConfig(**{f.name: getattr(config, f.name) for f in fields(RecordConfig)})
    out = run.path.absolute() / "episodes.hdf5"  # a class of the user's may go to another folder
    path = record(settings, out, run.resume, _corrections(config))
    with EpisodeFile(path) as file:
        splits = ", ".join(f"{len(file.names(split))} {split}" for split in file.splits)
        say(f"{len(file)} {'recordings' if config.play else 'demonstrations'} ({splits}): {path}")
        if config.actor != actors.EXPERT:
            done = sum(header.source["success"] for header in file.headers)
            say(f"{config.actor} was corrected in them; {done} of {len(file)} ended in success")


def _corrections(config: RecordActor) -> Corrections | None:
    if config.actor == actors.EXPERT:
        return None
    is_class = ":" in config.actor and "/" not in config.actor
    path, name = (None, config.actor) if is_class else (config.actor, None)
    factory = actors.actor(path, name, config.seed)
    known_as = {"actor": config.actor}
    if isinstance(factory, actors.CheckpointActor):
        if missing := ", ".join(sorted(factory.cameras.keys() - config.cameras.keys())):
            raise UserError(
                f"{config.actor} looks through {', '.join(factory.cameras)}, and cameras= leaves "
                f"out {missing}: add it"
            )
        known_as = factory.known_as
        factory = replace(factory)  # without what it has read: every process reads the file
    return Corrections(factory, known_as, config.beta)
