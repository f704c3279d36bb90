"""Films that are damaged, cut or odd: what is bad costs itself, and is counted."""

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.episodes.convert.convert import ConvertSettings, convert
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.episode import Narration
from firsthand.episodes.formats.clips import ClipSettings, clip_around, read_clips
from firsthand.episodes.formats.video_folder import VideoFolder
from firsthand.episodes.tally import Tally
from firsthand.episodes.video.decode import OpenVideo
from firsthand.episodes.video.frames import VideoSettings, read_video
from tests.helpers.films import moving, write_film

SMALL = VideoSettings(size=8)
FAST = {"muxer": {"movflags": "faststart"}, "bf": "2", "g": "30"}


def seen(path: Path, *said: Narration) -> tuple[int, Tally]:
    """How many pictures the recordings hold, and what was counted."""
    tally = Tally()
    return sum(map(len, read_video(path, SMALL, "", said, tally))), tally


def counts(tally: Tally, unit: str) -> tuple[int, int]:
    parts = {part.unit: part for part in tally.parts}
    return (parts[unit].used, parts[unit].lost_count) if unit in parts else (0, 0)


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.mark.parametrize("frame", [50, 97, 99])
def test_a_damaged_packet_costs_its_frame(frame, tmp_path):
    path = damaged(write_film(tmp_path / "a.mp4", 100, rate=10, **FAST), frame)
    length, tally = seen(path)
    assert length in (99, 100)  # the last one may be the one that is lost
    assert counts(tally, "frame") == (99, 1)
    ((unit, where, reason, _),) = tally.lost
    assert unit == "frame"
    assert where.startswith("a.mp4 at ")
    assert reason.startswith("cannot be decoded: Invalid data")
    with pytest.raises(UserError, match="cannot be decoded after"):
        list(read_video(path, SMALL))  # without a tally


def damaged(path: Path, frame: int) -> Path:
    with av.open(str(path)) as film:
        entry = film.streams.video[0].index_entries[frame]
    data = bytearray(path.read_bytes())
    data[entry.pos + 5 : entry.pos + entry.size] = b"\xff" * (entry.size - 5)
    path.write_bytes(data)
    return path


def test_a_damaged_packet_costs_no_clip(tmp_path):
    path = damaged(write_film(tmp_path / "a.mp4", 100, rate=10, **FAST), 50)
    clips, tally = [clip_around(time, 1.0, str(time)) for time in (1.0, 5.0, 8.0)], Tally()
    found = list(read_clips(path, clips, ClipSettings(size=8), tally))
    assert [(clip.instruction, len(clip)) for clip in found] == [("1.0", 4), ("5.0", 4), ("8.0", 4)]
    assert counts(tally, "clip") == (3, 0)
    assert counts(tally, "frame")[1] == 1


def test_a_cut_costs_the_clips_behind_it(tmp_path):
    path = cut(write_film(tmp_path / "a.mp4", 100, rate=10, **FAST), 0.6)
    clips, tally = [clip_around(time, 1.0, str(time)) for time in (1.0, 9.0)], Tally()
    (found,) = read_clips(path, clips, ClipSettings(size=8), tally)
    assert found.instruction == "1.0"
    assert counts(tally, "clip") == (1, 1)
    assert counts(tally, "frame")[1] > 20


