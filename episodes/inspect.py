"""What is in a store: numbers for a table, and a sheet of pictures to look at."""

import math
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from episodes.errors import UserError
from episodes.store import EpisodeFile, Header


@dataclass(frozen=True)
class Summary:
    """Counts over all recordings of a store; texts and rates with how many recordings have them."""

    path: Path
    bytes: int
    episodes: int
    splits: dict[str, int]
    frames: int
    seconds: float
    shortest: float  # seconds
    longest: float
    fps: dict[float, int]
    cameras: dict[str, dict[tuple[int, int], int]]  # camera -> height, width -> recordings
    with_state: int
    with_actions: int
    texts: dict[str, int]  # instructions and narrations, the most frequent first
    origins: dict[str, int]

    def rows(self, texts: int = 10) -> list[tuple[str, str]]:
        """Label and value of every line of a table, with the most frequent texts."""
        rows = [
            ("file", f"{self.path} ({self.bytes / 1e6:.1f} MB)"),
            ("episodes", f"{self.episodes} ({_counts(self.splits)})"),
            ("frames", f"{self.frames} ({self.seconds / 3600:.2f} hours)"),
            ("length", f"{self.shortest:.1f} to {self.longest:.1f} seconds"),
            ("rate", ", ".join(f"{fps:g} fps" for fps in self.fps)),
        ]
        for camera, sizes in self.cameras.items():
            rows.append((camera, _counts({f"{w}x{h}": n for (h, w), n in sizes.items()})))
        rows.append(("with state, actions", f"{self.with_state}, {self.with_actions}"))
        rows.append(("made from", _counts(self.origins)))
        rows.append(("different texts", str(len(self.texts))))
        rows += [(f"  {count}", text) for text, count in list(self.texts.items())[:texts]]
        return rows


def summarise(file: EpisodeFile) -> Summary:
    """Needs the headers only; see `EpisodeFile.verify` for whether the content is sound."""
    headers = file.headers
    cameras: dict[str, Counter] = {}
    texts = Counter()
    for header in headers:
        for camera, size in header.cameras.items():
            cameras.setdefault(camera, Counter())[size] += 1
        texts.update({text for text in _texts(header) if text})
    return Summary(
        path=file.path,
        bytes=os.path.getsize(file.path),
        episodes=len(file),
        splits={split: len(file.names(split)) for split in file.splits},
        frames=sum(header.length for header in headers),
        seconds=sum(header.seconds for header in headers),
        shortest=min(header.seconds for header in headers),
        longest=max(header.seconds for header in headers),
        fps=dict(Counter(header.fps for header in headers).most_common()),
        cameras={camera: dict(sizes.most_common()) for camera, sizes in sorted(cameras.items())},
        with_state=sum(header.has_state for header in headers),
        with_actions=sum(header.has_actions for header in headers),
        texts=dict(texts.most_common()),
        origins=dict(Counter(str(h.source.get("origin", "unknown")) for h in headers)),
    )


def contact_sheet(
    file: EpisodeFile, path: str | Path, episodes: int = 12, frames: int = 8, size: int = 96
) -> Path:
    """A PNG with a row for each of some recordings spread over the store, and a column in time.

    Cameras stand below each other. Every picture is fitted into a square of `size` pixels.
    """
    if min(episodes, frames, size) < 1:
        raise UserError(f"a contact sheet of {episodes} x {frames} x {size} pixels holds nothing")
    chosen = np.unique(np.linspace(0, len(file) - 1, episodes).round().astype(int))
    strips = [
        _strip(file, file.header(int(index)), camera, frames, size)
        for index in chosen
        for camera in file.header(int(index)).cameras
    ]
    if not strips:
        raise UserError(f"{file.path}: holds no pictures")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    Image.fromarray(np.concatenate(strips)).save(partial, "PNG")
    os.replace(partial, path)
    return path


def _strip(
    file: EpisodeFile, header: Header, camera: str, frames: int, size: int
) -> UInt8[np.ndarray, "h w 3"]:
    strip = Image.new("RGB", (frames * size, size))
    indices = np.linspace(0, header.length - 1, frames).round().astype(int)
    for column, pixels in enumerate(file.frames(header.name, camera, indices)):
        picture = Image.fromarray(pixels)
        scale = size / max(picture.size)
        width, height = (max(1, math.floor(side * scale)) for side in picture.size)
        scaled = picture.resize((width, height), Image.Resampling.BICUBIC)
        strip.paste(scaled, (column * size + (size - width) // 2, (size - height) // 2))
    return np.asarray(strip)


def _texts(header: Header) -> set[str]:
    return {header.instruction, *(narration.text for narration in header.narrations)}


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"
