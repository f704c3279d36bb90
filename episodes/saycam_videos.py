"""SAYCam as it is recorded: videos and their transcripts (see `episodes.transcripts`).

Frames are prepared as CVCL's official extraction does (multimodal-baby, `_extract_frame`), except
that they are those nearest to their time and scaled without aliasing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from episodes.clips import Clip, ClipSettings, clips_of, cut_clips, item_of_clips
from episodes.decode import OpenVideo, Shown
from episodes.errors import UserError
from episodes.jpeg import QUALITY, EncodedEpisode, encode_jpeg
from episodes.rooted import Rooted
from episodes.seek import shown_at
from episodes.source import Item, Listing
from episodes.tally import Tally
from episodes.transcripts import FPS, Transcript, read_transcript
from episodes.trust import is_there
from episodes.utterances import (
    Utterance,
    make_vocabulary,
    shuffle_texts,
    split_utterances,
    write_utterances,
    write_vocabulary,
)
from episodes.video import upright

_ENDINGS = (".mp4", ".mov", ".MP4", ".MOV", ".avi", ".AVI", ".mkv")


@dataclass(frozen=True, kw_only=True)
class SaycamVideos(Rooted):
    """A video with its transcript is an item and a group, every utterance a recording.

    Attributes:
        transcripts, videos: folders, from `root`, of VIDEO.csv and VIDEO.mp4 (or mov, avi, mkv).
        size: side of the pictures.
        turned: the camera was worn upside down, as SAYCam's: turn pictures by 180 degrees.
        quality: of the JPEG pictures.
    """

    transcripts: str = "transcripts"
    videos: str = "videos"
    size: int = 224
    turned: bool = True
    quality: int = QUALITY

    def __post_init__(self) -> None:
        self._settings()

    def _settings(self) -> ClipSettings:
        return ClipSettings(fps=float(FPS), size=self.size, quality=self.quality)

    @property
    def origin(self) -> str:
        return "saycam-videos"

    def listing(self) -> Listing:
        """The transcripts with a video. Of videos, only the length is read.

        Raises:
            UserError: there is no transcript.
        """
        items, lost, notes = [], [], []
        for path in self._transcripts():
            try:
                transcript = read_transcript(path)
                notes += transcript.notes
                video = self._video(transcript.video)
                clips = _clips(transcript, _end(video), notes)
                if not clips:
                    raise UserError("holds no utterance to use")
                group, settings = transcript.video, self._settings()
                items.append(item_of_clips(video, self.root, clips, settings, group, ""))
            except UserError as error:
                lost.append((path.name, str(error).removeprefix(f"{path}: ")))
        return Listing(tuple(items), tuple(lost), tuple(notes))

    def read(self, item: Item, tally: Tally) -> Iterator[EncodedEpisode]:
        settings = self._settings()
        with OpenVideo(self.inside(item.detail["path"])) as video:

            def pictures(times: Sequence[Fraction]) -> Iterator[bytes]:
                for shown in shown_at(video, times):
                    yield encode_jpeg(child_view(shown, self.size, self.turned), self.quality)

            yield from cut_clips(clips_of(item), settings, pictures, None)

    def utterances(self) -> Iterator[tuple[Item, list[Utterance]]]:
        """What is said in every item."""
        for item in self.listing().items:
            path = self.inside(Path(self.transcripts, f"{item.name}.csv"))
            yield item, list(read_transcript(path).utterances)

    def _transcripts(self) -> list[Path]:
        folder = self.inside(self.transcripts)
        paths = sorted(folder.glob("*.csv")) if folder.is_dir() else []
        if not paths:
            raise UserError(f"{folder}: holds no transcript VIDEO.csv")
        return [self.inside(path.relative_to(self.root)) for path in paths]

    def _video(self, name: str) -> Path:
        for ending in _ENDINGS:
            path = self.inside(Path(self.videos, name + ending))
            if is_there(path):
                return path
        raise UserError(f"its video is not in {self.videos}/")


def extract_frames(
    source: SaycamVideos, out: Path, seed: int = 0, by: Literal["video", "utterance"] = "video"
) -> dict[str, int]:
    """Write a corpus as CVCL's code reads it: train_5fps, train, val and test.json, vocab.json.

    `train_shuffled.json` is the control with permuted sentences. Utterances without any frame are
    left out. The JSON files are written last. Returns the number of utterances in every split.

    Args:
        by: what splits keep whole; CVCL's own keep utterances.

    Raises:
        UserError: a video cannot be used.
    """
    (out / "train_5fps").mkdir(parents=True, exist_ok=True)
    rows = []
    for item, utterances in source.utterances():
        said = {str(row.utterance_num): row for row in utterances}
        for episode in source.read(item, Tally()):
            row = said[episode.source["clip"]]
            pictures = episode.frames["rgb_static"].data
            names = row.frame_filenames[: len(pictures)]
            for name, picture in zip(names, pictures, strict=True):
                (out / "train_5fps" / name).write_bytes(picture)
            rows.append(replace(row, frame_filenames=names))
    divided = split_utterances(rows, seed, by)
    write_vocabulary(out / "vocab.json", make_vocabulary(r.utterance for r in divided["train"]))
    write_utterances(out / "train_shuffled.json", shuffle_texts(divided["train"], seed))
    for split, part in divided.items():
        write_utterances(out / f"{split}.json", part)
    return {split: len(part) for split, part in divided.items()}


def child_view(shown: Shown, size: int, turned: bool) -> UInt8[np.ndarray, "size size 3"]:
    """The shorter side scaled to 256/224 of `size`, cut in the middle but 16/224 higher, turned."""
    pixels, transposed = upright(shown.frame.to_ndarray(format="rgb24"), shown.frame)
    height, width = pixels.shape[:2]
    aspect = 1 / shown.aspect if transposed else shown.aspect
    shorter = size * 256 // 224
    scale = shorter / min(height, width * aspect)
    high, wide = max(size, int(height * scale)), max(size, int(width * aspect * scale))
    scaled = np.asarray(Image.fromarray(pixels).resize((wide, high), Image.Resampling.BICUBIC))
    left, top = wide // 2 - size // 2, max(0, high // 2 - size // 2 - size * 16 // 224)
    cut = scaled[top : top + size, left : left + size]
    return np.ascontiguousarray(cut[::-1, ::-1] if turned else cut)


def _clips(transcript: Transcript, end: Fraction | None, notes: list[str]) -> list[Clip]:
    """An utterance's frames as a clip; those behind the video's end have no frame."""
    rows = [u for u in transcript.utterances if end is None or u.timestamps[0] <= end]
    if behind := len(transcript.utterances) - len(rows):
        where = f"behind the video's end at {float(end or 0):.1f} seconds"
        notes.append(f"{transcript.video}: {behind} utterances lie {where}")
    return [
        Clip(u.timestamps[0], u.timestamps[-1], u.utterance, str(u.utterance_num)) for u in rows
    ]


def _end(path: Path) -> Fraction | None:
    """When the last frame is shown, if the file says so."""
    try:
        with OpenVideo(path) as video:
            return None if video.duration is None else video.duration - video.period
    except UserError:
        return None  # reading it will say why
