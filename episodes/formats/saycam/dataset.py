"""Corpora of utterances with pictures as CVCL and EgoBabyVLM keep them: each a recording.

The folder holds `train.json` (and `val.json`, `test.json`; see `saycam.utterances`) and
a folder of the pictures that they name.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np

from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import Item, Listing
from firsthand.episodes.formats.clips import file_version
from firsthand.episodes.formats.dataset_folder import Rooted
from firsthand.episodes.formats.image_folder import read_jpegs
from firsthand.episodes.formats.saycam.utterances import Utterance, read_utterances
from firsthand.episodes.jpeg import QUALITY, EncodedEpisode, EncodedFrames
from firsthand.episodes.tally import Tally
from firsthand.episodes.untrusted.trust import is_there
from firsthand.episodes.video.frames import CAMERA, VideoSettings

_FILES = {"train": "train.json", "valid": "val.json", "test": "test.json"}


@dataclass(frozen=True, kw_only=True)
class Saycam(Rooted):
    """A video's utterances are an item. The rate of a recording is that of its timestamps."""

    frames: str = "train_5fps"
    """Folder of the images, from `root`."""
    size: int = 224
    """Edge of the square images, in pixels; those that have it already keep their bytes."""
    quality: int = QUALITY
    """Of the JPEG images that do not, 1 to 100."""
    fps: float = 5.0
    """Frames a second of utterances with a single image."""
    splits: Literal["video", "official"] = "video"
    """`video` leaves splits to us, so that no video is in two; `official` keeps what the files say,
    which for CVCL means neighbouring utterances in different splits."""

    def __post_init__(self) -> None:
        self._settings()

    def _settings(self) -> VideoSettings:
        return VideoSettings(fps=self.fps, size=self.size, quality=self.quality)

    @property
    def origin(self) -> str:
        return "saycam"

    def listing(self) -> Listing:
        """The videos that utterances name.

        Raises:
            UserError: there are no utterances that can be read, or no pictures.
        """
        items, lost, tally = [], [], Tally()
        rows: dict[tuple[str, str], list[Utterance]] = defaultdict(list)
        for split, name in _FILES.items():
            try:
                path = self.inside(name)
                for row in read_utterances(path, tally) if is_there(path) else ():
                    key = split if self.splits == "official" else ""
                    rows[row.video_filename, key].append(row)
            except UserError as error:
                lost.append((name, str(error)))
        if not rows:
            why = [reason for _, reason in lost]
            why += [f"{where}: {reason}" for _, where, reason, _ in tally.lost[:1]]
            listed = ", ".join(_FILES.values())
            raise UserError(": ".join([f"{self.root}: holds no utterances ({listed})", *why]))
        folder = self.inside(self.frames)
        if not folder.is_dir():
            raise UserError(f"{folder}: is no folder of pictures; name it with frames=")
        for (video, split), utterances in sorted(rows.items()):
            name = f"{video} ({split})" if split else video
            try:
                items.append(self._item(name, video, split, utterances, tally))
            except UserError as error:
                lost.append((name, str(error)))
        return Listing(tuple(items), tuple(lost), tally=tally)

    def read(self, item: Item, tally: Tally) -> Iterator[EncodedEpisode]:
        settings = self._settings()
        why = []
        for text, number, start, fps, names in item.detail["utterances"]:
            where = f"{item.name}: utterance {number}"
            try:
                pictures = [Path(self.frames, name) for name in names]
                data = tuple(read_jpegs(pictures, self.inside, settings, tally))
            except UserError as error:
                why.append(str(error))
                tally.lose("utterance", where, why[-1])
                continue
            tally.use("utterance")
            frames = EncodedFrames(data, self.size, self.size)
            source = {"start_seconds": start, "utterance": number}
            yield EncodedEpisode({CAMERA: frames}, fps, text, source=source)
        if len(why) == len(item.detail["utterances"]):
            raise UserError(f"has no utterance with a picture that can be read: {why[0]}")

    def _item(
        self, name: str, video: str, split: str, utterances: list[Utterance], tally: Tally
    ) -> Item:
        ordered = sorted(utterances, key=lambda row: row.utterance_num)
        rows, entries = [], []
        for row in ordered:
            if not row.frame_filenames:
                tally.note("utterances have no picture")
                continue
            try:
                entries.append(self._entry(row))
                rows.append(row)
            except UserError as error:
                tally.lose("utterance", f"{name}: utterance {row.utterance_num}", str(error))
        if not rows:
            raise UserError("has no utterance with a picture")
        names = [str(Path(self.frames, name)) for row in rows for name in row.frame_filenames]
        versions = [f"{name} {self._version(name)}" for name in names]
        return Item(
            name,
            group=video,
            version=sha256("\n".join(versions).encode()).hexdigest()[:16],
            megabytes=len(names) * self.size**2 * 3 * 0.1 / 1e6,
            split=split,
            detail={"utterances": entries},
        )

    def _version(self, name: str) -> str:
        path = self.inside(name)
        return file_version(path) if is_there(path) else "absent"

    def _entry(self, row: Utterance) -> list[Any]:
        names = list(row.frame_filenames)
        for name in names:
            self.inside(Path(self.frames, name))  # raises for names that lead elsewhere
        return [row.utterance, row.utterance_num, row.timestamps[0], self._rate(row), names]

    def _rate(self, row: Utterance) -> float:
        """Pictures a second. Those that are missing are the last ones, behind the video's end."""
        apart = np.diff(row.timestamps)
        if not len(apart):
            return self.fps
        if apart.min() <= 0 or np.ptp(apart) > 0.01 * apart.mean():
            raise UserError("its frames are not evenly spaced")
        return round(float(1 / apart.mean()), 3)
