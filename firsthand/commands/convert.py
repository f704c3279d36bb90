"""What others made to what is used here, and back: datasets, published weights."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from episodes.conversion import ConvertSettings, convert
from episodes.errors import UserError
from episodes.executor import Executor, LocalExecutor
from episodes.ray_executor import RayExecutor
from firsthand import sources
from firsthand.console import say
from firsthand.corpora import say_report
from firsthand.run import Run, write_text
from firsthand.settings import Schema


@dataclass(frozen=True, kw_only=True)
class ConvertConfig(ConvertSettings):
    """source: what lies at `root`, and its settings.

    out: the folder or URL of the corpus, or the folder of the policy, to write.
    executor, workers: who makes shards, and how many at a time.
    address: of a Ray cluster; "auto" for the one that this machine belongs to.
    """

    root: str
    source: sources.Dataset | sources.Gr1 | sources.Corpus
    out: str | None = None
    executor: Literal["local", "ray"] = "local"
    workers: int = 2
    address: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.executor == "local" and self.address is not None:
            raise UserError(f"address={self.address} means nothing to executor=local")
        if isinstance(self.source, sources.Gr1 | sources.Corpus):
            self._refuse_settings_of_corpora()
        else:
            self.make_executor()

    def _refuse_settings_of_corpora(self) -> None:
        for f in fields(self):
            if f.name not in ("root", "source", "out") and getattr(self, f.name) != f.default:
                kind = "gr1" if isinstance(self.source, sources.Gr1) else "episodes"
                value = getattr(self, f.name)
                raise UserError(f"{f.name}={value} means nothing to source={kind}")

    def make_executor(self) -> Executor:
        if self.executor == "ray":
            return RayExecutor(self.workers, self.address)
        return LocalExecutor(self.workers)


SCHEMA = Schema(ConvertConfig, {"source": sources.CHOICES})


def execute(config: ConvertConfig, run: Run) -> None:
    """Convert, and leave in report.json what was used and what was not."""
    if isinstance(config.source, sources.Gr1):
        report = _gr1(config.source, Path(config.out or run.path / "policy"))
    elif isinstance(config.source, sources.Corpus):
        report = _lerobot(config.source, Path(config.out or run.path / "lerobot"))
    else:
        report = _corpus(config, config.out or str(run.path / "corpus"))
    write_text(run.path / "report.json", json.dumps(report, indent=1) + "\n")


def _corpus(config: ConvertConfig, out: str) -> dict:
    settings = ConvertSettings(**{f.name: getattr(config, f.name) for f in fields(ConvertSettings)})
    assert isinstance(config.source, sources.Dataset)
    report = convert(config.source, out, settings, config.make_executor())
    say_report(report)
    say(f"written: {out}")
    return asdict(report)


def _lerobot(source: sources.Corpus, out: Path) -> dict:
    from episodes.corpus import Corpus
    from episodes.lerobot_writer import to_lerobot

    corpus = Corpus.open(source.root)
    episodes = (file.read_encoded(n) for file, n in map(corpus.file, range(len(corpus))))
    written = to_lerobot(episodes, out)
    say(f"{written} episodes written: {out}")
    return {"lerobot": str(out), "episodes": written}


def _gr1(source: sources.Gr1, out: Path) -> dict:
    from policy.official import load_gr1

    if out.exists() and not out.is_dir():
        raise UserError(f"out={out} is a file: a policy is written to a directory")
    try:
        policy = load_gr1(source.root, clip=source.clip, mae=source.mae)
    except ValueError as error:
        raise UserError(str(error)) from error
    policy.save_pretrained(out)
    parameters = sum(p.numel() for p in policy.parameters())
    say(f"GR-1 with {parameters:,} parameters, every one of them from the files")
    if policy.config.action.queries == "each" or policy.config.trunk.position == "token":
        say("this is GR1-Training's policy: pictures are resized with antialiasing")
    say(f"written: {out}")
    return {"policy": str(out), "parameters": parameters, "config": asdict(policy.config)}
