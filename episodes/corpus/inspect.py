"""What is in a corpus: numbers for a table, and a sheet of pictures to look at."""

import math
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64
from PIL import Image, ImageDraw, ImageFont

from firsthand.common.atomic import whole_file
from firsthand.common.errors import UserError
from firsthand.episodes.corpus.corpus import Corpus

_LETTERS = 200  # of a text that are printed
_TEXTS = 100  # the most frequent ones, which are looked up
_GAP, _LINE, _APART = 4, 20, 12  # pixels of a contact sheet: between pictures, of words, of rows
_NAMES, _FITTING = 84, 12  # pixels for cameras' names, and letters that fit


@dataclass(frozen=True)
class CorpusSummary:
    """Counts over all recordings; texts and rates with how many recordings have them."""

    name: str
    shards: int
    bytes: int
    episodes: int
    splits: dict[str, int]
    groups: int | None  # None where nobody has said what they are
    cut_groups: int  # those that are in more than one split
    frames: int
    seconds: float
    shortest: float  # seconds
    longest: float
    fps: dict[float, int]
    cameras: dict[str, dict[tuple[int, int], int]]  # camera -> height, width -> recordings
    signals: dict[str, dict[str, int]]  # signal -> type and shape -> recordings
    with_state: int
    with_actions: int
    texts: dict[str, int]  # instructions and narrations, the most frequent first
    different_texts: int
    origins: dict[str, int]

    def rows(self, texts: int = 10) -> list[tuple[str, str]]:
        """Label and value of every line of a table, with the most frequent texts."""
        files = f"{self.shards} files, " if self.shards > 1 else ""
        rows = [
            ("episodes in", f"{self.name} ({files}{self.bytes / 1e6:.1f} MB)"),
            ("episodes", f"{self.episodes} ({_counts(self.splits)})"),
        ]
        if self.groups is not None:
            rows.append(("groups", f"{self.groups} ({self.cut_groups} of them in several splits)"))
        rows += [
            ("frames", f"{self.frames} ({self.seconds / 3600:.2f} hours)"),
            ("length", f"{self.shortest:.1f} to {self.longest:.1f} seconds"),
            ("rate", ", ".join(f"{fps:g} fps" for fps in self.fps)),
        ]
        for camera, sizes in self.cameras.items():
            rows.append((camera, _counts({f"{w}x{h}": n for (h, w), n in sizes.items()})))
        rows.append(("with state, actions", f"{self.with_state}, {self.with_actions}"))
        rows += [(f"signal {signal}", _counts(kinds)) for signal, kinds in self.signals.items()]
        rows.append(("made from", _counts(self.origins)))
        rows.append(("different texts", str(self.different_texts)))
        rows += [(f"  {count}", _brief(text)) for text, count in list(self.texts.items())[:texts]]
        return rows


def summarise(corpus: Corpus) -> CorpusSummary:
    """Needs the index only; see `Corpus.problems` for whether the content is sound."""
    rows = corpus.recordings
    seconds = rows["length"] / rows["fps"]
    cameras: dict[str, Counter] = {}
    signals: dict[str, Counter] = {}
    with_state = with_actions = 0
    counts = np.bincount(rows["content"], minlength=len(corpus.contents)).tolist()
    for content, count in zip(corpus.contents, counts, strict=True):
        for camera, size in content.cameras.items():
            cameras.setdefault(camera, Counter())[size] += count
        for signal, spec in content.signals.items():
            kind = f"{np.dtype(spec.dtype).name} {list(spec.shape)}"
            signals.setdefault(signal, Counter())[kind] += count
        with_state += count * content.has_state
        with_actions += count * content.has_actions
    text_counts = _text_counts(corpus)
    most_frequent = np.argsort(-text_counts, kind="stable")[:_TEXTS]
    return CorpusSummary(
        name=corpus.name,
        shards=len(corpus.shards),
        bytes=sum(shard.bytes for shard in corpus.shards),
        episodes=len(corpus),
        splits={split: len(corpus.split(split)) for split in corpus.splits},
        groups=None if corpus.manifest is None else len(np.unique(rows["group"])),
        cut_groups=_cut_groups(corpus),
        frames=int(rows["length"].sum()),
        seconds=float(seconds.sum()),
        shortest=float(seconds.min()),
        longest=float(seconds.max()),
        fps={fps: n for fps, n in Counter(rows["fps"].tolist()).most_common()},
        cameras={camera: dict(sizes.most_common()) for camera, sizes in sorted(cameras.items())},
        signals={signal: dict(kinds.most_common()) for signal, kinds in sorted(signals.items())},
        with_state=with_state,
        with_actions=with_actions,
        texts={corpus.texts[int(n)]: int(text_counts[n]) for n in most_frequent if text_counts[n]},
        different_texts=int((text_counts > 0).sum()),
        origins=_origins(corpus),
    )


