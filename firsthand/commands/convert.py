"""What others made to what is used here, and back: datasets, published weights."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from firsthand.build import datasets as sources
from firsthand.build.corpora import say_report
from firsthand.cli.console import say
from firsthand.cli.run_dir import Run
from firsthand.cli.settings import Schema
from firsthand.common.atomic import write_text
from firsthand.common.errors import UserError
from firsthand.common.executor import Executor, LocalExecutor
from firsthand.common.ray_executor import RayExecutor
from firsthand.episodes.convert.convert import ConvertSettings, convert

if TYPE_CHECKING:
    from firsthand.grounding.model import GroundingModel
    from firsthand.policy.policy import Policy


@dataclass(frozen=True, kw_only=True)
class ConvertConfig(ConvertSettings):
    """What is converted, to where, and by whom; everything else is `ConvertSettings`."""

    root: str
    """The folder, file or URL that is converted."""
    source: sources.Dataset | sources.Checkpoint | sources.EpisodeExport
    """What lies there, and the settings of its format."""
    out: str | None = None
    """The folder or URL of the corpus, or the folder of the policy, to write; None: in the run."""
    executor: Literal["local", "ray"] = "local"
    """This machine, or a Ray cluster."""
    workers: int = 2
    """Shards that are made at a time."""
    address: str | None = None
    """Of a Ray cluster; `auto` for the one that this machine belongs to."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.executor == "local" and self.address is not None:
            raise UserError(f"address={self.address} means nothing to executor=local")
        if isinstance(self.source, sources.Dataset):
            self.make_executor()
        else:
            self._refuse_settings_of_corpora()

    def _refuse_settings_of_corpora(self) -> None:
        (name,) = (n for n, kind in sources.CHOICES.items() if isinstance(self.source, kind))
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name not in ("root", "source", "out") and value != f.default:
                raise UserError(f"{f.name}={value} means nothing to source={name}")

    def make_executor(self) -> Executor:
        if self.executor == "ray":
            return RayExecutor(self.workers, self.address)
        return LocalExecutor(self.workers)


SCHEMA = Schema(ConvertConfig, {"source": sources.CHOICES})


def execute(config: ConvertConfig, run: Run) -> None:
    """Convert, and leave in report.json what was used and what was not."""
    if isinstance(config.source, sources.Dataset):
        report = _corpus(config, config.source, config.out or str(run.path / "corpus"))
    elif isinstance(config.source, sources.EpisodeExport):
        report = _lerobot(config.source, Path(config.out or run.path / "lerobot"))
    else:
        report = _checkpoint(config.source, Path(config.out or run.path / "policy"))
    write_text(run.path / "report.json", json.dumps(report, indent=1) + "\n")


def _corpus(config: ConvertConfig, source: sources.Dataset, out: str) -> dict:
    settings = ConvertSettings(**{f.name: getattr(config, f.name) for f in fields(ConvertSettings)})
    report = convert(source, out, settings, config.make_executor())
    say_report(report)
    say(f"written: {out}")
    return asdict(report)


def _lerobot(source: sources.EpisodeExport, out: Path) -> dict:
    from firsthand.episodes.corpus.corpus import Corpus
    from firsthand.episodes.formats.lerobot.writer import LeRobotWriter

    corpus = Corpus.open(source.root)
    split_of: dict[int, str] = {}  # in the order of the splits, which are ranges there
    for split in corpus.splits:
        for recording in corpus.split(split).tolist():
            split_of.setdefault(recording, split)
    with LeRobotWriter(out) as writer:
        for recording, split in split_of.items():
            file, number = corpus.file(recording)
            writer.add(file.read_encoded(number), split)
    say(f"{len(writer)} episodes written: {out}")
    return {"lerobot": str(out), "episodes": len(writer)}


def _checkpoint(source: sources.Checkpoint, out: Path) -> dict:
    if out.exists() and not out.is_dir():
        raise UserError(f"out={out} is a file: a model is written to a directory")
    try:
        model = _gr1(source) if isinstance(source, sources.Gr1) else _cvcl(source)
    except ValueError as error:
        raise UserError(str(error)) from error
    model.save_pretrained(out)
    parameters = sum(p.numel() for p in model.parameters())
    say(f"{parameters:,} parameters, every one of them from the files")
    say(f"written: {out}")
    return {"policy": str(out), "parameters": parameters, "config": asdict(model.config)}


def _gr1(source: sources.Gr1) -> "Policy":
    from firsthand.policy.checkpoints.gr1 import load_gr1

    policy = load_gr1(source.root, clip=source.clip, mae=source.mae)
    if policy.config.action.queries == "each" or policy.config.trunk.position == "learned":
        say("this is GR1-Training's policy: pictures are resized with antialiasing")
    return policy


def _cvcl(source: sources.Cvcl) -> "GroundingModel":
    from firsthand.grounding.checkpoints.cvcl import load_cvcl

    return load_cvcl(source.root, vocabulary=source.vocabulary, padding=source.padding)
