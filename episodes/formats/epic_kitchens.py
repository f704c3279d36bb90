"""EPIC-KITCHENS-100 (Damen et al. 2022): clips of its actions.

The annotations are the CSV files of epic-kitchens-100-annotations. Pictures are the videos, or the
frames that are published beside them, as the official downloader lays them out:
`P01/videos/P01_01.MP4` and `P01/rgb_frames/P01_01/frame_0000000001.jpg` (unpacked), or all videos
in one folder.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Literal

from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import Item, Listing
from firsthand.episodes.formats.clips import (
    Clip,
    NarratedClips,
    clip_around,
    clips_of,
    item_of_clips,
    read_clips,
)
from firsthand.episodes.formats.image_folder import find_images, read_image_clips
from firsthand.episodes.jpeg import EncodedEpisode
from firsthand.episodes.tally import Tally
from firsthand.episodes.text.caption_files import read_table
from firsthand.episodes.text.clean_narration import basic_form, clean
from firsthand.episodes.untrusted.trust import is_there

_FILES = {"train": "EPIC_100_train.csv", "valid": "EPIC_100_validation.csv"}
_FOLDERS = ("", "annotations", "epic-kitchens-100-annotations")
_COLUMNS = (
    "narration_id", "participant_id", "video_id", "start_timestamp", "stop_timestamp", "narration",
)  # fmt: skip
_TOPS = ("", "EPIC-KITCHENS/")  # the second is made by the downloader
_VIDEOS = ("{p}/videos/", "{p}/", "", "videos/", "videos/{p}/",
           *(f"videos/{part}/{{p}}/" for part in ("train", "validation", "test")))  # fmt: skip
_ENDINGS = (".MP4", ".mp4", ".MOV", ".mov", ".mkv", ".webm", ".avi")
_FRAMES = ("{p}/rgb_frames/{v}", "rgb_frames/{v}", "rgb_frames/{p}/{v}", "rgb/{v}")
_PATTERNS = tuple(
    top + path
    for top in _TOPS
    for path in (*(folder + "{v}" + ending for folder in _VIDEOS for ending in _ENDINGS), *_FRAMES)
)
_CLOCK = re.compile(r"(\d{1,4}):([0-5]?\d):([0-5]?\d(?:\.\d*)?)")
Row = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class EpicKitchens(NarratedClips):
    """A folder as the downloader of EPIC-KITCHENS fills it, with the annotations in it.

    A video is an item. Videos of EPIC_100_train.csv and EPIC_100_validation.csv keep that split.
    """

    whole: bool = False
    """Show an action from its start to its stop instead of `seconds` around its middle."""
    group: Literal["participant", "video"] = "participant"
    """What a split must not cut, if there is no official one."""

    @property
    def origin(self) -> str:
        return "epic-kitchens"

    def listing(self) -> Listing:
        """The videos that are there, with the clips to cut from them.

        Raises:
            UserError: there are no annotations that can be read.
        """
        items, lost, tally = [], [], Tally()
        tables: dict[str, list[Row]] = {}
        for split, name in _FILES.items():
            try:
                if (rows := self._rows(split, tally)) is not None:
                    tables[split] = rows
            except UserError as error:
                lost.append((name, str(error)))
        if not tables:
            why = "".join(f"; {reason}" for _, reason in lost)
            raise UserError(f"{self.root}: holds neither {' nor '.join(_FILES.values())}{why}")
        for split, rows in tables.items():
            for video, actions in sorted(_by_video(rows).items()):
                try:
                    if (path := self._images(video, _participants(actions))) is None:
                        tally.note("annotated videos are not in the folder")
                    elif clips := self._clips(actions, tally):
                        items.append(self._item(path, clips, actions, split))
                    else:
                        tally.note("videos have no action to use")
                except UserError as error:
                    lost.append((video, str(error)))
        names = [item.name for item in items]
        for name in sorted({name for name in names if names.count(name) > 1}):
            lost.append((name, f"is in {' and in '.join(_FILES.values())}"))
            items = [item for item in items if item.name != name]
        return Listing(tuple(items), tuple(lost), tally=tally)

    def read(self, item: Item, tally: Tally) -> Iterator[EncodedEpisode]:
        path = self.inside(item.detail["path"])
        if path.is_dir():
            names = [Path(item.detail["path"], name) for name in find_images(path)]
            rate = item.detail["rate"]
            return read_image_clips(names, self.inside, rate, clips_of(item), self, tally)
        return read_clips(path, clips_of(item), self, tally)

    def _rows(self, split: str, tally: Tally) -> list[Row] | None:
        """Those that can be read; None if there is no table."""

        def lose(where: str, why: str) -> None:
            tally.lose("clip", f"{_FILES[split]}: {where}", why)

        for folder in _FOLDERS:
            path = self.inside(Path(folder, _FILES[split]))
            if is_there(path):
                return [row for _, row in read_table(path, _COLUMNS, lose)[0]]
        return None

    def _images(self, video: str, participants: list[str]) -> Path | None:
        """Where a video is, by the participant that most of its actions name or by another."""
        for participant in participants:
            self.inside(f"{participant}/{video}")  # raises for names that lead elsewhere
            for name in (pattern.format(p=participant, v=video) for pattern in _PATTERNS):
                if is_there(self.root / name):
                    return self.inside(name)
        return None

    def _wanted(self, row: Row) -> bool:
        verb = basic_form(row.get("verb", "").split("-")[0])
        return self.accepts(clean(row["narration"]), verb)

    def _clips(self, actions: list[Row], tally: Tally) -> list[Clip]:
        clips = []
        for row in actions:
            if not self._wanted(row):
                tally.note("actions do not pass the filter")
                continue
            try:
                clips.append(self._clip(row))
            except UserError as error:
                name = row["narration_id"]
                tally.lose("clip", f"{row['video_id']}: {name}", str(error))
        return clips

    def _clip(self, row: Row) -> Clip:
        start, stop = seconds_of(row["start_timestamp"]), seconds_of(row["stop_timestamp"])
        name, text = row["narration_id"], clean(row["narration"]).text
        if stop < start:
            raise UserError(f"stops at {stop} seconds and starts at {start}")
        if self.whole:
            return Clip(start, stop, text, name)
        return clip_around((start + stop) / 2, self.seconds, text, name)

    def _item(self, path: Path, clips: list[Clip], actions: list[Row], split: str) -> Item:
        video = actions[0]["video_id"]
        group = _participants(actions)[0] if self.group == "participant" else video
        item = item_of_clips(path, self.root, clips, self, group, split)
        rate = frame_rate(actions) if path.is_dir() else 0
        return replace(item, detail={**item.detail, "rate": rate})


def seconds_of(clock: str) -> float:
    """Seconds of a time written HH:mm:ss.SSS.

    Raises:
        UserError: it is none.
    """
    if not (found := _CLOCK.fullmatch(clock.strip())):
        raise UserError(f"{clock!r} is no time of the form HH:mm:ss.SSS")
    hours, minutes, seconds = found.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def frame_rate(actions: list[Row]) -> float:
    """Frames a second of the published frames: 60 for the videos of 2018, 50 for those of 2020.

    It is what turned their seconds into frames, not the rate of the videos (59.94).
    """
    stops = []
    for row in actions:
        with suppress(ValueError, KeyError):  # a row that cannot be read is lost elsewhere
            stops.append((int(row["stop_frame"]), seconds_of(row["stop_timestamp"])))
    if not stops:
        raise UserError(f"{actions[0]['video_id']} has no action with a stop_frame")
    rate = float(round(median(frame / max(seconds, 1) for frame, seconds in stops)))
    if not 1 <= rate <= 1000:
        raise UserError(f"its actions stop at {rate:g} frames a second")
    return rate


def _participants(actions: list[Row]) -> list[str]:
    """Whose a video is, by most of its actions first."""
    named = Counter(name for row in actions if (name := row["participant_id"].strip()))
    if not named:
        raise UserError("none of its actions has a participant_id")
    return [name for name, _ in named.most_common()]


def _by_video(rows: list[Row]) -> dict[str, list[Row]]:
    videos = defaultdict(list)
    for row in rows:
        videos[row["video_id"]].append(row)
    return videos
