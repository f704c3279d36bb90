"""SAYCam as it is recorded: videos and their transcripts (see `saycam.transcripts`).

Frames are prepared as CVCL's official extraction does (multimodal-baby, `_extract_frame`), except
that they are those nearest to their time and scaled without aliasing.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import Item, Listing
from firsthand.episodes.formats.clips import (
    Clip,
    ClipSettings,
    clips_of,
    cut_clips,
    item_of_clips,
    opened,
)
from firsthand.episodes.formats.dataset_folder import Rooted, is_hidden
from firsthand.episodes.formats.saycam.transcripts import FPS, SPEAKERS, Transcript, read_transcript
from firsthand.episodes.formats.saycam.utterances import (
    Utterance,
    make_vocabulary,
    shuffle_texts,
    split_utterances,
    write_utterances,
    write_vocabulary,
)
from firsthand.episodes.jpeg import QUALITY, EncodedEpisode, encode_jpeg
from firsthand.episodes.tally import Tally
from firsthand.episodes.video.decode import OpenVideo, TimedFrame
from firsthand.episodes.video.frames import upright
from firsthand.episodes.video.seek import frames_at

_ENDINGS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mts", ".m2ts", ".ts")  # any case


@dataclass(frozen=True, kw_only=True)
class SaycamVideos(Rooted):
    """A video with its transcript is an item and a group, every utterance a recording."""

    transcripts: str = "transcripts"
    """Folder of the files VIDEO.csv, from `root`."""
    videos: str = "videos"
    """Folder of the files VIDEO.mp4 (or mov, avi, mkv, …), from `root`."""
    speakers: tuple[str, ...] = SPEAKERS
    """Whose lines count, as the column Speaker calls them; CVCL's list."""
    size: int = 224
    """Edge of the square images, in pixels."""
    turned: bool = True
    """Whether the camera was worn upside down, as SAYCam's: images are turned by 180 degrees."""
    quality: int = QUALITY
    """Of the JPEG images, 1 to 100."""

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
        items, lost, tally = [], [], Tally()
        for name in self._transcripts():
            try:
                path = self.inside(name)
                transcript = read_transcript(path, tally, self.speakers)
                self._note_others(transcript, tally)
                video = self._video(transcript.video)
                clips = _clips(transcript, _end(video), tally)
                group, settings = transcript.video, self._settings()
                items.append(item_of_clips(video, self.root, clips, settings, group, ""))
            except UserError as error:
                lost.append((name.name, str(error).removeprefix(f"{self.root / name}: ")))
        return Listing(tuple(items), tuple(lost), tally=tally)

    def _note_others(self, transcript: Transcript, tally: Tally) -> None:
        """Whose lines are left out.

        Raises:
            UserError: all lines are, because nobody is on the list, or none has a text and a time.
        """
        if transcript.utterances:
            for name, count in transcript.others.items():
                tally.note(f"lines of {name!r:.40} are left out, who is not in speakers", count)
        elif transcript.others:
            names = ", ".join(f"{name!r:.40}" for name in transcript.others)
            raise UserError(
                f"none of those who speak is in speakers={list(self.speakers)}, but {names:.200}"
            )
        else:
            raise UserError("holds no utterance to use: no line has a text and a time")

    def read(self, item: Item, tally: Tally) -> Iterator[EncodedEpisode]:
        settings = self._settings()
        with opened(self.inside(item.detail["path"]), tally) as video:

            def images(times: Sequence[Fraction]) -> Iterator[bytes | None]:
                for frame in frames_at(video, times):
                    pixels = frame and child_view(frame, self.size, self.turned)
                    yield None if pixels is None else encode_jpeg(pixels, self.quality)

            yield from cut_clips(
                clips_of(item), settings, images, None, tally, item.name, "utterance"
            )

    def utterances(self) -> Iterator[tuple[Item, list[Utterance]]]:
        """What is said in every item."""
        for item in self.listing().items:
            path = self.inside(Path(self.transcripts, f"{item.name}.csv"))
            yield item, list(read_transcript(path, Tally(), self.speakers).utterances)

    def _transcripts(self) -> list[Path]:
        names = self._files(self.transcripts, (".csv",))
        if not names:
            raise UserError(f"{self.inside(self.transcripts)}: holds no transcript VIDEO.csv")
        return names

    def _video(self, name: str) -> Path:
        found = [path for path in self._files(self.videos, _ENDINGS) if path.stem == name]
        if not found:
            raise UserError(f"its video is not in {self.videos}/ ({', '.join(_ENDINGS)})")
        return self.inside(min(found, key=lambda path: _ENDINGS.index(path.suffix.lower())))

    def _files(self, name: str, endings: tuple[str, ...]) -> list[Path]:
        """The files in a folder that end so, from `root`, but for those that systems leave."""
        folder = self.inside(name)
        names = sorted(os.listdir(folder)) if folder.is_dir() else []
        matching = [n for n in names if n.lower().endswith(endings) and not is_hidden(n)]
        return [Path(name, one) for one in matching]


