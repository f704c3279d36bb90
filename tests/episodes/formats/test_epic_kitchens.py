"""EPIC-KITCHENS-100 in small, every row made up.

The columns and quirks are those of the released tables: empty narration_timestamp, verbs such as
put-down, lists as Python writes them, times with two or three decimals, rows sorted as text.
"""

import shutil
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import read
from firsthand.episodes.formats.epic_kitchens import EpicKitchens, seconds_of
from firsthand.episodes.tally import Tally
from tests.helpers.films import write_film


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return write_film(tmp_path_factory.mktemp("films") / "film.mp4", 300, g="60")


HEADER = (
    "narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,"
    "start_frame,stop_frame,narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes\n"
)
TRAIN = (
    "P01_01_0,P01,P01_01,00:00:01.089,00:00:00.14,00:00:03.37,8,202,open door,open,3,door,3,"
    "['door'],[3]\n"
    "P01_01_1,P01,P01_01,,00:00:04.00,00:00:04.50,240,270,put down plate,put-down,1,plate,2,"
    "['plate'],[2]\n"
    'P02_101_0,P02,P02_101,00:00:02.000,00:00:02.00,00:00:06.00,100,300,"mix flour, water",mix,5,'
    "flour,83,\"['flour', 'water']\",\"[83, 27]\"\n"
)
VALID = (
    "P01_11_0,P01,P01_11,00:00:00.560,00:00:00.00,00:00:01.89,1,113,take plate,take,0,plate,2,"
    "['plate'],[2]\n"
)


@pytest.fixture
def epic(tmp_path, film):
    (tmp_path / "EPIC_100_train.csv").write_text(HEADER + TRAIN)
    (tmp_path / "EPIC_100_validation.csv").write_text(HEADER + VALID)
    for name in ("P01_01", "P01_11"):
        (tmp_path / "P01" / "videos").mkdir(parents=True, exist_ok=True)
        shutil.copy(film, tmp_path / "P01" / "videos" / f"{name}.MP4")
    return tmp_path


def test_a_table_of_bad_rows_alone_is_there(epic):
    bad = TRAIN.replace("00:00:0", "noon and ")
    (epic / "EPIC_100_train.csv").write_text(HEADER + bad)
    (epic / "EPIC_100_validation.csv").write_text(HEADER + "P01\n")
    listing = EpicKitchens(root=epic, size=32).listing()
    assert not listing.items
    assert [part.lost_count for part in listing.tally.parts] == [3]


@pytest.mark.parametrize("wrong", ["P09", ""])
def test_a_wrong_participant_in_a_row_costs_nothing(epic, wrong):
    third = "P01_01_2,P01,P01_01,,00:00:05.00,00:00:05.50,300,330,wash cup,wash,2,cup,3,[],[]\n"
    train = TRAIN.replace("P01_01_0,P01,", f"P01_01_0,{wrong},") + third
    (epic / "EPIC_100_train.csv").write_text(HEADER + train)
    item = EpicKitchens(root=epic).listing().items[0]
    assert (item.name, item.group, len(item.detail["clips"])) == ("P01_01", "P01", 3)


def test_columns_that_are_not_needed_may_be_missing(epic):
    for name, rows in (("train", TRAIN), ("validation", VALID)):
        table = [line.split(",")[:6] for line in (HEADER + rows).splitlines()]
        words = ["narration", "open door", "put down plate", "mix flour"]
        lines = [",".join([*row, word]) for row, word in zip(table, words, strict=False)]
        (epic / f"EPIC_100_{name}.csv").write_text("\n".join(lines))
    source = EpicKitchens(root=epic, verbs=("open",))
    assert [len(item.detail["clips"]) for item in source.listing().items] == [1, 1]


def test_epic_kitchens(epic):
    source = EpicKitchens(root=epic, size=32)
    listing = source.listing()
    assert [(i.name, i.group, i.split) for i in listing.items] == [
        ("P01_01", "P01", "train"),
        ("P01_11", "P01", "valid"),
    ]
    assert listing.tally.notes == {"annotated videos are not in the folder": 1}
    assert [i.group for i in EpicKitchens(root=epic, group="video").listing().items] == [
        "P01_01",
        "P01_11",
    ]
    episodes = list(read(source))
    assert [e.instruction for e in episodes] == ["open door", "put down plate", "take plate"]
    assert [len(e) for e in episodes] == [10, 10, 10]
    starts = [e.source["start_seconds"] for e in episodes]
    assert starts == pytest.approx([0.255, 2.75, 0.0])
    assert [e.instruction for e in read(EpicKitchens(root=epic, size=32, verbs=("put",)))] == [
        "put down plate"
    ]


def test_whole_actions_of_epic_kitchens(epic):
    episodes = list(read(EpicKitchens(root=epic, size=32, whole=True, fps=10.0)))
    assert [len(e) for e in episodes] == [33, 6, 19]
    assert episodes[1].source["start_seconds"] == 4.0


