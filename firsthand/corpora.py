"""What to pretrain on, by name: every choice of `corpus=` ends as a list of files of episodes."""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from envs.nursery_corpus import NurseryConfig, make_nursery
from episodes.errors import UserError
from firsthand.console import say

if TYPE_CHECKING:
    from collections.abc import Sequence

MADE = Path("data/corpora")  # what is made or converted once and used by many runs
SUFFIXES = (".hdf5", ".h5")


@dataclass(frozen=True)
class EpisodesCorpus:
    """Files of episodes; a folder stands for all those in it."""

    files: tuple[Path, ...] | Path


Corpus = NurseryConfig | EpisodesCorpus


def files_of(corpus: Corpus) -> list[Path]:
    """The files that hold the corpus, made first where they are not there yet.

    Raises:
        UserError: there are none, or one of them cannot be made.
    """
    if isinstance(corpus, EpisodesCorpus):
        return find_stores(corpus.files)
    MADE.mkdir(parents=True, exist_ok=True)
    path = MADE / f"nursery_{_digest(corpus.source)}.hdf5"
    make_nursery(corpus, path, resume=True)
    say(f"corpus: {path}")
    return [path]


def find_stores(paths: "Sequence[Path] | Path") -> list[Path]:
    """The files of episodes that are named, with folders replaced by the files in them.

    Raises:
        UserError: a path does not exist, or a folder holds no such file.
    """
    found = []
    for path in [paths] if isinstance(paths, Path) else paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES)
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
