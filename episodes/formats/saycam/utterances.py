"""Utterances of SAYCam-like corpora and the frames seen while they were spoken: `train.json`.

The format is that of CVCL (Vong et al. 2024; multimodal-baby, `_create_train_metadata`):
`{"data": [{"utterance": ..., "frame_filenames": [...], ...}]}` with the fields of `Utterance`.
EgoBabyVLM's manifests hold the same rows as a plain list.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from firsthand.common.atomic import write_json
from firsthand.common.errors import UserError
from firsthand.episodes.tally import Tally
from firsthand.episodes.untrusted.trust import is_text, load_annotations

SPECIAL = ("<pad>", "<unk>", "<sos>", "<eos>")  # words 0 to 3 of every vocabulary
_LONGEST = 1e9  # seconds
FRACTIONS = {"train": 0.9, "val": 0.05}  # of the utterances; the rest is "test"


@dataclass(frozen=True)
class Utterance:
    """A sentence, already cut into words by spaces, and pictures from while it was spoken.

    Attributes:
        utterance_num: counts the sentences of a transcript from 1.
        num_frames: frames that belong to the sentence.
        timestamps: when, in seconds of the video.
        frame_filenames: those that could be extracted; there may be fewer.
    """

    utterance: str
    transcript_filename: str
    video_filename: str
    utterance_num: int
    num_frames: int
    timestamps: tuple[float, ...]
    frame_filenames: tuple[str, ...]


def frame_name(video: str, utterance: int, frame: int) -> str:
    """What the official extraction calls a frame: S_20140420_1803_01_082_00.jpg."""
    return f"{video}_{utterance:03}_{frame:02}.jpg"


def read_utterances(path: str | Path, tally: Tally | None = None) -> list[Utterance]:
    """Rows of a `train.json`, in either of its forms.

    Args:
        tally: told of the rows that are malformed, which are left out; without it they are errors.

    Raises:
        UserError: the file is no such table; the row and the field are named.
    """
    content = load_annotations(path)
    if isinstance(content, dict):
        content = content.get("data")
    if not isinstance(content, list):
        raise UserError(f'{path}: must hold a list of utterances, or {{"data": [...]}}')
    rows = []
    for number, row in enumerate(content):
        try:
            rows.append(_row(row, f"{path}: utterance {number}: "))
        except UserError as error:
            if tally is None:
                raise
            reason = str(error).removeprefix(f"{path}: utterance {number}: ")
            tally.lose("utterance", f"{Path(path).name}: utterance {number}", reason)
    return rows


def write_utterances(path: str | Path, utterances: Iterable[Utterance], flat: bool = False) -> None:
    """Write `train.json`: {"data": [...]}, or a plain list for EgoBabyVLM (`flat`)."""
    rows = [asdict(utterance) for utterance in utterances]
    write_json(Path(path), rows if flat else {"data": rows})


def make_vocabulary(utterances: Iterable[str], at_least: int = 3) -> dict[str, int]:
    """Word -> number: the special words, then those frequent enough, the most frequent first."""
    counts = Counter(word for utterance in utterances for word in utterance.split())
    words = sorted(counts, key=lambda word: (-counts[word], word))
    kept = [word for word in words if word not in SPECIAL and counts[word] >= at_least]
    return {word: number for number, word in enumerate([*SPECIAL, *kept])}


def write_vocabulary(path: str | Path, vocabulary: dict[str, int]) -> None:
    """Write `vocab.json`."""
    write_json(Path(path), vocabulary)


def shuffle_texts(utterances: Sequence[Utterance], seed: int) -> list[Utterance]:
    """The control of CVCL, `train_shuffled.json`: the same rows, their sentences permuted once."""
    order = np.random.default_rng(seed).permutation(len(utterances))
    texts = [utterances[index].utterance for index in order]
    return [replace(row, utterance=text) for row, text in zip(utterances, texts, strict=True)]


def split_utterances(
    utterances: Sequence[Utterance], seed: int, by: Literal["video", "utterance"] = "video"
) -> dict[str, list[Utterance]]:
    """Divide at random into train, val and test: 90, 5 and 5 %, of three or more at least one each.

    CVCL divides utterances, so that neighbours in time end on both sides; by video, nothing that
    was trained on is measured on.
    """
    keys = [
        row.video_filename if by == "video" else number for number, row in enumerate(utterances)
    ]
    units = list(dict.fromkeys(keys))
    order = np.random.default_rng(seed).permutation(len(units))
    train, val = (int(len(units) * FRACTIONS[name]) for name in ("train", "val"))
    if not val and len(units) >= 3:
        train, val = min(train, len(units) - 2), 1
    names = ["train"] * train + ["val"] * val + ["test"] * (len(units) - train - val)
    split_of = {units[index]: name for index, name in zip(order, names, strict=True)}
    divided: dict[str, list[Utterance]] = {"train": [], "val": [], "test": []}
    for key, row in zip(keys, utterances, strict=True):
        divided[split_of[key]].append(row)
    return divided


def _row(row: Any, where: str) -> Utterance:
    if not isinstance(row, dict):
        raise UserError(f"{where}is no table of fields")
    names = [field.name for field in fields(Utterance)]
    if missing := [name for name in names if name not in row]:
        raise UserError(f"{where}lacks {missing[0]}")
    for name in ("utterance", "transcript_filename", "video_filename"):
        if not isinstance(row[name], str):
            raise UserError(f"{where}{name} must be a text, not {row[name]!r:.80}")
        if not is_text(row[name]):
            raise UserError(f"{where}{name} holds a character that is not text: {row[name]!r:.80}")
    for name in ("utterance_num", "num_frames"):
        if not isinstance(row[name], int) or isinstance(row[name], bool) or row[name] < 0:
            raise UserError(f"{where}{name} must be a count, not {row[name]!r:.80}")
    times, frames = row["timestamps"], row["frame_filenames"]
    if not isinstance(times, list) or not all(map(is_time, times)):
        raise UserError(f"{where}timestamps must be a list of seconds, not {times!r:.80}")
    if not isinstance(frames, list) or not all(isinstance(name, str) for name in frames):
        raise UserError(f"{where}frame_filenames must be a list of names, not {frames!r:.80}")
    if not (len(frames) <= row["num_frames"] and len(times) == row["num_frames"]):
        numbers = f"{row['num_frames']} frames, {len(times)} timestamps, {len(frames)} file names"
        raise UserError(f"{where}the numbers disagree: {numbers}")
    values = {name: row[name] for name in names}
    times, frames = tuple(map(float, times)), tuple(frames)
    return Utterance(**values | {"timestamps": times, "frame_filenames": frames})


def is_time(value: Any) -> bool:
    """Whether a value of JSON is a number of seconds."""
    return type(value) in (int, float) and -_LONGEST < value < _LONGEST