def extract_frames(
    source: SaycamVideos, out: Path, seed: int = 0, by: Literal["video", "utterance"] = "video"
) -> dict[str, int]:
    """Write a corpus as CVCL's code reads it: train_5fps, train, val and test.json, vocab.json.

    `train_shuffled.json` is the control with permuted sentences. Utterances without any frame are
    left out, and what is damaged is named. The JSON files are written last. Returns the number of
    utterances in every split.

    Args:
        by: what splits keep whole; CVCL's own keep utterances.

    Raises:
        UserError: a video cannot be used.
    """
    (out / "train_5fps").mkdir(parents=True, exist_ok=True)
    rows = []
    for item, utterances in source.utterances():
        row_of, tally = {str(row.utterance_num): row for row in utterances}, Tally()
        for episode in source.read(item, tally):
            row = row_of[episode.source["clip"]]
            images = episode.frames["rgb_static"].data
            names = row.frame_filenames[: len(images)]
            for name, image in zip(names, images, strict=True):
                (out / "train_5fps" / name).write_bytes(image)
            rows.append(replace(row, frame_filenames=names))
        for _, where, reason, _ in tally.lost:
            print(f"{where}: {reason}", flush=True)
    divided = split_utterances(rows, seed, by)
    write_vocabulary(out / "vocab.json", make_vocabulary(r.utterance for r in divided["train"]))
    write_utterances(out / "train_shuffled.json", shuffle_texts(divided["train"], seed))
    for split, part in divided.items():
        write_utterances(out / f"{split}.json", part)
    return {split: len(part) for split, part in divided.items()}


def child_view(frame: TimedFrame, size: int, turned: bool) -> UInt8[np.ndarray, "size size 3"]:
    """The shorter side scaled to 256/224 of `size`, cut in the middle but 16/224 higher, turned."""
    pixels, transposed = upright(frame.frame.to_ndarray(format="rgb24"), frame.frame)
    height, width = pixels.shape[:2]
    aspect = 1 / frame.aspect if transposed else frame.aspect
    shorter = size * 256 // 224
    scale = shorter / min(height, width * aspect)
    high, wide = max(size, int(height * scale)), max(size, int(width * aspect * scale))
    scaled = np.asarray(Image.fromarray(pixels).resize((wide, high), Image.Resampling.BICUBIC))
    left, top = wide // 2 - size // 2, max(0, high // 2 - size // 2 - size * 16 // 224)
    cut = scaled[top : top + size, left : left + size]
    return np.ascontiguousarray(cut[::-1, ::-1] if turned else cut)


def _clips(transcript: Transcript, end: Fraction | None, tally: Tally) -> list[Clip]:
    """An utterance's frames as a clip; those behind the video's end have no frame."""
    clips = []
    for utterance in transcript.utterances:
        first, last = utterance.timestamps[0], utterance.timestamps[-1]
        number = str(utterance.utterance_num)
        if end is not None and first > end:
            reason = f"at {first:g} s lies behind the video's end at {float(end):.1f} s"
            tally.lose("utterance", f"{transcript.video}: utterance {number}", reason)
        else:
            clips.append(Clip(first, last, utterance.utterance, number))
    if not clips:
        raise UserError(f"all utterances lie behind the video's end at {float(end or 0):.1f} s")
    return clips


def _end(path: Path) -> Fraction | None:
    """When the last frame is shown, if the file says so."""
    try:
        with OpenVideo(path) as video:
            return None if video.duration is None else video.duration - video.period
    except UserError:
        return None  # reading it will say why
