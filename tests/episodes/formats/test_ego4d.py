"""Ego4D in small: its documented fields, texts like those in use, every row made up."""

import json
import pickle
import shutil

import pytest

from firsthand.common.errors import UserError
from firsthand.episodes.convert.convert import convert
from firsthand.episodes.convert.source import Source, read
from firsthand.episodes.formats.ego4d import Ego4D
from firsthand.episodes.tally import Tally
from tests.helpers.films import write_film

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
    assert listing.tally.notes == {
        "narrated videos are not in v2/full_scale/": 2,
        "narrations do not pass the filter": 3,
        "narrations repeat another within 1 seconds": 1,
    }
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
    assert listing.tally.notes["videos are in several splits of fho"] == 1


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


def test_a_bad_narration_costs_itself(ego4d):
    path = ego4d / "v2" / "annotations" / "narration.json"
    said = json.loads(path.read_text())
    told = said[FIRST]["narration_pass_1"]["narrations"]
    told[2]["timestamp_sec"] = -0.2
    far = {"timestamp_sec": 400.0, "narration_text": "#C C walks", "annotation_uid": "far"}
    told += [far, {**far, "narration_text": None}, {**far, "timestamp_sec": None}, "nothing"]
    told += [{**far, "timestamp_sec": 5.0, "narration_text": f"#C C turns {c}"} for c in "\0\ud83d"]
    said["../../secret"] = said[SECOND]
    path.write_text(json.dumps(said))
    source = Ego4D(root=ego4d, size=32)
    listing = source.listing()
    assert list(dict(listing.lost)) == ["../../secret"]
    lost = listing.tally.parts[0].lost
    assert [where for where, _, _ in lost] == [FIRST] * 5
    assert "holds a character that is not text" in lost[-1][1]
    assert "a narration has no text or time: {'timestamp_sec': 400.0" in lost[0][1]
    assert listing.tally.notes["narrations do not pass the filter"] == 3
    tally = Tally()
    episodes = list(source.read(listing.items[0], tally))
    assert [e.instruction for e in episodes] == ["opens a lid", "stirs the pan"]
    (parts,) = tally.parts
    assert (parts.unit, parts.used, parts.lost_count) == ("clip", 2, 1)
    assert parts.lost[0][0] == f"{FIRST}: far@400.000"


@pytest.mark.parametrize("bad", [None, [], "redacted", 3])
def test_what_is_no_table_of_a_video_loses_that_video(ego4d, bad):
    path = ego4d / "v2" / "annotations" / "narration.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {SECOND: bad, "elsewhere": bad}))
    listing = Ego4D(root=ego4d).listing()
    assert [item.name for item in listing.items] == [FIRST]
    assert listing.lost == ((SECOND, f"its narrations are no table: {bad!r}"),)
    path.write_text(json.dumps({FIRST: bad, SECOND: bad}))
    with pytest.raises(UserError, match="must map videos to their narrations"):
        Ego4D(root=ego4d).listing()


@pytest.mark.parametrize("bad", [{"narrations": None}, {"narrations": "x"}, "redacted", 3])
def test_a_pass_that_is_no_table_costs_itself(ego4d, bad):
    path = ego4d / "v2" / "annotations" / "narration.json"
    said = json.loads(path.read_text())
    said[FIRST]["narration_pass_2"] = bad
    path.write_text(json.dumps(said))
    listing = Ego4D(root=ego4d).listing()
    assert texts(Ego4D(root=ego4d))[FIRST] == ["stirs the pan", "opens a lid"]
    parts, _ = listing.tally.parts
    assert parts.lost == ((f"{FIRST}: narration_pass_2", f"has no list of narrations: {bad!r}", 1),)


@pytest.mark.parametrize("benchmark", ["none", "em"])
@pytest.mark.parametrize("bad", [None, [], "x"])
def test_a_video_of_the_manifest_that_is_no_table_costs_itself(ego4d, bad, benchmark):
    path = ego4d / "ego4d.json"
    content = json.loads(path.read_text())
    content["videos"].insert(1, bad)
    path.write_text(json.dumps(content))
    listing = Ego4D(root=ego4d, benchmark=benchmark).listing()
    assert [item.name for item in listing.items] == [FIRST, SECOND]
    (parts,) = listing.tally.parts
    assert (parts.unit, parts.used) == ("row", 2)
    assert parts.lost == (("ego4d.json, video 2", f"is no table: {bad!r}", 1),)


@pytest.mark.parametrize("content", ["", "[]", '{"videos": 3}'])
def test_a_damaged_manifest_costs_nothing_unless_it_is_needed(ego4d, content):
    (ego4d / "ego4d.json").write_text(content)
    listing = Ego4D(root=ego4d).listing()
    assert [item.name for item in listing.items] == [FIRST, SECOND]
    (note,) = (note for note in listing.tally.notes if note.startswith("ego4d.json"))
    assert note.startswith("ego4d.json, which is not needed, cannot be read: ")
    with pytest.raises(UserError, match=r"ego4d.json: (is no readable JSON|has no list)"):
        Ego4D(root=ego4d, benchmark="em").listing()


def test_a_name_that_comes_twice_costs_its_video_or_narration(ego4d):
    path = ego4d / "v2" / "annotations" / "narration.json"
    said = path.read_text()
    path.write_text(said.replace("narration_text", "timestamp_sec", 1))
    listing = Ego4D(root=ego4d).listing()
    assert [len(item.detail["clips"]) for item in listing.items] == [2, 1]
    (lost,) = listing.tally.parts[0].lost
    assert lost[0] == FIRST
    path.write_text(said[:-1] + f', "{FIRST}": {{}}}}')
    listing = Ego4D(root=ego4d).listing()
    assert [item.name for item in listing.items] == [SECOND]
    ((name, reason),) = listing.lost
    assert name == FIRST
    assert reason.endswith(f"{FIRST!r} is named twice in one table")


def test_the_redacted_narrations_of_the_second_release(ego4d):
    (ego4d / "v2" / "annotations" / "narration.json").unlink()
    entries = [
        {"time": 2.0, "text": "#C C holds sticks.", "is_summary": False, "_annotation_uid": "u"},
        {"time": 5.0, "text": "#C C cooks", "is_summary": True, "_annotation_uid": "v"},
    ]
    said = {"videos": {FIRST: {"narrations": entries, "summaries": []}}}
    path = ego4d / "v2" / "annotations" / "all_narrations_redacted.json"
    path.write_text(json.dumps(said))
    assert texts(Ego4D(root=ego4d)) == {FIRST: ["holds sticks"]}
    assert Ego4D(root=ego4d).listing().items[0].detail["clips"][0][3] == "u@2.000"


def test_an_empty_conversion_says_why(ego4d, tmp_path):
    said = {uid: {"pass": []} for uid in (FIRST, SECOND)}
    (ego4d / "v2" / "annotations" / "narration.json").write_text(json.dumps(said))
    with pytest.raises(UserError, match=r"could be used; videos have no narration to use \(2 t"):
        convert(Ego4D(root=ego4d), tmp_path / "out")
