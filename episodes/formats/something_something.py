"""Something-Something V2 (Goyal et al. 2017): short videos of hands that do what a label says.

The labels are lists of {"id", "label", "template", "placeholders"}, the videos ID.webm: files as
they are published, wherever they were unpacked below the folder.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import Item, Listing
from firsthand.episodes.formats.clips import file_version
from firsthand.episodes.formats.dataset_folder import Rooted
from firsthand.episodes.jpeg import EncodedEpisode
from firsthand.episodes.tally import Tally
from firsthand.episodes.untrusted.trust import is_text, is_there, load_annotations
from firsthand.episodes.video.frames import VideoSettings, read_video

_LABELS = {
    "train": ("train.json", "something-something-v2-train.json"),
    "valid": ("validation.json", "something-something-v2-validation.json"),
}
_FOLDERS = ("", "labels", "annotations")
_VIDEOS = ("20bn-something-something-v2", "videos", "")
_USUAL = 4.0  # seconds of a video


@dataclass(frozen=True, kw_only=True)
class SomethingSomething(VideoSettings, Rooted):
    """A folder with the labels and the videos. A video is an item and a group.

    Official splits are kept; the videos of the test, whose labels are secret, are not used.
    """

    fps: float = 12.0
    """Frames a second of the recordings; that of the videos themselves by default."""

    @property
    def origin(self) -> str:
        return "something-something-v2"

    def listing(self) -> Listing:
        """The labelled videos that are there.

        Raises:
            UserError: there are no labels that can be read, or no videos.
        """
        items, lost, absent, seen = [], [], 0, set()
        tables = dict[str, list[Any]]()
        for split in _LABELS:
            try:
                tables[split] = self._rows(split)
            except UserError as error:
                lost.append((f"labels of {split}", str(error)))
        if not any(tables.values()):
            why = "".join(f"; {reason}" for _, reason in lost)
            raise UserError(f"{self.root}: holds no {_LABELS['train'][1]}, nor in labels/{why}")
        folder = self._folder()
        for split, rows in tables.items():
            for number, row in enumerate(rows):
                where = f"row {number} of {split}"
                name = _name(row)
                if not name:
                    lost.append((where, "has no id"))
                    continue
                if reason := "is labelled twice" if name in seen else _why_no_label(row):
                    lost.append((f"{name} ({where})", reason))
                    continue
                try:
                    path = self.inside(Path(folder, f"{name}.webm"))
                    if is_there(path):
                        items.append(self._item(path, name, row["label"], split))
                    else:
                        absent += 1
                except UserError as error:
                    lost.append((name, str(error)))
                seen.add(name)
        notes = (f"{absent} labelled videos are not in the folder",) if absent else ()
        return Listing(tuple(items), tuple(lost), notes)

    def read(self, item: Item, tally: Tally) -> Iterator[EncodedEpisode]:
        path, label = self.inside(item.detail["path"]), item.detail["label"]
        return read_video(path, self, label, (), tally, item.name)

    def _rows(self, split: str) -> list[Any]:
        for name in (str(Path(f, name)) for f in _FOLDERS for name in _LABELS[split]):
            if is_there(path := self.inside(name)):
                rows = load_annotations(path)
                if not isinstance(rows, list):
                    raise UserError(f"{path}: must be a list of labels, each with id and label")
                return rows
        return []

    def _folder(self) -> str:
        for name in _VIDEOS:
            folder = self.inside(name)
            if folder.is_dir() and next(folder.glob("*.webm"), None):
                return name
        raise UserError(f"{self.root}: holds no video ID.webm, nor in {_VIDEOS[0]}/")

    def _item(self, path: Path, name: str, label: str, split: str) -> Item:
        return Item(
            name,
            group=name,
            version=file_version(path),
            megabytes=_USUAL * self.fps * self.size**2 * 3 * 0.1 / 1e6,
            split=split,
            detail={"path": str(path.relative_to(self.root)), "label": label},
        )


def _name(row: Any) -> str:
    """What a row calls its video, "" if nothing that a file can be called after."""
    name = row.get("id") if isinstance(row, dict) else None
    return str(name) if isinstance(name, str | int) and not isinstance(name, bool) else ""


def _why_no_label(row: dict[str, Any]) -> str:
    if not isinstance(row.get("label"), str):
        return "has no label"
    return "" if is_text(row["label"]) else "its label holds a character that is not text"
