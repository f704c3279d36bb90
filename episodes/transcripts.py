"""Transcripts of SAYCam as utterances with the times of their frames, by the rules of CVCL.

The rules are those of multimodal-baby (`_preprocess_transcripts`, `_preprocess_utterance`,
`convert_timestamps_to_seconds`; Vong et al. 2024). Sentences and words are cut by
`episodes.tokens`, which says where that may differ from spaCy.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from episodes.errors import UserError
from episodes.tokens import sentences
from episodes.trust import load_csv
from episodes.utterances import Utterance, frame_name

SPEAKERS = ("M", "Mom", "mom", "m", "mother", "Mother", "papa", "the mom")
FPS = 5
MOST_FRAMES = 32  # of an utterance
COLUMNS = ("Time", "Speaker", "Utterance", "Video Name")
_EMPTY = ("", "nan", "NaN", "NA", "N/A", "n/a", "null", "NULL", "None", "#N/A")  # to pandas
_INAUDIBLE = "INAUDIBLE"
_ASIDES = (r"\*[^)]*\*", r"\[[^)]*\]", r"\([^)]*\)", r"\binaudible\b")  # [^)] as in the original


@dataclass(frozen=True)
class Transcript:
    """What is said in a video.

    `notes` tell of lines that could not be used and of what was odd.
    """

    video: str
    utterances: tuple[Utterance, ...]
    notes: tuple[str, ...] = ()


def read_transcript(path: Path) -> Transcript:
    """Read a table with the columns Time, Speaker, Utterance and Video Name, a line an utterance.

    `frame_filenames` are what the official extraction calls the frames, whether or not they exist.

    Raises:
        UserError: the table is no transcript, or not the one of the video that it names.
    """
    rows = load_csv(path, COLUMNS)
    if len(rows) <= 1:
        raise UserError(f"{path}: holds no more than one line")
    video = _video_name(path, rows)
    times = [parse_time(row["Time"]) for row in rows]
    utterances, notes = [], []
    number = 1
    for index, row in enumerate(rows):
        start = times[index]
        end = times[index + 1] if index + 1 < len(rows) else start
        if row["Speaker"] not in SPEAKERS or start is None or end is None:
            continue
        if end < start:
            notes.append(f"{path.name}: line {index + 2} starts at {start} s, the next at {end} s")
            continue
        # A cell without text is the word "nan" to the original: it counts as an utterance.
        empty = row["Utterance"] in _EMPTY
        said = [""] if empty else clean_sentences(row["Utterance"])
        for text, seconds in zip(said, frame_times(start, end, len(said)), strict=True):
            if text:
                frames = [frame_name(video, number, k) for k in range(len(seconds))]
                source = (path.name, f"{video}.mp4", number, len(frames))
                utterances.append(Utterance(text, *source, tuple(seconds), tuple(frames)))
            number += 1
    return Transcript(video, tuple(utterances), tuple(notes))


def parse_time(time: str) -> int | None:
    """Seconds of a time written m:ss, with the habits of SAYCam's transcribers.

    Of a span, the start counts. Fields are parted by : . , or ;. A single digit from 1 to 5 in the
    second field means tens ("1:2" is 80 s), since tables drop the zero of 1.20. None for what has
    three digits or more there, or is no time.
    """
    fields = re.split(r"[:.,;]", time.split("-")[0]) if time not in _EMPTY else [""]
    if fields == [""]:
        return None
    minutes, seconds = fields[0] or "0", fields[1] if len(fields) > 1 else "0"
    seconds = seconds + "0" if seconds in ("1", "2", "3", "4", "5") else seconds
    minutes, seconds = minutes.strip(), seconds.strip()
    if len(seconds) > 2 or not (_is_number(minutes) and _is_number(seconds)):
        return None
    return int(minutes) * 60 + int(seconds)


def clean_sentences(utterance: str) -> list[str]:
    """The sentences in a line as words parted by spaces, in lower case.

    Asides between *, [] or () go; those that say "inaudible", and the word itself, become <unk>. A
    text of nothing but spaces is one empty sentence, as it is to spaCy.
    """
    for aside in _ASIDES:
        utterance = re.sub(aside, _unless_inaudible, utterance)
    utterance = utterance.replace("*", "")
    cut = sentences(utterance) or ([[]] if utterance else [])
    return [
        " ".join("<unk>" if token == _INAUDIBLE else token.lower() for token in sentence)
        for sentence in cut
    ]


def frame_times(start: int, end: int, count: int) -> list[list[float]]:
    """When to take frames for each of `count` sentences that share a time.

    They share it equally, in whole seconds. From its start on, each takes 5 frames a second until
    the next one starts: at least one, and at most 32.
    """
    bounds = [int(time) for time in np.linspace(start, end, count + 1)]
    times = []
    for first, following in zip(bounds, bounds[1:], strict=False):
        frames = max(min(int((following - first) / 0.2), MOST_FRAMES), 1)
        times.append(np.linspace(first, first + frames / FPS, frames, endpoint=False).tolist())
    return times


def _video_name(path: Path, rows: list[dict[str, str]]) -> str:
    """Names with "part" in them are remarks, as far as the original is concerned."""
    names = {row["Video Name"] for row in rows} - set(_EMPTY)
    names = {name for name in names if "part" not in name}
    if len(names) != 1:
        listed = ", ".join(sorted(names)) or "none"
        raise UserError(f"{path}: must name one video, but names {listed:.200}")
    video = Path(names.pop()).stem
    if video != path.stem:
        raise UserError(f"{path}: names the video {video!r}, not {path.stem!r}")
    return video


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6


def _unless_inaudible(aside: re.Match[str]) -> str:
    return _INAUDIBLE if "inaudible" in aside.group() else ""
