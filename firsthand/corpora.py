"""What to pretrain on, by name: every choice of `corpus=` ends as a list of files of episodes."""

import json
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from envs.nursery_corpus import NurseryConfig, make_nursery
from episodes.errors import UserError
from episodes.videos import VideoReport, VideoSettings, videos_to_store
from firsthand.console import say

if TYPE_CHECKING:
    from collections.abc import Sequence

MADE = Path("data/corpora")  # what is made or converted once and used by many runs
SUFFIXES = (".hdf5", ".h5")


@dataclass(frozen=True)
class EpisodesCorpus:
    """Files of episodes; a folder stands for all those in it."""

    files: tuple[Path, ...] | Path


@dataclass(frozen=True, kw_only=True)
class VideosCorpus(VideoSettings):
    """A folder of videos, with what was said in them in files beside.

    held_out: share of the videos to measure on, chosen by `seed`; workers: processes that decode.
    """

    root: Path
    held_out: float = 0.1
    seed: int = 0
    workers: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.held_out < 1:
            raise UserError(f"held_out must be at least 0 and below 1, not {self.held_out}")
        if self.workers < 1:
            raise UserError(f"workers must be 1 or more, not {self.workers}")

    def convert(self, out: Path) -> VideoReport:
        """Write the videos as episodes, unless `out` already holds just that.

        Raises:
            UserError: no video can be used.
        """
        values = {f.name: getattr(self, f.name) for f in fields(VideoSettings)}
        settings = VideoSettings(**values)
        return videos_to_store(self.root, out, settings, self.held_out, self.seed, self.workers)


Corpus = NurseryConfig | VideosCorpus | EpisodesCorpus
CHOICES = {"nursery": NurseryConfig, "videos": VideosCorpus, "episodes": EpisodesCorpus}


def files_of(corpus: Corpus) -> list[Path]:
    """The files that hold the corpus, made first where they are not there yet.

    Raises:
        UserError: there are none, or one of them cannot be made.
    """
    if isinstance(corpus, EpisodesCorpus):
        return find_stores(corpus.files)
    MADE.mkdir(parents=True, exist_ok=True)
    if isinstance(corpus, NurseryConfig):
        path = MADE / f"nursery_{_digest(corpus.source)}.hdf5"
        make_nursery(corpus, path, resume=True)
    else:
        source = asdict(corpus) | {"root": str(corpus.root.resolve()), "workers": 0}
        path = MADE / f"{corpus.root.resolve().name}_{_digest(source)}.hdf5"
        say_report(corpus.convert(path))
    say(f"corpus: {path}")
    return [path]


def say_report(report: VideoReport) -> None:
    """Name every video that could not be used, and why."""
    for name, reason in report.skipped:
        say(f"skipped {name}: {reason}")
    for name in report.strangers:
        say(f"narrations name {name}, which is no video here")
    say(f"{len(report.used)} videos used, {len(report.skipped)} skipped")


def find_stores(paths: "Sequence[Path] | Path") -> list[Path]:
    """The files of episodes that are named, with folders replaced by the files in them.

    Raises:
        UserError: a path does not exist, or a folder holds no such file.
    """
    found = []
    for path in [paths] if isinstance(paths, Path) else paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix in SUFFIXES)
            if not inside:
                raise UserError(f"{path} holds no file of episodes ({' or '.join(SUFFIXES)})")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise UserError(f"no episodes at {path}: there is no such file or folder")
    if not found:
        raise UserError("name at least one file of episodes")
    return found


def _digest(source: object) -> str:
    return sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()[:12]
