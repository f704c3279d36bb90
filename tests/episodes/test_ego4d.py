"""Ego4D in small: its documented fields, texts like those in use, every row made up."""

import json
import pickle
import shutil

import pytest

from episodes.ego4d import Ego4D
from episodes.errors import UserError
from episodes.source import Source, read
from tests.episodes.films import write_film

FIRST, SECOND = "001e3e4e-2743-47fc-8564-d5efd11f9e90", "002c3b5c-ed86-4af3-99a1-4b497b7c8a86"


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return write_film(tmp_path_factory.mktemp("films") / "film.mp4", 300, g="60")


def narrated(*texts):
    """A pass of narrations, a second apart."""
    return {
        "narrations": [
            {
                "timestamp_sec": 2.0 + time + 0.0345,
                "timestamp_frame": 61 + 30 * time,
                "_unmapped_timestamp_sec": 2.0 + time + 0.0345,
                "narration_text": text,
                "annotation_uid": "adafcf2c-0000-4e41-8e1c-3ac2ee4d2e6b",
            }
            for time, text in enumerate(texts)
        ],
        "summaries": [
            {
                "start_sec": 0.0,
                "end_sec": 9.0,
                "summary_text": "#Summary C was in the kitchen. ",
                "annotation_uid": "adafcf2c-0000-4e41-8e1c-3ac2ee4d2e6b",
            }
        ],
    }


@pytest.fixture
def ego4d(tmp_path, film):
    (tmp_path / "v2" / "annotations").mkdir(parents=True)
    (tmp_path / "v2" / "full_scale").mkdir()
    for uid in (FIRST, SECOND):
        shutil.copy(film, tmp_path / "v2" / "full_scale" / f"{uid}.mp4")
    said = {
        FIRST: {
            "narration_pass_1": narrated(
                "#C C stirs the pan.", "#O A man X walks", "#C C opens a lid"
            ),
            "narration_pass_2": narrated("#C C stirs the pan ", "#C C takes a #unsure", "#unsure"),
            "status": "complete",
        },
        SECOND: {
            "narration_pass_1": narrated("#c c  Picks a cup with both hands"),
            "status": "complete",
        },
        "not-downloaded": {"narration_pass_1": narrated("#C C sits"), "status": "complete"},
        "never-narrated": {"status": "redacted"},
    }
    (tmp_path / "v2" / "annotations" / "narration.json").write_text(json.dumps(said))
    videos = [
        {
            "video_uid": uid,
            "duration_sec": 10.0,
            "scenarios": ["Cooking"],
            "video_metadata": {"fps": 30.0, "num_frames": 300, "video_codec": "h264"},
            "split_em": "val" if uid == FIRST else None,
            "split_av": None,
            "split_fho": "multi" if uid == FIRST else "test",
        }
        for uid in (FIRST, SECOND)
    ]
    manifest = {"date": "220905", "version": "v2", "description": "", "videos": videos, "clips": []}
    (tmp_path / "ego4d.json").write_text(json.dumps(manifest))
    return tmp_path


def texts(source):
    return {
        item.name: [clip[2] for clip in item.detail["clips"]] for item in source.listing().items
    }


def test_ego4d(ego4d):
    source = Ego4D(root=ego4d, size=32)
    assert isinstance(source, Source)
    assert pickle.loads(pickle.dumps(source)) == source
    listing = source.listing()
    assert [item.name for item in listing.items] == [FIRST, SECOND]
    assert [item.group for item in listing.items] == [FIRST, SECOND]
    assert {item.split for item in listing.items} == {""}
    assert json.loads(json.dumps(listing.items[0].detail)) == listing.items[0].detail
    assert texts(source) == {
        FIRST: ["stirs the pan", "opens a lid"],
        SECOND: ["Picks a cup with both hands"],
    }
    assert not listing.lost
    assert listing.notes == (
        "2 of 4 narrated videos are not in the folder",
        "3 of 7 narrations do not pass the filter",
        "1 narrations repeat another within 1 seconds",
    )
    episodes = list(read(source))
    assert [e.instruction for e in episodes] == sum(texts(source).values(), [])
    assert {len(e) for e in episodes} == {10}
    first = episodes[0].source
    assert (first["origin"], first["item"]) == ("ego4d", FIRST)
    assert first["start_seconds"] == pytest.approx(0.5345)
    assert first["clip"] == "adafcf2c-0000-4e41-8e1c-3ac2ee4d2e6b@2.034"


def test_ego4d_filters(ego4d):
    assert texts(Ego4D(root=ego4d, hands="both")) == {SECOND: ["Picks a cup with both hands"]}
    assert texts(Ego4D(root=ego4d, verbs=("open", "walk"))) == {FIRST: ["opens a lid"]}
    everything = Ego4D(root=ego4d, others=True, unsure=True, apart=0.0)
    assert texts(everything)[FIRST] == [
        "stirs the pan",
        "stirs the pan",
        "A man walks",
        "takes a something",
        "opens a lid",
    ]
    with pytest.raises(UserError, match="fewest_words"):
        Ego4D(root=ego4d, fewest_words=3, most_words=1)


def test_ego4d_official_splits(ego4d):
    splits = {i.name: i.split for i in Ego4D(root=ego4d, benchmark="em").listing().items}
    assert splits == {FIRST: "valid", SECOND: "train"}
    listing = Ego4D(root=ego4d, benchmark="fho").listing()
    assert {item.name: item.split for item in listing.items} == {SECOND: "test"}
    assert "1 videos are in several splits of fho" in listing.notes


def test_ego4d_in_its_first_release_and_in_folders_of_ones_own(ego4d):
    path = ego4d / "v2" / "annotations" / "narration.json"
    content = {"version": "v1", "videos": json.loads(path.read_text())}
    path.unlink()
    (ego4d / "narration.json").write_text(json.dumps(content))
    (ego4d / "v2" / "full_scale").rename(ego4d / "small")
    assert [item.name for item in Ego4D(root=ego4d, videos="small").listing().items] == [
        FIRST,
        SECOND,
    ]
    with pytest.raises(UserError, match=r"holds no video UID\.mp4"):
        Ego4D(root=ego4d).listing()
    (ego4d / "narration.json").unlink()
    with pytest.raises(UserError, match=r"holds no narration\.json of Ego4D"):
        Ego4D(root=ego4d).listing()


def test_ego4d_that_contradicts_itself(ego4d):
    path = ego4d / "v2" / "annotations" / "narration.json"
    said = json.loads(path.read_text())
    said[FIRST]["narration_pass_1"]["narrations"][2]["timestamp_sec"] = 400.0
    said[SECOND]["narration_pass_1"]["narrations"][0]["narration_text"] = None
    said["../../secret"] = said[SECOND]
    path.write_text(json.dumps(said))
    lost = dict(Ego4D(root=ego4d).listing().lost)
    assert lost[FIRST] == "a narration is at 400.0 seconds, but the video lasts 10.0"
    assert "narration_pass_1 holds a narration without text or time" in lost[SECOND]
    assert "does not name a file inside this folder" in lost["../../secret"]