def test_damaged_packets_side_by_side_are_one_loss(tmp_path):
    path = write_film(tmp_path / "a.mp4", 60, codec="mjpeg", rate=10, strict="-2")
    with av.open(str(path)) as film:
        entries = list(film.streams.video[0].index_entries)
    data = bytearray(path.read_bytes())
    for entry in (*entries[20:25], entries[40]):
        data[entry.pos : entry.pos + entry.size] = bytes(entry.size)
    path.write_bytes(data)
    _, tally = seen(path)
    lost = [(where, count) for _, where, _, count in tally.lost]
    assert lost == [("a.mp4 at 2.00 seconds", 5), ("a.mp4 at 4.00 seconds", 1)]
    assert counts(tally, "frame") == (54, 6)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4")]
)
def test_a_film_that_was_cut_is_used_as_far_as_it_goes(name, codec, tmp_path):
    options = FAST if name == "a.mp4" else {}
    path = cut(write_film(tmp_path / name, 100, codec=codec, rate=10, **options), 0.6)
    said = [Narration(1.0, 2.0, "stir"), Narration(9.0, 10.0, "pour")]
    length, tally = seen(path, *said)
    used, lost = counts(tally, "frame")
    assert 30 < used < 70
    assert abs(used + lost - 100) <= (name == "a.mkv")  # which says its length, not its frames
    assert abs(length - used) <= 1
    assert counts(tally, "sentence") == (1, 1)
    reasons = [reason for unit, _, reason, _ in tally.lost if unit == "sentence"]
    assert "behind the end of the video" in reasons[0]
    with pytest.raises(UserError, match=r"is cut short|cannot be decoded"):
        list(read_video(path, SMALL))


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_an_avi_whose_clock_ticks_faster_than_its_frames(codec, tmp_path):
    """It announces ticks: two a frame in H.264 by fields, here 50."""
    path = write_film(tmp_path / "a.avi", 100, codec=codec, rate=20, times=range(0, 5000, 50))
    with av.open(str(path)) as film:
        assert film.streams.video[0].frames == 5000
        places = [packet.pos for packet in film.demux(video=0) if packet.size]
    length, tally = seen(path)
    assert 49 <= length <= 50
    whole, lost = counts(tally, "frame")
    assert (whole >= 99, lost) == (True, 0)  # libx264 leaves its last frame without a time
    path.write_bytes(path.read_bytes()[: places[60]])
    _, tally = seen(path)
    used, lost = counts(tally, "frame")
    assert abs(used - 60) <= 1
    assert abs(used + lost - whole) <= 2
    assert "cut short" in tally.lost[-1][2]


def with_sound(path: Path, seconds: int) -> Path:
    """Two seconds of pictures, and sound that goes on."""
    with av.open(str(path), "w") as film:
        pictures = film.add_stream("libx264" if path.suffix != ".webm" else "libvpx", rate=10)
        pictures.height, pictures.width, pictures.pix_fmt = 48, 64, "yuv420p"
        sound = film.add_stream("libopus" if path.suffix == ".webm" else "aac", rate=48000)
        for index in range(20):
            picture = av.VideoFrame.from_ndarray(moving(index), format="rgb24")
            film.mux(pictures.encode(picture))
        film.mux(pictures.encode())
        for index in range(50 * seconds):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.int16), "s16", "stereo")
            frame.sample_rate, frame.pts = 48000, index * 960
            film.mux(sound.encode(frame))
        film.mux(sound.encode())
    return path


@pytest.mark.parametrize("tagged", [True, False])
@pytest.mark.parametrize("name", ["a.mkv", "a.webm"])
def test_sound_that_goes_on_is_no_sign_of_a_cut(name, tagged, tmp_path):
    path = with_sound(tmp_path / name, 6)
    if not tagged:  # as browsers and others write it
        path.write_bytes(path.read_bytes().replace(b"DURATION", b"XURATION"))
    length, tally = seen(path)
    assert length == 20
    assert counts(tally, "frame") == (20, 0)
    _, tally = seen(cut(path, 0.2))
    assert tally.lost


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.ts", "libx264"), ("a.flv", "flv1"), ("a.wmv", "wmv2"), ("a.MTS", "libx264"),
     ("a.mpg", "mpeg2video"), ("a.3gp", "mpeg4")],
)  # fmt: skip
def test_films_of_other_formats_are_read_whatever_they_are_called(name, codec, tmp_path):
    write_film(tmp_path / name, 25, codec=codec, rate=25)
    assert [item.name for item in VideoFolder(root=tmp_path).listing().items] == [name]
    renamed = (tmp_path / name).rename(tmp_path / "b.mp4")
    length, tally = seen(renamed)
    assert length == 10
    assert counts(tally, "frame") == (25, 0)


def test_a_name_with_a_colon_is_no_protocol(tmp_path, monkeypatch):
    write_film(tmp_path / "12:30.mp4", 5)
    monkeypatch.chdir(tmp_path)
    assert seen(Path("12:30.mp4"))[0] == 2


