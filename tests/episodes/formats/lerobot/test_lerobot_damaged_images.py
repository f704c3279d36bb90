"""LeRobot datasets as people have them: damaged pictures and videos cost their frames alone."""

import io
import shutil
from fractions import Fraction

import pytest

pytest.importorskip("pyarrow")
import av
import pyarrow
from PIL import Image

from firsthand.common.errors import UserError
from firsthand.episodes.formats.lerobot.images import decoded
from tests.helpers.films import write_film
from tests.helpers.lerobot_damage import (
    FILM,
    FRAMES,
    FRONT,
    STREAMS,
    WRIST,
    data,
    edit_info,
    edit_rows,
    losses,
    report_of,
)


def png(mode, size=(20, 16)):
    buffer = io.BytesIO()
    Image.new(mode, size, 3).save(buffer, "PNG")
    return buffer.getvalue()


def edit_pictures(path, change):
    def edit(columns):
        cells = columns[WRIST].to_pylist()
        columns[WRIST] = pyarrow.array(change(cells), columns[WRIST].type)

    edit_rows(path, edit)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ({"bytes": b"x"}, "is neither PNG nor JPEG"),
        ({"bytes": png("RGB")[:-30]}, "is no readable picture"),
        ({"bytes": None}, "is not in the parquet file"),
        (None, "is not in the parquet file"),
        ({"bytes": png("RGB", (9, 9))}, "is (9, 9, 3), others are (16, 20, 3)"),
    ],
)
def test_a_picture_that_is_damaged_costs_its_frame(v21, cell, reason):
    edit_pictures(data(v21), lambda cells: [*cells[:3], cell, *cells[4:]])
    report = report_of(v21)
    assert not report.lost
    assert dict(report.recordings) == {"train": 4}
    (frames,) = [part for part in report.parts if part.unit == "frame"]
    ((where, why, count),) = frames.lost
    assert (frames.used, where, count) == (FRAMES - 1, "episode_000001: frame 3", 1)
    assert why.startswith(f"{WRIST} {reason}")
    assert "0x" not in why


@pytest.mark.parametrize("place", [0, 3])
@pytest.mark.parametrize("odd", [png("I;16", (20, 16)), png("RGB", (9, 9))])
def test_one_odd_picture_costs_its_frame_wherever_it_is(v21, place, odd):
    def change(cells):
        return [cell if k != place else {"bytes": odd} for k, cell in enumerate(cells)]

    edit_pictures(data(v21), change)
    counts, where = losses(report_of(v21))
    assert counts["frame"] == (FRAMES - 1, 1)
    assert counts["signal"] == (STREAMS, 0)
    assert where == [f"episode_000001: frame {place}"]


def test_a_camera_without_most_of_its_pictures_costs_itself(v21):
    edit_pictures(data(v21), lambda cells: [*cells[:3], *[{"bytes": b"x"}] * 9])
    report = report_of(v21)
    assert losses(report)[1] == [f"episode_000001: {WRIST}"]
    (v21 / FILM).write_bytes(b"no video")
    report = report_of(v21)
    assert [name for name, _ in report.lost] == ["episode_000001"]  # no picture is left
    edit_pictures(data(v21), lambda cells: [{"bytes": png("RGB")}] * 12)
    assert losses(report_of(v21))[1] == [f"episode_000001: {FRONT}"]


def test_cameras_of_distances_are_left_out(v21):
    for path in (v21 / "data").glob("*/*.parquet"):
        edit_pictures(path, lambda cells: [{"bytes": png("I;16")} for _ in cells])
    report = report_of(v21)
    assert losses(report)[1] == []
    note = f"{WRIST} has pixels of the kind I;16, which are no colours; it is not read (3 times)"
    assert note in report.notes
    with pytest.raises(UserError, match="none of the 3 items can be used: .* the kind I;16"):
        report_of(v21, cameras=(WRIST,))


@pytest.mark.parametrize("place", ["info", "video_info"])
def test_cameras_that_are_said_to_show_distances_are_left_out(v21, place):
    about = {"dtype": "video", "shape": [48, 64, 3], place: {"video.is_depth_map": True}}
    edit_info(v21, lambda info: info["features"].update({FRONT: about}))
    report = report_of(v21)
    assert f"cameras of distances are not read: {FRONT}" in report.notes
    assert losses(report)[0]["signal"] == (STREAMS - 3, 0)


def test_a_video_that_is_over_too_early_costs_the_frames_behind(v21):
    shutil.copy(v21 / FILM.replace("01.mp4", "00.mp4"), v21 / FILM)  # 9 of 12 pictures
    report = report_of(v21)
    assert losses(report)[0]["frame"] == (FRAMES - 3, 3)
    assert losses(report)[1] == ["episode_000001: frames 9 to 11"]


@pytest.mark.parametrize(("rate", "count"), [(10, 10), (10, 9), (10, 5)])
def test_pictures_behind_the_end_of_a_video_are_missing(tmp_path, rate, count):
    film = write_film(tmp_path / "film.mp4", count, rate=rate)
    times = [Fraction(k, 10) for k in range(10)]
    seen = list(decoded(film, times, Fraction(1, 10)))
    assert [isinstance(picture, str) for picture in seen] == [k >= count for k in range(10)]


@pytest.mark.parametrize("rate", [8, 12])
def test_pictures_of_other_times_are_refused(tmp_path, rate):
    film = write_film(tmp_path / "film.mp4", 20, rate=rate)
    with pytest.raises(UserError, match=r"has no picture at .* the nearest is at"):
        list(decoded(film, [Fraction(k, 10) for k in range(20)], Fraction(1, 10)))


def test_a_damaged_packet_of_a_video_costs_its_frame(tmp_path):
    path = write_film(tmp_path / "film.mp4", 30, rate=10, bf="0", g="5")
    with av.open(str(path)) as film:
        entry = film.streams.video[0].index_entries[14]  # the last before a keyframe
    content = bytearray(path.read_bytes())
    content[entry.pos + 5 : entry.pos + entry.size] = b"\xff" * (entry.size - 5)
    path.write_bytes(content)
    seen = list(decoded(path, [Fraction(k, 10) for k in range(30)], Fraction(1, 10)))
    assert [k for k, picture in enumerate(seen) if isinstance(picture, str)] == [14]
    assert "has no picture at 1.400 s: cannot be decoded" in seen[14]
