"""Makes the home's corpus: recordings of a child's days in SAYCam-S's layout, from a seed.

train_5fps/N_000012_003_00.jpg …                     frames, named as the official extraction
train.json val.json test.json train_shuffled.json    utterances with their frames
vocab.json                                           words of train.json, the frequent first
in_view.json                                         what could be seen meanwhile: ground truth
home.json                                            settings and counts; written last
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from firsthand.common.atomic import write_json
from firsthand.common.errors import UserError
from firsthand.episodes.formats.saycam.utterances import (
    Utterance,
    make_vocabulary,
    shuffle_texts,
    split_utterances,
    write_utterances,
    write_vocabulary,
)
from firsthand.synthetic.home.behaviour.activities import FPS
from firsthand.synthetic.home.language.speech import named
from firsthand.synthetic.home.numbered_work import finished

FRAMES = "train_5fps"
FULL = 12.0  # hours from which on the test sets are as large as they get
_MAKING = "making"  # holds a ledger for every finished recording and test set until all are
_VERSION = 3  # of what the corpus shows: raise it whenever a seed would show something else


@dataclass(frozen=True)
class HomeConfig:
    """How much of the home's corpus to make, and what is said in it.

    Raises:
        UserError: a number is out of range.
    """

    hours: float = 12.0
    """Length of all recordings together."""
    seconds: float = 60.0
    """Length of a recording."""
    size: int = 96
    """Edge of the square frames, in pixels."""
    seed: int = 0
    """Decides everything that is drawn by chance."""
    alignment: float = 0.45
    """Share of utterances, 0 to 1, that name something in view while they last."""
    related: float = 0.0
    """Share of these, 0 to 1, that say how two things are related, as far as there are such."""
    split_by: Literal["video", "utterance"] = "video"
    """What is divided into train, val and test whole: recordings or, as CVCL has it, utterances."""
    evaluation: bool = True
    """Whether test sets are made as well, smaller ones for fewer than 12 hours."""
    workers: int = 2
    """Processes; they change nothing but the time."""

    def __post_init__(self) -> None:
        for name, low in (("size", 16), ("workers", 1), ("seed", 0)):
            if getattr(self, name) < low:
                raise UserError(f"home: {name} must be at least {low}, not {getattr(self, name)}")
        for name in ("alignment", "related"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"home: {name} must lie in [0, 1], not {getattr(self, name)}")
        if self.seconds * FPS < 20:
            raise UserError(f"home: a recording needs at least 4 seconds, not {self.seconds}")
        if self.hours * 3600 < self.seconds:
            raise UserError(
                f"home: {self.hours} hours are less than one recording of {self.seconds} seconds"
            )

    @property
    def recordings(self) -> int:
        return round(self.hours * 3600 / self.seconds)

    @property
    def source(self) -> dict[str, Any]:
        """What decides the corpus's bytes."""
        chosen = {name: value for name, value in asdict(self).items() if name != "workers"}
        return {"source": "home", "version": _VERSION, **chosen}


def make_home(config: HomeConfig, out: Path, resume: bool = False) -> Path:
    """Make the corpus in the folder `out`. What was finished before a kill is kept with `resume`.

    Raises:
        UserError: `out` is not empty and not what `resume` can go on with.
    """
    out = Path(out)
    _prepare(config, out, resume)
    if (out / "home.json").exists():
        return out
    ledgers = out / _MAKING
    for folder in (out / FRAMES, ledgers):
        folder.mkdir(parents=True, exist_ok=True)
    paths = [ledgers / f"{index:06}.json" for index in range(config.recordings)]
    missing = [index for index, path in enumerate(paths) if not _whole(path, out / FRAMES)]
    list(finished("recordings", partial(_record, config, out), missing, config.workers, len(paths)))
    counts = _write_tables(config, out, [json.loads(path.read_bytes()) for path in paths])
    if config.evaluation:
        from firsthand.synthetic.home.test_sets.evaluation import make_evaluation

        make_evaluation(config.seed, config.size, config.workers, out, ledgers, config.hours / FULL)
    shutil.rmtree(ledgers)
    write_json(out / "home.json", {**config.source, **counts})
    return out


