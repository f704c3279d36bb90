"""Makes the nursery's corpus: many clips in one file, the same bytes however it is made."""

import json
import shutil
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from firsthand.common.errors import UserError
from firsthand.common.progress import progress
from firsthand.common.workers import run
from firsthand.episodes.storage.merge import merge
from firsthand.episodes.storage.reader import EpisodeFile
from firsthand.episodes.storage.writer import EpisodeWriter

SHARD = 4  # clips a shard: what is lost when the making is interrupted
_VERSION = 1  # of what the clips show: raise it whenever a seed would show something else
_RATES = (1, 2, 5, 10, 25, 50)  # frames a second that divide the simulation's rate


@dataclass(frozen=True)
class NurseryConfig:
    """How much of the nursery's corpus to make.

    Raises:
        UserError: a number is out of range.
    """

    clips: int = 60
    """How many."""
    seconds: float = 10.0
    """Length of a clip."""
    fps: int = 10
    """Frames a second: 1, 2, 5, 10, 25 or 50, which divide the simulation's rate."""
    size: int = 96
    """Edge of the square images, in pixels."""
    seed: int = 0
    """Decides everything that is drawn by chance."""
    held_out: float = 0.1
    """Share of the clips, 0 to below 1, that are the split `valid`: the last ones. The others are
    `train`."""
    workers: int = 2
    """Processes; they change nothing but the time."""

    def __post_init__(self) -> None:
        for name in ("clips", "size", "workers"):
            if getattr(self, name) < 1:
                raise UserError(f"nursery: {name} must be at least 1, not {getattr(self, name)}")
        if self.fps not in _RATES:
            raise UserError(f"nursery: fps must be one of {_RATES}, not {self.fps}")
        if self.seconds * self.fps < 1:
            raise UserError(
                f"nursery: {self.seconds} s at {self.fps} frames a second is less than one frame"
            )
        if not 0 <= self.held_out < 1:
            raise UserError(f"nursery: held_out must lie in [0, 1), not {self.held_out}")
        if self.seed < 0:
            raise UserError(f"nursery: seed must not be negative, not {self.seed}")

    def split(self, index: int) -> str:
        """The split that a clip belongs to; at least one clip is for training."""
        held_out = min(round(self.clips * self.held_out), self.clips - 1)
        return "train" if index < self.clips - held_out else "valid"

    @property
    def source(self) -> dict[str, Any]:
        """What decides the file's bytes."""
        chosen = {name: value for name, value in asdict(self).items() if name != "workers"}
        return {"source": "nursery", "version": _VERSION, **chosen}


def make_nursery(config: NurseryConfig, out: Path, resume: bool = False) -> Path:
    """Make the corpus and store it at `out`, which appears only when it is complete.

    Finished shards lie beside it in a folder named after the configuration. With `resume`, they
    are used again, and a complete file of the same configuration is left as it is.

    Raises:
        UserError: with `resume`, `out` is there already and holds something else.
    """
    out = Path(out)
    if resume and out.exists():
        with EpisodeFile(out) as file:
            if dict(file.source) != config.source:
                raise UserError(
                    f"{out} holds {dict(file.source)}, not {config.source}: choose another name,"
                    " or make it anew without resume"
                )
        return out
    digest = sha256(json.dumps(config.source, sort_keys=True).encode()).hexdigest()[:12]
    shards = out.with_name(f"{out.name}.{digest}.shards")
    if not resume:
        shutil.rmtree(shards, ignore_errors=True)
    shards.mkdir(parents=True, exist_ok=True)
    starts = range(0, config.clips, SHARD)
    paths = {start: shards / f"{start:06d}.hdf5" for start in starts}
    _make_shards(config, {start: p for start, p in paths.items() if not p.exists()})
    merge([paths[start] for start in starts], out)
    shutil.rmtree(shards)
    return out


def _make_shards(config: NurseryConfig, missing: dict[int, Path]) -> None:
    sizes = {start: min(SHARD, config.clips - start) for start in range(0, config.clips, SHARD)}
    done = sum(n for start, n in sizes.items() if start not in missing)
    with progress() as begin:
        bar = begin("nursery clips", config.clips, done)
        jobs = iter(missing.items())
        workers = 0 if config.workers == 1 else min(config.workers, len(missing))
        make = partial(partial, _make_shard, config)  # called in the worker: what it works with
        for (start, _), _ in run(make, lambda: next(jobs, None), workers):
            bar.advance(sizes[start])


def _make_shard(config: NurseryConfig, job: tuple[int, Path]) -> None:
    from firsthand.synthetic.nursery.render import make_episode  # compiles or loads the rasteriser

    start, path = job
    with EpisodeWriter(path, source=config.source) as writer:
        for index in range(start, min(start + SHARD, config.clips)):
            episode = make_episode(config.seed, index, config.seconds, config.fps, config.size)
            writer.add(episode, config.split(index))
