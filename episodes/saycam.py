"""Corpora of utterances with pictures as CVCL and EgoBabyVLM keep them: each a recording.

The folder holds `train.json` (and `val.json`, `test.json`; see `episodes.utterances`) and a folder
of the pictures that they name.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from episodes.clips import file_version
from episodes.errors import UserError
from episodes.jpeg import QUALITY, EncodedEpisode, EncodedFrames
from episodes.pictures import read_jpeg
from episodes.rooted import Rooted
from episodes.source import Item, Listing
from episodes.tally import Tally
from episodes.trust import is_there
from episodes.utterances import Utterance, read_utterances
from episodes.video import CAMERA, VideoSettings

_FILES = {"train": "train.json", "valid": "val.json", "test": "test.json"}


@dataclass(frozen=True, kw_only=True)
class Saycam(Rooted):
    """A video's utterances are an item. The rate of a recording is that of its timestamps.

    Attributes:
        frames: folder of the pictures, from `root`.
        size: side of the pictures; those that have it already keep their bytes.
        quality: of the JPEG pictures that do not.
        fps: rate of utterances with a single picture.
        splits: "video" leaves splits to us, so that no video is in two; "official" keeps what the
            files say, which for CVCL means neighbouring utterances in different splits.
    """

    frames: str = "train_5fps"
    size: int = 224
    quality: int = QUALITY
    fps: float = 5.0
    splits: Literal["video", "official"] = "video"

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
            UserError: there are no utterances or pictures, or the files are malformed.
        """
        rows: dict[tuple[str, str], list[Utterance]] = defaultdict(list)
        for split, name in _FILES.items():
            path = self.inside(name)
            if is_there(path):
                for row in read_utterances(path):
                    key = split if self.splits == "official" else ""
                    rows[row.video_filename, key].append(row)
        if not rows:
            raise UserError(f"{self.root}: holds no utterances ({', '.join(_FILES.values())})")
        folder = self.inside(self.frames)
        if not folder.is_dir():
            raise UserError(f"{folder}: is no folder of pictures; name it with frames=")
        items, lost = [], []
        for (video, split), utterances in sorted(rows.items()):
            name = f"{video} ({split})" if split else video
            try:
                items.append(self._item(name, video, split, utterances))
            except UserError as error:
                lost.append((name, str(error)))
        return Listing(tuple(items), tuple(lost))

    def read(self, item: Item, tally: Tally) -> Iterator[EncodedEpisode]:
        settings = self._settings()
        for text, number, start, fps, names in item.detail["utterances"]:
            paths = [self.inside(Path(self.frames, name)) for name in names]
            data = tuple(read_jpeg(path, settings) for path in paths)
            frames = EncodedFrames(data, self.size, self.size)
            source = {"start_seconds": start, "utterance": number}
            yield EncodedEpisode({CAMERA: frames}, fps, text, source=source)

    def _item(self, name: str, video: str, split: str, utterances: list[Utterance]) -> Item:
        ordered = sorted(utterances, key=lambda row: row.utterance_num)
        seen = [row for row in ordered if row.frame_filenames]
        if not seen:
            raise UserError("has no utterance with a picture")
        first = self.inside(Path(self.frames, seen[0].frame_filenames[0]))
        pictures = sum(len(row.frame_filenames) for row in seen)
        return Item(
            name,
            group=video,
            version=file_version(first) if is_there(first) else "absent",
            megabytes=pictures * self.size**2 * 3 * 0.1 / 1e6,
            split=split,
            detail={"utterances": [self._told(row) for row in seen]},
        )

    def _told(self, row: Utterance) -> list[Any]:
        names = list(row.frame_filenames)
        return [row.utterance, row.utterance_num, row.timestamps[0], self._rate(row), names]

    def _rate(self, row: Utterance) -> float:
        """Pictures a second. Those that are missing are the last ones, behind the video's end."""
        apart = np.diff(row.timestamps)
        if not len(apart):
            return self.fps
        if apart.min() <= 0 or np.ptp(apart) > 0.01 * apart.mean():
            raise UserError(f"the frames of utterance {row.utterance_num} are not evenly spaced")
        return round(float(1 / apart.mean()), 3)