def _prepare(config: HomeConfig, out: Path, resume: bool) -> None:
    """Leave only what belongs to this configuration, or refuse."""
    made, begun = out / "home.json", out / _MAKING / "settings.json"
    if out.exists() and any(out.iterdir()):
        found = next((path for path in (made, begun) if path.exists()), None)
        if found is None:
            raise UserError(f"{out} holds something else: choose a folder that is empty")
        before = json.loads(found.read_bytes())
        settings = {name: before.get(name) for name in config.source}
        if resume and settings != config.source:
            raise UserError(
                f"{out} holds {settings}, not {config.source}: choose another name,"
                " or make it anew without resume"
            )
        if resume:
            return
        shutil.rmtree(out)
    (out / _MAKING).mkdir(parents=True)
    write_json(begun, config.source)


def _record(config: HomeConfig, out: Path, index: int) -> None:
    """Write a recording's frames and, when all are there, its ledger."""
    from firsthand.synthetic.home.recording import record_home

    rows = []
    chosen = (config.seed, index, config.seconds, config.size, config.alignment, config.related)
    for spoken in record_home(*chosen):
        for name, jpeg in zip(spoken.row.frame_filenames, spoken.jpegs, strict=True):
            (out / FRAMES / name).write_bytes(jpeg)
        rows.append({
            "row": asdict(spoken.row),
            "bytes": [len(jpeg) for jpeg in spoken.jpegs],
            "in_view": spoken.in_view,
            "verb": spoken.verb,
        })  # fmt: skip
    write_json(out / _MAKING / f"{index:06}.json", rows)


def _whole(ledger: Path, frames: Path) -> bool:
    """Whether a recording is finished: a machine that stopped may have left frames short."""
    if not ledger.exists():
        return False
    for entry in json.loads(ledger.read_bytes()):
        for name, size in zip(entry["row"]["frame_filenames"], entry["bytes"], strict=True):
            path = frames / name
            if not path.exists() or path.stat().st_size != size:
                return False
    return True


def _write_tables(
    config: HomeConfig, out: Path, ledgers: Sequence[Sequence[dict[str, Any]]]
) -> dict[str, Any]:
    """Write the utterances, the vocabulary and the ground truth; returns what there is of each."""
    entries = [entry for ledger in ledgers for entry in ledger]
    rows = [_row(entry["row"]) for entry in entries]
    splits = split_utterances(rows, config.seed, config.split_by)
    for name, part in splits.items():
        write_utterances(out / f"{name}.json", part)
    write_utterances(out / "train_shuffled.json", shuffle_texts(splits["train"], config.seed))
    vocabulary = make_vocabulary(row.utterance for row in splits["train"])
    write_vocabulary(out / "vocab.json", vocabulary)
    labels = [
        {
            "video_filename": row.video_filename,
            "utterance_num": row.utterance_num,
            "named": sorted(named(row.utterance)),
            "in_view": entry["in_view"],
            "verb": entry["verb"],
        }
        for row, entry in zip(rows, entries, strict=True)
    ]
    write_json(out / "in_view.json", {"data": labels})
    aligned = sum(any(noun in entry["in_view"] for noun in entry["named"]) for entry in labels)
    return {
        "utterances": len(rows),
        "frames": sum(row.num_frames for row in rows),
        "words": len(vocabulary),
        "aligned": aligned / len(rows),
    }


def _row(entry: dict[str, Any]) -> Utterance:
    """A row as it was before it was a ledger's."""
    lists = {name: tuple(entry[name]) for name in ("timestamps", "frame_filenames")}
    fields: dict[str, Any] = {**entry, **lists}
    return Utterance(**fields)