def _text_counts(corpus: Corpus) -> Int64[np.ndarray, "texts"]:
    """In how many recordings each text is said; the empty one does not count."""
    rows, number = corpus.recordings, np.arange(len(corpus))
    recording_of = np.concatenate([number, np.repeat(number, rows["narrations"])])
    texts = np.concatenate([rows["instruction"], corpus.narration_table["text"]])
    found = np.unique(recording_of * len(corpus.texts) + texts) % len(corpus.texts)
    counts = np.bincount(found, minlength=len(corpus.texts))
    return counts * (np.diff(corpus.texts.ends, prepend=0) > 0)


def _cut_groups(corpus: Corpus) -> int:
    rows = corpus.recordings
    pairs = np.unique(np.stack([rows["group"], rows["split"]], 1)[rows["split"] >= 0], axis=0)
    return int((np.unique(pairs[:, 0], return_counts=True)[1] > 1).sum())


def _origins(corpus: Corpus) -> dict[str, int]:
    if corpus.manifest is not None:
        return {corpus.manifest.origin: len(corpus)}
    sources = (corpus.header(recording).source for recording in range(len(corpus)))
    origins = Counter(str(s.get("origin", s.get("source", "unknown"))) for s in sources)
    return dict(origins.most_common())


def contact_sheet(
    corpus: Corpus, path: str | Path, episodes: int = 12, frames: int = 8, size: int = 96
) -> Path:
    """A PNG with a row for each of some recordings spread over the corpus, and a column in time.

    Over a row the number, the seconds and what is said; cameras stand below each other, named, and
    every picture is fitted into a square of `size` pixels.
    """
    if min(episodes, frames, size) < 1:
        raise UserError(f"a contact sheet of {episodes} x {frames} x {size} pixels holds nothing")
    chosen = np.unique(np.linspace(0, len(corpus) - 1, episodes).round().astype(int)).tolist()
    cameras = {recording: corpus.header(recording).cameras for recording in chosen}
    height = sum(_LINE + len(names) * (size + _GAP) + _APART for names in cameras.values())
    if not any(cameras.values()):
        raise UserError(f"{corpus.name}: holds no pictures")
    sheet = Image.new("RGB", (_NAMES + frames * (size + _GAP), height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    top = 0
    for recording, names in cameras.items():
        pen.text((_GAP, top + _LINE / 2), _title(corpus, recording), "black", font, anchor="lm")
        top += _LINE
        for camera in names:
            label = textwrap.fill(camera, _FITTING)
            pen.multiline_text((_GAP, top + size / 2), label, "#555555", font, anchor="lm")
            for column, cell in enumerate(_cells(corpus, recording, camera, frames, size)):
                sheet.paste(cell, (_NAMES + column * (size + _GAP), top))
            top += size + _GAP
        top += _APART
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as draft:
        sheet.save(draft, "PNG")
    return path


def _title(corpus: Corpus, recording: int) -> str:
    """Its number as `firsthand replay` counts, its length, and all that is said in it."""
    row = corpus.recordings[recording]
    texts = [int(row["instruction"]), *corpus.narration_rows(recording)["text"].tolist()]
    words = _brief("; ".join(text for n in dict.fromkeys(texts) if (text := corpus.texts[n])))
    return f"episode {recording}, {row['length'] / row['fps']:.1f} s: {words}".rstrip(": ")


def _cells(
    corpus: Corpus, recording: int, camera: str, frames: int, size: int
) -> Iterator[Image.Image]:
    """Frames spread over a recording, each in the middle of a grey square."""
    file, episode = corpus.file(recording)
    indices = np.linspace(0, file.header(episode).length - 1, frames).round().astype(int)
    for pixels in file.frames(episode, camera, indices):
        image = Image.fromarray(pixels)
        scale = size / max(image.size)
        width, height = (max(1, math.floor(side * scale)) for side in image.size)
        scaled = image.resize((width, height), Image.Resampling.BICUBIC)
        cell = Image.new("RGB", (size, size), "lightgray")
        cell.paste(scaled, ((size - width) // 2, (size - height) // 2))
        yield cell


def _brief(text: str) -> str:
    """A text for a table, on one line and with its beginning alone if it is long."""
    line = " ".join(text[: 2 * _LETTERS].split())
    return line if len(text) <= _LETTERS else f"{line[:_LETTERS]}… ({len(text):,} letters)"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"