def test_sentences_in_another_unit_are_lost_and_a_single_slip_alone(tmp_path):
    path = write_film(tmp_path / "a.mp4", 20, rate=10)
    milliseconds = [
        Narration(0.0, 800.0, "a"),
        Narration(800.0, 1500.0, "b"),
        Narration(1500.0, 2000.0, "c"),
    ]
    _, tally = seen(path, *milliseconds)
    assert counts(tally, "sentence") == (0, 3)
    assert "2000.00 seconds, but it lasts 2.00: are they in milliseconds" in tally.lost[0][2]
    slip = [Narration(0.0, 0.8, "a"), Narration(0.8, 1.5, "b"), Narration(15.0, 20.0, "c")]
    _, tally = seen(path, *slip)
    assert counts(tally, "sentence") == (2, 1)
    assert tally.lost[0][1] == "a.mp4 at 15.00 to 20.00 seconds"


def test_a_pause_of_more_than_a_minute_ends_a_recording(tmp_path):
    times = [0, 100, 200, 90_000, 90_100]
    path = write_film(tmp_path / "a.mkv", 5, times=times)
    tally = Tally()
    said = [
        Narration(0.0, 0.2, "stir"),
        Narration(50.0, 51.0, "wait"),
        Narration(90.0, 90.1, "pour"),
    ]
    parts = list(read_video(path, SMALL, "", said, tally))
    assert [len(part) for part in parts] == [3, 2]
    assert [part.source["start_seconds"] for part in parts] == [0.0, 90.0]
    assert [[n.text for n in part.narrations] for part in parts] == [["stir"], ["pour"]]
    assert counts(tally, "sentence") == (2, 1)
    assert tally.lost[-1][2] == "lies where nothing is shown"


def test_the_film_is_taken_and_not_its_preview(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as film:
        streams = [film.add_stream("libx264", rate=10) for _ in range(2)]
        for stream in streams:
            stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for stream, frames in zip(streams, (2, 30), strict=True):
            for index in range(frames):
                picture = av.VideoFrame.from_ndarray(moving(index), format="rgb24")
                film.mux(stream.encode(picture))
            film.mux(stream.encode())
    length, tally = seen(path)
    assert length == 30
    assert tally.notes == {"films beside the one that is read in a file": 1}


def test_a_header_that_says_less_than_the_index_is_not_believed(tmp_path):
    path = write_film(tmp_path / "a.mp4", 100, rate=10)
    data = path.read_bytes()
    at = data.index(b"mdhd") + 20
    (scale,) = struct.unpack(">I", data[at - 4 : at])
    path.write_bytes(data[:at] + struct.pack(">I", scale) + data[at + 4 :])
    with OpenVideo(path) as video:
        assert video.duration == pytest.approx(10, abs=0.2)


def test_one_video_alone_is_learned_from_and_measured_on(tmp_path):
    (tmp_path / "root").mkdir()
    write_film(tmp_path / "root" / "a.mp4", 60, rate=10)
    folder = VideoFolder(root=tmp_path / "root", size=8, seconds=1.0)
    report = convert(folder, tmp_path / "out", ConvertSettings())
    assert report.recordings == {"train": 5, "valid": 1}
    assert "a.mp4 alone is there" in report.notes[0]
    assert len(Corpus.open(tmp_path / "out").split("valid")) == 1
    whole = VideoFolder(root=tmp_path / "root", size=8)
    report = convert(whole, tmp_path / "whole", ConvertSettings())
    assert report.recordings == {"train": 1}
    assert "a.mp4 is one recording" in report.notes[0]


def test_what_is_left_out_of_a_folder_is_mentioned_by_kind(tmp_path):
    write_film(tmp_path / "a.mp4", 5)
    for name in ("b.lrv", "c.LRV", "d.xml", "README", "e.srt"):
        (tmp_path / name).touch()
    notes = VideoFolder(root=tmp_path).listing().tally.notes
    assert notes == {"other files are not read: 2 .lrv, 1 .srt, 1 .xml, 1 without an ending": 1}


def test_where_objects_lie_in_memory_is_not_reported():
    reason = UserError("cannot identify image file <_io.BytesIO object at 0x7f12ab34cd56>")
    assert str(reason) == "cannot identify image file"
