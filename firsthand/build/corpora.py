"""What to learn from, by name: every choice of `corpus=` ends as corpora that are there."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from firsthand.cli.console import say
from firsthand.common import uri
from firsthand.common.errors import UserError
from firsthand.common.executor import LocalExecutor
from firsthand.episodes.convert.convert import ConvertSettings, convert
from firsthand.episodes.convert.report import ConversionReport
from firsthand.episodes.convert.splits import By
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.formats.saycam.dataset import Saycam
from firsthand.episodes.formats.video_folder import VideoFolder
from firsthand.episodes.sampling.mixture import Part
from firsthand.synthetic.hands.corpus import HandsConfig, make_hands
from firsthand.synthetic.home.corpus import FRAMES, HomeConfig, make_home

MADE = Path("data/corpora")  # what is made or converted once and used by many runs
_NAMED = 50  # lines about losses and oddities that are printed


@dataclass(frozen=True)
class EpisodesCorpus:
    """Corpora by folder or URL, files of episodes, folders of such files: shuffled together."""

    files: tuple[str, ...] | str
    """One of these, or several."""


@dataclass(frozen=True)
class MixtureCorpus:
    """Corpora that each have a share of every batch."""

    parts: Mapping[str, str]
    """By name, what `EpisodesCorpus` takes."""
    weights: Mapping[str, float]
    """By name, the share of every batch, in any unit."""

    def __post_init__(self) -> None:
        if not self.parts:
            raise UserError("a mixture needs parts={name: corpus, …} and weights={name: share, …}")
        if self.parts.keys() != self.weights.keys():
            raise UserError(
                f"a mixture needs a weight for each part: parts are {', '.join(self.parts)}, "
                f"weights are of {', '.join(self.weights)}"
            )


@dataclass(frozen=True, kw_only=True)
class VideosCorpus(VideoFolder):
    """A folder of videos, with what was said in them in files beside."""

    held_out: float = 0.1
    """Share of the videos to measure on."""
    split_by: By = "group"
    """Whether videos are held out whole (`group`), or some of the recordings that they are cut
    into (`recording`)."""
    seed: int = 0
    """Of this choice."""
    max_lost: float = 0.5
    """Share of the videos that may be unusable."""
    workers: int = 2
    """Processes that decode."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.means()

    def means(self) -> tuple[ConvertSettings, LocalExecutor]:
        """How it is converted, and by whom."""
        settings = ConvertSettings(
            shard_megabytes=8.0,  # so that small folders keep several workers busy
            held_out=self.held_out,
            split_by=self.split_by,
            seed=self.seed,
            max_lost=self.max_lost,
        )
        return settings, LocalExecutor(self.workers)

    def convert(self, out: Path) -> ConversionReport:
        """Make the corpus, unless it is there and unchanged."""
        folder = VideoFolder(**{f.name: getattr(self, f.name) for f in fields(VideoFolder)})
        return convert(folder, out, *self.means())


Choice = HandsConfig | HomeConfig | VideosCorpus | EpisodesCorpus | MixtureCorpus
CHOICES = {
    "hands": HandsConfig,
    "home": HomeConfig,
    "videos": VideosCorpus,
    "episodes": EpisodesCorpus,
    "mixture": MixtureCorpus,
}


Once = Callable[[Callable[[], str]], str]  # how something is made once, among all processes


def here(make: Callable[[], str]) -> str:
    """Made by this process: there is no other."""
    return make()


def corpora_of(corpus: Choice, once: Once = here) -> tuple[Part, ...]:
    """The corpora to learn from, made first where they are not there yet.

    once: how processes that learn together make one (`training.distributed.Distributed.once`).

    Raises:
        UserError: there are none, or one of them cannot be made.
    """
    if isinstance(corpus, EpisodesCorpus):
        return named(corpus.files)
    if isinstance(corpus, MixtureCorpus):
        return tuple(
            Part(Corpus.open(path), corpus.weights[name]) for name, path in corpus.parts.items()
        )
    return (Part(Corpus.open(once(partial(_made, corpus)))),)


def _made(corpus: HandsConfig | HomeConfig | VideosCorpus) -> str:
    """Where the corpus is that was made, or was there."""
    MADE.mkdir(parents=True, exist_ok=True)
    if isinstance(corpus, HandsConfig):
        path = MADE / f"hands_{_digest(corpus.source)}.hdf5"
        make_hands(corpus, path, resume=True)
    elif isinstance(corpus, HomeConfig):
        path = _watched(corpus)
    else:
        path, report = _converted(corpus)
        if sum(report.recordings.values()) == 1 and corpus.held_out:
            (length,) = Corpus.open(str(path)).recordings["length"]
            half = math.ceil(length / 2) / corpus.fps
            say(f"one short video: cut in two (corpus.seconds={half:g}), one half is measured on")
            path, report = _converted(replace(corpus, seconds=half))
        say_report(report)
    say(f"corpus: {path}")
    return str(path)


def _converted(corpus: VideosCorpus) -> tuple[Path, ConversionReport]:
    """Where the corpus of these settings is, made unless it was there, and what came of it."""
    root = corpus.root.resolve()
    path = MADE / f"{root.name}_{_digest(asdict(corpus) | {'root': str(root), 'workers': 0})}"
    return path, corpus.convert(path)


def refuse_without_held_out(parts: Sequence[Part], advice: str) -> None:
    """Raises `UserError`, which ends with the advice, if there is nothing to measure on."""
    if not any("valid" in part.corpus.splits for part in parts):
        names = ", ".join(part.corpus.name for part in parts)
        raise UserError(f"{names}: no recording is held out to measure on: {advice}")


def home(config: HomeConfig) -> Path:
    """The folder of a home, made first if it is not there yet: words are learned from it as it is.

    Raises:
        UserError: it cannot be made.
    """
    MADE.mkdir(parents=True, exist_ok=True)
    return make_home(config, MADE / f"home_{_digest(config.source)}", resume=True)


def _watched(config: HomeConfig) -> Path:
    """A home as episodes, an utterance each, in the home's own splits."""
    root = home(config)
    source = Saycam(root=root, frames=FRAMES, size=config.size, splits="official")
    path = root.with_name(f"{root.name}_episodes")
    settings = ConvertSettings(shard_megabytes=8.0, max_lost=0.0)
    say_report(convert(source, path, settings, LocalExecutor(config.workers)))
    return path


def named(paths: Sequence[str] | str) -> tuple[Part, ...]:
    """Corpora, and files and folders of episodes, shuffled together.

    Raises:
        UserError: something is not there.
    """
    paths = [paths] if isinstance(paths, str) else paths
    indexed = [path for path in paths if is_corpus(path)]
    plain = [path for path in paths if path not in indexed]
    opened = [Corpus.open(path) for path in indexed]
    return tuple(map(Part, [Corpus.open(plain), *opened] if plain or not indexed else opened))


def is_corpus(path: str) -> bool:
    """Whether a folder or URL is a corpus with an index, as far as one can tell at once."""
    return uri.is_remote(path) or (uri.local(path) / "corpus.json").is_file()


def say_report(report: ConversionReport) -> None:
    """Name what could not be used, and why."""
    lines = report.lines()
    for line in lines[:_NAMED]:
        say(line)
    if len(lines) > _NAMED:
        say(f"and {len(lines) - _NAMED} lines more, see report.json")
    splits = ", ".join(f"{count} {split}" for split, count in report.recordings.items())
    say(f"{report.used} of {report.items} items used, as recordings: {splits}")


def _digest(source: object) -> str:
    return sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()[:12]