def test_published_frames_of_epic_kitchens(epic):
    """frame_%010d.jpg at 60 or, in the extension, 50 a second, counted from 1."""
    folder = epic / "P02" / "rgb_frames" / "P02_101"
    folder.mkdir(parents=True)
    for number in range(1, 401):
        picture = np.full((32, 32, 3), number // 2, np.uint8)
        Image.fromarray(picture).save(folder / f"frame_{number:010d}.jpg", quality=95)
    episodes = list(read(EpicKitchens(root=epic, size=32)))
    (episode,) = [e for e in episodes if e.instruction == "mix flour, water"]
    levels = episode.frames["rgb_static"].mean((1, 2, 3))
    seconds = 2.5 + np.arange(10) / 3
    assert np.abs(levels - seconds * 50 / 2).max() < 2


@pytest.mark.parametrize(
    "place",
    ["P01/videos/P01_01.mp4", "EPIC-KITCHENS/P01/videos/P01_01.MP4", "videos/train/P01/P01_01.MP4",
     "P01/P01_01.mkv", "videos/P01_01.mov"],
)  # fmt: skip
def test_places_of_videos_of_epic_kitchens(tmp_path, place):
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).touch()
    (tmp_path / "EPIC_100_train.csv").write_text(HEADER + TRAIN)
    listing = EpicKitchens(root=tmp_path).listing()
    assert [item.detail["path"] for item in listing.items] == [place]


def test_a_bad_frame_or_row_costs_itself(epic):
    folder = epic / "P02" / "rgb_frames" / "P02_101"
    folder.mkdir(parents=True)
    for number in range(1, 401):
        picture = np.full((32, 32, 3), number // 2, np.uint8)
        Image.fromarray(picture).save(folder / f"frame_{number:010d}.jpg")
    source = EpicKitchens(root=epic, size=32)
    bad = "P02_101_1,P02,P02_101,,noon,00:00:07.00,x,350,wash cup,wash,2,cup,9,['cup'],[9]\n"
    bad += "P02_101_2,P02,P02_101\n"
    stray = TRAIN.splitlines(keepends=True)[0].replace("open door", '"open door')
    (epic / "EPIC_100_train.csv").write_text(HEADER + stray + TRAIN + bad)
    (folder / "frame_0000000126.jpg").write_bytes(b"")  # the first that is shown
    listing, tally = source.listing(), Tally()
    assert listing.tally.parts[0].lost == (
        ("EPIC_100_train.csv: line 2", "begins a cell with a quote that it does not end", 1),
        ("EPIC_100_train.csv: line 7", "has 3 fields, the first line has 15", 1),
        ("P02_101: P02_101_1", "'noon' is no time of the form HH:mm:ss.SSS", 1),
    )
    (item,) = [item for item in listing.items if item.name == "P02_101"]
    (episode,) = source.read(item, tally)
    assert len(episode) == 10
    data = episode.frames["rgb_static"].data
    assert data[0] == data[1] != data[2]
    clips, pictures = tally.parts
    assert (clips.used, clips.lost) == (1, ())
    assert (pictures.used, pictures.lost_count) == (9, 1)
    assert pictures.lost[0][:2] == (
        "P02/rgb_frames/P02_101/frame_0000000126.jpg",
        "is no JPEG or PNG picture",
    )
    (folder / "frame_0000000126.jpg").unlink()
    (folder / "frame_0000000126.jpg").symlink_to(__file__)
    again = Tally()
    assert len(next(source.read(item, again))) == 10
    assert again.lost[0][2].startswith(f"is a link to {__file__}, outside {epic}")


def test_times_of_epic_kitchens():
    assert seconds_of("00:00:00.560") == 0.56
    assert seconds_of("01:02:03.45") == 3723.45
    for bad in ("", "12.5", "00:61:00.0", "nan", "9" * 5000 + ":00:00", "²:00:00"):
        with pytest.raises(UserError, match="is no time of the form HH:mm:ss.SSS"):
            seconds_of(bad)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_any_time_of_epic_kitchens(hours, minutes, seconds, thousandths):
    clock = f"{hours:02}:{minutes:02}:{seconds:02}.{thousandths:03}"
    expected = hours * 3600 + minutes * 60 + seconds + thousandths / 1000
    assert seconds_of(clock) == pytest.approx(expected, abs=1e-9)


@given(st.text(st.sampled_from("0123456789:.- e+"), max_size=12))
def test_what_is_no_time_is_refused(clock):
    with suppress(UserError):  # and nothing else
        assert seconds_of(clock) >= 0


def test_epic_kitchens_that_contradicts_itself(epic):
    train = TRAIN.replace("00:00:03.37", "00:00:00.07").replace("P02", "../P02")
    (epic / "EPIC_100_train.csv").write_text(HEADER + train)
    listing = EpicKitchens(root=epic).listing()
    assert [item.name for item in listing.items] == ["P01_01", "P01_11"]
    (parts,) = listing.tally.parts
    assert parts.unit == "clip"
    assert parts.lost == (("P01_01: P01_01_0", "stops at 0.07 seconds and starts at 0.14", 1),)
    assert "does not name a file inside" in dict(listing.lost)["../P02_101"]
    (epic / "EPIC_100_train.csv").write_text(HEADER + TRAIN + VALID)
    listing = EpicKitchens(root=epic).listing()
    assert [item.name for item in listing.items] == ["P01_01"]
    reason = "is in EPIC_100_train.csv and in EPIC_100_validation.csv"
    assert listing.lost == (("P01_11", reason),)
    (epic / "EPIC_100_train.csv").write_text("narration_id,narration\n")
    listing = EpicKitchens(root=epic).listing()
    assert [item.name for item in listing.items] == ["P01_11"]
    assert "lacks the column 'participant_id'" in dict(listing.lost)["EPIC_100_train.csv"]
    (epic / "EPIC_100_validation.csv").unlink()
    with pytest.raises(UserError, match="lacks the column 'participant_id'"):
        EpicKitchens(root=epic).listing()
    (epic / "EPIC_100_train.csv").unlink()
    with pytest.raises(UserError, match=r"holds neither EPIC_100_train\.csv nor EPIC_100_val"):
        EpicKitchens(root=epic).listing()
