"""A folder of videos as a dataset: every video an item, with what is said in files beside it."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from firsthand.episodes.convert.source import Item, Listing
from firsthand.episodes.episode import Narration
from firsthand.episodes.formats.dataset_folder import Rooted, kinds, walk
from firsthand.episodes.jpeg import EncodedEpisode
from firsthand.episodes.tally import Tally
from firsthand.episodes.text.caption_files import VideoText
from firsthand.episodes.text.narrations import read_narrations
from firsthand.episodes.video.frames import VideoSettings, read_video

__all__ = ["VideoFolder", "VideoSettings"]

ENDINGS = (
    ".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".insv", ".mkv", ".webm", ".avi", ".divx",
    ".mpg", ".mpeg", ".vob", ".ts", ".mts", ".m2ts", ".wmv", ".asf", ".flv", ".f4v", ".ogv", ".mxf",
)  # fmt: skip
_VERSION = 3  # of what this file makes of the same input: a new one makes it again


@dataclass(frozen=True, kw_only=True)
class VideoFolder(VideoSettings, Rooted):
    """All videos below a folder. Every video is a group: no split cuts one.

    Names are paths from `root`. Their narrations: see `episodes.text.narrations`.
    """

    @property
    def origin(self) -> str:
        return "videos"

    def listing(self) -> Listing:
        """The videos by their endings.

        Raises:
            UserError: there is no such folder.
        """
        root = Path(os.path.abspath(self.root))
        tally = Tally()
        below = walk(root, self.links, tally)
        files = sorted(folder / name for folder, names in below.items() for name in names)
        videos = [path for path in files if path.name.lower().endswith(ENDINGS)]
        texts, strangers, read_files = read_narrations(root, videos, below, tally, self.links)
        if others := [path.name for path in files if path not in read_files and path not in texts]:
            tally.note(f"other files are not read: {kinds(others)}")
        if not videos:
            tally.note(f"{root}: holds no video (a file ending in {', '.join(ENDINGS)})")
        return Listing(
            tuple(_item(video, root, texts[video]) for video in videos),
            (),
            tuple(f"narrations name {name}, which is no video here" for name in strangers),
            tally,
        )

    def read(self, item: Item, tally: Tally) -> Iterator[EncodedEpisode]:
        narrations = tuple(Narration(*values) for values in item.detail["narrations"])
        path, instruction = self.inside(item.name), item.detail["instruction"]
        return read_video(path, self, instruction, narrations, tally, item.name)


def _item(video: Path, root: Path, text: VideoText) -> Item:
    name = str(video.relative_to(root))
    stat = video.stat() if video.exists() else video.lstat()  # of a broken link, told when read
    decided_by = [_VERSION, stat.st_size, stat.st_mtime_ns, asdict(text)]
    return Item(
        name,
        group=name,
        version=hashlib.sha256(json.dumps(decided_by).encode()).hexdigest()[:16],
        megabytes=stat.st_size / 1e6,
        detail={
            "instruction": text.instruction,
            "narrations": [[n.start, n.end, n.text] for n in text.narrations],
        },
    )
