"""A folder of videos to one file of episodes."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from firsthand.console import say
from firsthand.corpora import VideosCorpus, say_report
from firsthand.run import Run, write_text
from firsthand.settings import Schema


@dataclass(frozen=True, kw_only=True)
class ConvertConfig(VideosCorpus):
    """source: what kind of recordings `root` holds; out: the file to write."""

    source: Literal["videos"] = "videos"
    out: Path | None = None


SCHEMA = Schema(ConvertConfig)


def execute(config: ConvertConfig, run: Run) -> None:
    """Convert, and leave in report.json what was used and what was not."""
    out = config.out or run.path / "episodes.hdf5"
    out.parent.mkdir(parents=True, exist_ok=True)
    report = config.convert(out)
    write_text(run.path / "report.json", json.dumps(asdict(report), indent=1) + "\n")
    say_report(report)
    say(f"written: {out}")
