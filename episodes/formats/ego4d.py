"""Ego4D (Grauman et al. 2022): clips around the narrations of its videos.

Layout and fields are those of its documentation ("Annotation Schemas", "CLI"): `ego4d.json` lists
the videos, `narration.json` what two narrators said of each, `full_scale` holds UID.mp4.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

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
from firsthand.episodes.formats.saycam.utterances import is_time
from firsthand.episodes.jpeg import EncodedEpisode
from firsthand.episodes.tally import Tally
from firsthand.episodes.text.clean_narration import (
    Sentence,
    clean,
    without_repeats,
)
from firsthand.episodes.untrusted.trust import (
    NamedTwice,
    is_text,
    is_there,
    load_annotations,
)

_VERSIONS = ("", "v2_1", "v2", "v1")  # folders that the downloader makes for releases
_MANIFEST = ("ego4d.json",)
_NARRATIONS = ("narration.json", "narrations.json", "all_narrations_redacted.json")
_VIDEOS = ("full_scale", "video_540ss", "videos", "")
# all_narrations_redacted.json of the second release has one list, in other words
_PASSES = ("narration_pass_1", "narration_pass_2", "narrations")
_KEYS = (
    ("narration_text", "text"),
    ("timestamp_sec", "time"),
    ("annotation_uid", "_annotation_uid"),
)
_SPLITS = {"train": "train", "val": "valid", "test": "test"}


@dataclass(frozen=True, kw_only=True)
class Ego4D(NarratedClips):
    """A folder as Ego4D's downloader fills it. A video is an item and a group."""

    videos: str = ""
    """Folder of the files UID.mp4, from `root`; found by itself if empty."""
    benchmark: Literal["none", "em", "av", "fho"] = "none"
    """Keep the official split of this benchmark. Videos that are not in it go to train, and those
    of which it uses parts in several splits are left out."""
    apart: float = 1.0
    """Seconds within which the same sentence counts once."""
    unsure: bool = False
    """Also use sentences in which something could not be made out."""
    others: bool = False
    """Also use sentences about other people than the one who wears the camera."""

    @property
    def origin(self) -> str:
        return "ego4d"

    def listing(self) -> Listing:
        """The videos that are there, with the clips to cut from them.

        Raises:
            UserError: narrations or videos are missing, or a file is no such table. What is none in
                it costs itself: a video's narrations, a pass of them, an entry of `ego4d.json`.
        """
        path_of_narrations = self._find(_NARRATIONS)
        if path_of_narrations is None:
            raise UserError(
                f"{self.root}: holds no {_NARRATIONS[0]} of Ego4D (nor any in v2/annotations)"
            )
        narrations_of = _by_video(load_annotations(path_of_narrations), path_of_narrations)
        items, lost, tally = [], [], Tally()
        manifest = self._manifest(tally)
        folder = self._folder(narrations_of)
        for uid in sorted(narrations_of):
            split = self._split(manifest.get(uid, {}))
            try:
                path = self.inside(Path(folder, f"{uid}.mp4"))
                if not is_there(path):
                    tally.note(f"narrated videos are not in {folder}/")
                elif not isinstance(narrations_of[uid], dict):
                    lost.append((uid, f"its narrations are no table: {narrations_of[uid]!r:.100}"))
                elif split is None:
                    tally.note(f"videos are in several splits of {self.benchmark}")
                elif clips := self._clips(uid, narrations_of[uid], tally):
                    items.append(item_of_clips(path, self.root, clips, self, uid, split))
                else:
                    tally.note("videos have no narration to use")
            except UserError as error:
                lost.append((uid, str(error)))
        return Listing(tuple(items), tuple(lost), tally=tally)

    def read(self, item: Item, tally: Tally) -> Iterator[EncodedEpisode]:
        return read_clips(self.inside(item.detail["path"]), clips_of(item), self, tally)

    def _find(self, names: tuple[str, ...]) -> Path | None:
        folders = ("", "annotations")
        for name in (Path(v, f, name) for v in _VERSIONS for f in folders for name in names):
            if is_there(self.root / name):
                return self.inside(name)
        return None

    def _manifest(self, tally: Tally) -> dict[str, dict[str, Any]]:
        path = self._find(_MANIFEST)
        if path is None:
            if self.benchmark != "none":
                raise UserError(f"{self.root}: holds no {_MANIFEST[0]}, which knows the splits")
            return {}
        try:
            content = load_annotations(path)
            videos = content.get("videos") if isinstance(content, dict) else None
            if not isinstance(videos, list):
                raise UserError(f"{path}: has no list of videos")
        except UserError as error:
            if self.benchmark != "none":
                raise
            reason = str(error).removeprefix(f"{path}: ")
            tally.note(f"{_MANIFEST[0]}, which is not needed, cannot be read: {reason}")
            return {}
        for number, video in enumerate(videos, 1):
            if not isinstance(video, dict):
                where = f"{_MANIFEST[0]}, video {number}"
                tally.lose("row", where, f"is no table: {video!r:.100}")
        known = [video for video in videos if isinstance(video, dict)]
        tally.use("row", len(known))
        return {str(video.get("video_uid")): video for video in known}

    def _folder(self, narrations_of: dict[str, Any]) -> str:
        if self.videos:
            return self.videos
        for name in (Path(version, folder) for version in _VERSIONS for folder in _VIDEOS):
            folder = self.inside(name)
            if folder.is_dir() and any(path.stem in narrations_of for path in folder.glob("*.mp4")):
                return str(name)
        raise UserError(f"{self.root}: holds no video UID.mp4 that narrations speak of")

    def _split(self, about: dict[str, Any]) -> str | None:
        """The official split of a video; None if parts of it are in several."""
        if self.benchmark == "none":
            return ""
        split = about.get(f"split_{self.benchmark}")
        return "train" if split is None else _SPLITS.get(str(split))

    def _clips(self, video: str, passes: dict[str, Any], tally: Tally) -> list[Clip]:
        sentences = []
        for number, entry in _narrations_of(video, passes, tally):
            fields: dict[str, Any] = entry if isinstance(entry, dict) else {}
            values: list[Any] = [next((fields[k] for k in ks if k in fields), None) for ks in _KEYS]
            text, time, uid = values
            if not isinstance(text, str) or not is_time(time):
                tally.lose("clip", video, f"a narration has no text or time: {entry!r:.100}")
            elif not is_text(text):
                tally.lose("clip", video, f"{text!r:.100} holds a character that is not text")
            elif fields.get("is_summary") or not self._wanted(sentence := clean(text)):
                tally.note("narrations do not pass the filter")
            else:
                sentences.append((float(time), sentence.text, f"{uid or number}@{time:.3f}"))
        kept = without_repeats(sentences, lambda s: s[1], lambda s: s[0], self.apart)
        if repeated := len(sentences) - len(kept):
            tally.note(f"narrations repeat another within {self.apart:g} seconds", repeated)
        return [clip_around(time, self.seconds, text, name) for time, text, name in kept]

    def _wanted(self, sentence: Sentence) -> bool:
        about = ("wearer", "", "other") if self.others else ("wearer", "")
        clear = self.unsure or not sentence.unsure
        return clear and sentence.subject in about and self.accepts(sentence)


def _by_video(content: Any, path: Path) -> dict[str, Any]:
    """Narrations by video; the first release had them below "videos"."""
    if isinstance(content, dict) and isinstance(content.get("videos"), dict):
        content = content["videos"]
    tables = isinstance(content, dict) and any(
        isinstance(told, dict | NamedTwice) for told in content.values()
    )
    if not tables and content != {}:
        raise UserError(f"{path}: must map videos to their narrations")
    return content


def _narrations_of(video: str, passes: dict[str, Any], tally: Tally) -> Iterator[tuple[int, Any]]:
    """All narrations, each with its pass; a video that was narrated once lacks the second."""
    for number, name in enumerate(_PASSES, 1):
        content = passes.get(name) or []
        entries = content.get("narrations", []) if isinstance(content, dict) else content
        if isinstance(entries, list):
            yield from ((number, entry) for entry in entries)
        else:
            tally.lose("clip", f"{video}: {name}", f"has no list of narrations: {content!r:.100}")
