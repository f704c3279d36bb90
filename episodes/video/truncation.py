"""What a video file announces, and how much of it is not there.

Files that were cut mostly end without an error. MP4 lists where every frame lies, AVI counts them,
Matroska says how long the film is: all of it in total, each stream of it in tags that FFmpeg and
mkvmerge write. (Sound and subtitles may go on longer than pictures.)
"""

import re
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


def announced_seconds(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """How long a stream is said to be; None if that is said of the whole file alone.

    Of an MP4 whose header says 1 second and whose index lists 30, the index is believed.
    """
    if not stream.duration or not stream.time_base:
        tagged = _tagged(stream)
        return tagged and tagged - Fraction(container.start_time or 0, av.time_base)
    stated = stream.duration * stream.time_base
    if not _is_mp4(container) or len(stream.index_entries) < 2:
        return stated
    times = [entry.timestamp for entry in stream.index_entries]
    listed = (max(times) - min(times)) * stream.time_base * len(times) / (len(times) - 1)
    return listed if listed > 2 * stated else stated


def _tagged(stream: VideoStream) -> Fraction | None:
    """When a stream of a Matroska file ends, by its tag."""
    for name, value in stream.metadata.items():
        if (name == "DURATION" or name.startswith("DURATION-")) and (m := _CLOCK.fullmatch(value)):
            return int(m[1]) * 3600 + int(m[2]) * 60 + Fraction(m[3])
    return None


def tells_by_all(container: InputContainer, stream: VideoStream) -> bool:
    """Whether only the packets of all streams tell if a file is whole."""
    alone = len(container.streams) == 1
    return _is_matroska(container) and not alone and _tagged(stream) is None


def missing_frames(
    container: InputContainer,
    stream: VideoStream,
    path: Path,
    count: int,
    end: Fraction,
    reached: Fraction,
) -> tuple[int, str]:
    """How many frames are announced and not there, and that in words.

    Args:
        count: frames that were there, from the start.
        end: when the last of them is over, by the file's clock, which may start late.
        reached: when the last packet of those that were gone through is over.
    """
    if _is_mp4(container):
        size, entries = path.stat().st_size, list(stream.index_entries)
        beyond = sum(entry.pos + entry.size > size for entry in entries)
        return beyond, f"{len(entries) - beyond} of {len(entries)} frames are there"
    if "avi" in container.format.name:
        total = _frames_of_avi(stream, count, end)
        missing = (total - count) * (count < 0.98 * total - 1)
        return missing, f"{count} of {total} frames are there"
    if not _is_matroska(container) or not count:
        return 0, ""
    tagged = _tagged(stream)
    total = Fraction(container.duration or 0, av.time_base)  # of the longest stream
    announced, there = (total, reached) if tagged is None else (tagged, end)
    words = f"{float(there):.1f} of {float(announced):.1f} seconds are there"
    if there >= Fraction(98, 100) * announced - Fraction(3, 10):
        return 0, words
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    return max(1, round((announced - there) * Fraction(rate))), words


def _frames_of_avi(stream: VideoStream, count: int, end: Fraction) -> int:
    """How many frames an AVI announces: it counts ticks of its clock, of which a frame may last
    several (H.264 by fields has two a frame; frames that were dropped leave theirs empty)."""
    ticks = round(end / stream.time_base) if stream.time_base else 0
    return round(stream.frames * count / max(ticks, count, 1))


def _is_mp4(container: InputContainer) -> bool:
    return "mov" in container.format.name


def _is_matroska(container: InputContainer) -> bool:
    return "matroska" in container.format.name
