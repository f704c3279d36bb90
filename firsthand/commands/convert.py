"""What others made to what is used here: videos to episodes, published weights to a policy."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from episodes.errors import UserError
from firsthand.console import say
from firsthand.corpora import VideosCorpus, say_report
from firsthand.run import Run, write_text
from firsthand.settings import Schema


@dataclass(frozen=True, kw_only=True)
class ConvertConfig(VideosCorpus):
    """source: what lies at `root`: a folder of videos, or a checkpoint of GR-1.

    out: the file of episodes, or the policy's directory, to write.
    clip, mae: where a checkpoint's frozen encoders are, if it does not hold them itself.
    """

    source: Literal["videos", "gr1"] = "videos"
    out: Path | None = None
    clip: str | None = None
    mae: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        foreign = ("clip", "mae")
        if self.source == "gr1":
            foreign = tuple(f.name for f in fields(VideosCorpus) if f.name != "root")
        defaults = {f.name: f.default for f in fields(self)}
        for name in foreign:
            if getattr(self, name) != defaults[name]:
                raise UserError(
                    f"{name}={getattr(self, name)} means nothing to source={self.source}"
                )


SCHEMA = Schema(ConvertConfig)


def execute(config: ConvertConfig, run: Run) -> None:
    """Convert, and leave in report.json what was used and what was not."""
    report = _gr1(config, run) if config.source == "gr1" else _videos(config, run)
    write_text(run.path / "report.json", json.dumps(report, indent=1) + "\n")


def _videos(config: ConvertConfig, run: Run) -> dict:
    out = config.out or run.path / "episodes.hdf5"
    out.parent.mkdir(parents=True, exist_ok=True)
    report = config.convert(out)
    say_report(report)
    say(f"written: {out}")
    return asdict(report)


def _gr1(config: ConvertConfig, run: Run) -> dict:
    from policy.official import load_gr1

    out = config.out or run.path / "policy"
    if out.exists() and not out.is_dir():
        raise UserError(f"out={out} is a file: a policy is written to a directory")
    try:
        policy = load_gr1(config.root, clip=config.clip, mae=config.mae)
    except ValueError as error:
        raise UserError(str(error)) from error
    policy.save_pretrained(out)
    parameters = sum(p.numel() for p in policy.parameters())
    say(f"GR-1 with {parameters:,} parameters, every one of them from the files")
    if policy.config.action.queries == "each" or policy.config.trunk.position == "token":
        say("this is GR1-Training's policy: pictures are resized with antialiasing")
    say(f"written: {out}")
    return {"policy": str(out), "parameters": parameters, "config": asdict(policy.config)}
