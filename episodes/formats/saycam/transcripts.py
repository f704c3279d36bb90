"""Transcripts of SAYCam as utterances with the times of their frames, by the rules of CVCL.

The rules are those of multimodal-baby (`_preprocess_transcripts`, `_preprocess_utterance`,
`convert_timestamps_to_seconds`; Vong et al. 2024), but for transcripts that they leave out: those
of a single line, and those in which some lines name another video (here these lines are lost
alone). Sentences and words are cut by `episodes.text.tokenizer`, which says where that may differ
from spaCy.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from firsthand.common.errors import UserError
from firsthand.episodes.formats.saycam.utterances import Utterance, frame_name
from firsthand.episodes.tally import Tally
from firsthand.episodes.text.caption_files import Lose, Rows, read_table
from firsthand.episodes.text.tokenizer import sentences

SPEAKERS = ("M", "Mom", "mom", "m", "mother", "Mother", "papa", "the mom")
FPS = 5
MOST_FRAMES = 32  # of an utterance
COLUMNS = ("Time", "Speaker", "Utterance", "Video Name")
_EMPTY = ("", "nan", "NaN", "NA", "N/A", "n/a", "null", "NULL", "None", "#N/A")  # to pandas
_CLOCK = re.compile(r"(\d{1,2}):([0-5]\d):([0-5]\d)(?:[.,]\d+)?", re.ASCII)
_DECIMAL = re.compile(r"(\d{1,5})[.,](\d+)", re.ASCII)
_INAUDIBLE = "INAUDIBLE"
_ASIDES = (r"\*[^)]*\*", r"\[[^)]*\]", r"\([^)]*\)", r"\binaudible\b")  # [^)] as in the original


@dataclass(frozen=True)
class Transcript:
    """What is said in a video, by those `speakers` who count.

    `others` are the lines of everybody else, by what the table calls them.
    """

    video: str
    utterances: tuple[Utterance, ...]
    others: Counter[str] = field(default_factory=Counter)


def read_transcript(path: Path, tally: Tally, speakers: Sequence[str] = SPEAKERS) -> Transcript:
    """Read a table with the columns Time, Speaker, Utterance and Video Name, a line an utterance.

    `frame_filenames` are what the official extraction calls the frames, whether or not they exist.

    Args:
        tally: told of the lines that have not the table's fields, of those that name another
            video, and of those whose time cannot be read or lies behind the next line's. (The
            original leaves out the line before one without a time, too.)
        speakers: whose lines count, as the column Speaker calls them.

    Raises:
        UserError: the table is no transcript, or none of the video that the file is named after.
    """

    def lose(where: str, why: str) -> None:
        tally.lose("utterance", f"{path.name}: {where}", why)

    numbered, _ = read_table(path, COLUMNS, lose)
    video = path.stem
    numbered = _of_video(path, numbered, lose)
    rows = [row for _, row in numbered]
    times = _times(path, rows, tally)
    utterances, others = [], Counter[str]()
    number = 1
    for index, (line, row) in enumerate(numbered):
        start, where = times[index], f"line {line}"
        end = next((time for time in times[index + 1 :] if time is not None), start)
        if row["Speaker"] not in speakers:
            if row["Utterance"] not in _EMPTY:
                others[row["Speaker"].strip() or "nobody"] += 1
            continue
        if start is None or end is None:
            lose(where, f"{row['Time']!r:.40} is no time")
            continue
        if end < start:
            lose(where, f"starts at {start} s, the next at {end} s")
            continue
        # A cell without text is the word "nan" to the original: it counts as an utterance.
        empty = row["Utterance"] in _EMPTY
        texts = [""] if empty else clean_sentences(row["Utterance"])
        for text, seconds in zip(texts, frame_times(start, end, len(texts)), strict=True):
            if text:
                frames = [frame_name(video, number, k) for k in range(len(seconds))]
                source = (path.name, f"{video}.mp4", number, len(frames))
                utterances.append(Utterance(text, *source, tuple(seconds), tuple(frames)))
            number += 1
    return Transcript(video, tuple(utterances), others)


def _times(path: Path, rows: Sequence[Mapping[str, str]], tally: Tally) -> list[int | None]:
    """When each line begins. Of tables in which every time has a decimal point, and some cannot be
    minutes and seconds, all are seconds."""
    written = [row["Time"].strip() for row in rows]
    decimals = [_DECIMAL.fullmatch(time) for time in written if time not in _EMPTY]
    if decimals and all(decimals) and any(_no_minute(found[2]) for found in decimals if found):
        tally.note(f"{path.name}: its times are read as seconds, not as minutes.seconds")
        return [None if time in _EMPTY else int(re.split("[.,]", time)[0]) for time in written]
    return [parse_time(row["Time"]) for row in rows]


def _no_minute(fraction: str) -> bool:
    """Whether what stands behind a point is no number of seconds in a minute."""
    return len(fraction) > 2 or (len(fraction) == 2 and fraction > "59")


def parse_time(time: str) -> int | None:
    """Seconds of a time written m:ss, with the habits of SAYCam's transcribers, or h:mm:ss.

    Of a span, the start counts. Fields are parted by : . , or ;. A single digit from 1 to 5 in the
    second field means tens ("1:2" is 80 s), since tables drop the zero of 1.20. None for what has
    three digits or more there, or is no time.
    """
    if found := _CLOCK.fullmatch(time.split("-")[0].strip()):
        hours, minutes, seconds = map(int, found.groups())
        return hours * 3600 + minutes * 60 + seconds
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


def _of_video(path: Path, rows: Rows, lose: Lose) -> Rows:
    """The lines of the file's video, which one of them names at least; others are lost.

    Names with "part" in them are remarks, as far as the original is concerned.
    """
    if not rows:
        raise UserError(f"{path}: holds no line")
    named = {line: row["Video Name"] for line, row in rows if row["Video Name"] not in _EMPTY}
    named = {line: name for line, name in named.items() if "part" not in name}
    strange = {line: name for line, name in named.items() if Path(name).stem != path.stem}
    if len(strange) == len(named):
        listed = ", ".join(sorted({*strange.values()})) or "none"
        raise UserError(f"{path}: must name the video {path.stem!r}, but names {listed:.200}")
    for line, name in strange.items():
        lose(f"line {line}", f"names the video {name!r:.80}, not {path.stem!r}")
    return [(line, row) for line, row in rows if line not in strange]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6


def _unless_inaudible(aside: re.Match[str]) -> str:
    return _INAUDIBLE if "inaudible" in aside.group() else ""
