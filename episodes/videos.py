"""A folder of videos as a dataset: every video an item, with what is said in files beside it."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from episodes.episode import Narration
from episodes.jpeg import EncodedEpisode
from episodes.narrations import Said, read_narrations
from episodes.rooted import Rooted, walk
from episodes.source import Item, Listing
from episodes.tally import Tally
from episodes.video import VideoSettings, read_video

__all__ = ["VideoFolder", "VideoSettings"]

ENDINGS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
_VERSION = 2  # of what this file makes of the same input: a new one makes it again


@dataclass(frozen=True, kw_only=True)
class VideoFolder(VideoSettings, Rooted):
    """All videos below a folder. Every video is a group: no split cuts one.

    Names are paths from `root`. What is said in them: see `episodes.narrations`.
    """

    @property
    def origin(self) -> str:
        return "videos"

    def listing(self) -> Listing:
        """The videos by their endings.

        Raises:
            UserError: there is no such folder, or a narration file is malformed.
        """
        root = Path(os.path.abspath(self.root))
        tally = Tally()
        videos = find_videos(root, self.links, tally)
        said, strangers = read_narrations(root, videos)
        return Listing(
            tuple(_item(video, root, said[video]) for video in videos),
            (),
            tuple(f"narrations name {name}, which is no video here" for name in strangers),
            tally,
        )

    def read(self, item: Item, tally: Tally) -> Iterator[EncodedEpisode]:
        narrations = tuple(Narration(*values) for values in item.detail["narrations"])
        return read_video(self.inside(item.name), self, item.detail["instruction"], narrations)


def find_videos(root: Path, links: bool, tally: Tally) -> list[Path]:
    """Videos below a folder, by their endings; see `episodes.rooted.walk`."""
    below = walk(root, links, tally).items()
    videos = [folder / n for folder, names in below for n in names if n.lower().endswith(ENDINGS)]
    if not videos:
        tally.note(f"{root}: holds no video (a file ending in {', '.join(ENDINGS)})")
    return sorted(videos)


def _item(video: Path, root: Path, said: Said) -> Item:
    name = str(video.relative_to(root))
    stat = video.stat() if video.exists() else video.lstat()  # of a broken link, told when read
    decided_by = [_VERSION, stat.st_size, stat.st_mtime_ns, asdict(said)]
    return Item(
        name,
        group=name,
        version=hashlib.sha256(json.dumps(decided_by).encode()).hexdigest()[:16],
        megabytes=stat.st_size / 1e6,
        detail={
            "instruction": said.instruction,
            "narrations": [[n.start, n.end, n.text] for n in said.narrations],
        },
    )
