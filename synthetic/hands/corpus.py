"""Makes the corpus of hands: many clips in one file, the same bytes however it is made."""

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
_RATES = (1, 2, 5, 10)  # frames a second that divide that of the actions


@dataclass(frozen=True)
class HandsConfig:
    """How much of the corpus of hands to make.

    Raises:
        UserError: a number is out of range.
    """

    clips: int = 80
    """How many."""
    seconds: float = 20.0
    """Length of a clip."""
    fps: int = 10
    """Frames a second: 1, 2, 5 or 10."""
    size: int = 96
    """Edge of the square images, in pixels."""
    seed: int = 0
    """Decides everything that is drawn by chance."""
    held_out: float = 0.1
    """Share of the clips, 0 to below 1, that are the split `valid`: the last ones. They show desks,
    rooms, skins and sleeves that the others, `train`, never show."""
    workers: int = 2
    """Processes; they change nothing but the time."""

    def __post_init__(self) -> None:
        for name in ("clips", "size", "workers"):
            if getattr(self, name) < 1:
                raise UserError(f"hands: {name} must be at least 1, not {getattr(self, name)}")
        if self.fps not in _RATES:
            raise UserError(f"hands: fps must be one of {_RATES}, not {self.fps}")
        if self.seconds * self.fps < 1:
            raise UserError(
                f"hands: {self.seconds} s at {self.fps} frames a second is less than one frame"
            )
        if not 0 <= self.held_out < 1:
            raise UserError(f"hands: held_out must lie in [0, 1), not {self.held_out}")
        if self.seed < 0:
            raise UserError(f"hands: seed must not be negative, not {self.seed}")

    def split(self, index: int) -> str:
        """The split that a clip belongs to; at least one clip is for training."""
        held_out = min(round(self.clips * self.held_out), self.clips - 1)
        return "train" if index < self.clips - held_out else "valid"

    @property
    def source(self) -> dict[str, Any]:
        """What decides the file's bytes."""
        chosen = {name: value for name, value in asdict(self).items() if name != "workers"}
        return {"source": "hands", "version": _VERSION, **chosen}


def make_hands(config: HandsConfig, out: Path, resume: bool = False) -> Path:
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


def _make_shards(config: HandsConfig, missing: dict[int, Path]) -> None:
    sizes = {start: min(SHARD, config.clips - start) for start in range(0, config.clips, SHARD)}
    done = sum(n for start, n in sizes.items() if start not in missing)
    with progress() as begin:
        bar = begin("clips of hands", config.clips, done)
        jobs = iter(missing.items())
        workers = 0 if config.workers == 1 else min(config.workers, len(missing))
        make = partial(partial, _make_shard, config)  # called in the worker: what it works with
        for (start, _), _ in run(make, lambda: next(jobs, None), workers):
            bar.advance(sizes[start])


def _make_shard(config: HandsConfig, job: tuple[int, Path]) -> None:
    from firsthand.synthetic.hands.clip import make_clip  # starts physics, loads the rasteriser

    start, path = job
    with EpisodeWriter(path, source=config.source) as writer:
        for index in range(start, min(start + SHARD, config.clips)):
            split = config.split(index)
            clip = make_clip(config.seed, index, split, config.seconds, config.fps, config.size)
            writer.add(clip, split)
