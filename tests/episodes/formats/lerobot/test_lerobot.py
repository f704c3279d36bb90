"""Datasets of LeRobot.

The official code wrote tests/data/lerobot_v21 (lerobot 0.3.3) and tests/data/lerobot_v30 (lerobot
0.4.4, with files of 5.8 kB at most so that episodes share one and fill two) with its default codec,
AV1 through SVT-AV1, and one camera as PNG in the parquet files; what was recorded is in
lerobot_recordings.py. Only the left-over PNG files of version 2.1 were removed. What 0.4.4's own
converter makes of the 2.1 dataset (all episodes in one group of rows) was read the same, by hand.
"""

import json
import pickle
import re
import shutil

import numpy as np
import pytest

pytest.importorskip("pyarrow")
import pyarrow
from pyarrow import parquet

from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import Source, read
from firsthand.episodes.episode import Narration
from firsthand.episodes.formats.lerobot.layout import ACTION_NAMES, STATE_NAMES
from firsthand.episodes.formats.lerobot.reader import LeRobot
from firsthand.episodes.formats.lerobot.values import _load_group
from firsthand.episodes.tally import Tally
from tests.helpers.lerobot_recordings import LENGTHS, numbers, pictures, psnr

FRONT, WRIST = "observation.images.front", "observation.images.wrist"
AV1_PSNR, PNG_PSNR = 33, 45  # dB; the first is LeRobot's loss (crf 30), the second our JPEG's


@pytest.fixture(params=["lerobot_v21", "lerobot_v30"])
def root(request, project, tmp_path):
    shutil.copytree(project / "tests" / "data" / request.param, tmp_path / "data")
    return tmp_path / "data"


def edit_info(root, **changes):
    path = root / "meta" / "info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_column(path, name, values):
    table = parquet.read_table(path)
    index = table.column_names.index(name)
    parquet.write_table(table.set_column(index, name, values), path)


def only_reason(root, name="episode_000001", **settings):
    """Why an episode cannot be used, while the others can."""
    source = LeRobot(root=root, **settings)
    listing = source.listing()
    reasons = dict(listing.lost)
    for item in listing.items:
        try:
            list(source.read(item, Tally()))
        except UserError as error:
            reasons[item.name] = str(error)
    assert list(reasons) == [name]
    return reasons[name]


def test_episodes_are_what_was_recorded(root):
    source = LeRobot(root=root)
    assert isinstance(source, Source)
    recordings = list(read(pickle.loads(pickle.dumps(source))))
    assert [len(e) for e in recordings] == list(LENGTHS)
    for index, episode in enumerate(recordings):
        assert episode.fps == 10
        assert psnr(episode.frames["front"], pictures(index, 48, 64)) > AV1_PSNR
        assert psnr(episode.frames["wrist"], pictures(index, 16, 20)) > PNG_PSNR
        assert episode.state is None
        assert episode.actions is None
        last = LENGTHS[index] - 1
        expected = {
            "observation.state": numbers(index, 14),
            "action": numbers(index, 14, ahead=1),
            "next.reward": np.arange(last + 1, dtype=np.float32),
            "next.done": np.arange(last + 1) == last,
        }
        assert set(episode.signals) == set(expected)
        for name, values in expected.items():
            assert episode.signals[name].dtype == values.dtype
            np.testing.assert_array_equal(episode.signals[name], values)
    assert [e.instruction for e in recordings] == ["lift the cube", "", "lift the cube"]
    assert [e.narrations for e in recordings] == [
        (),
        (Narration(0.0, 0.5, "open the drawer"), Narration(0.5, 1.2, "close the drawer")),
        (),
    ]


def test_the_listing_says_what_is_not_ours(root):
    listing = LeRobot(root=root).listing()
    assert not listing.lost
    assert [i.name for i in listing.items] == [f"episode_00000{n}" for n in range(3)]
    assert {i.split for i in listing.items} == {""}
    assert listing.notes == (
        "observation.state [14] is kept as a signal, not as state",
        "action [14] is kept as a signal, not as actions",
    )


def test_cameras_are_chosen_named_and_scaled(root):
    source = LeRobot(root=root, cameras=(f"rgb_static={FRONT}",), size=24)
    episode = next(read(source))
    assert set(episode.frames) == {"rgb_static"}
    middle = pictures(0, 48, 64)[:, :, 8:56].reshape(9, 24, 2, 24, 2, 3).mean((2, 4))
    assert psnr(episode.frames["rgb_static"], middle) > AV1_PSNR
    with pytest.raises(UserError, match=f"has no camera 'front', only {FRONT}, {WRIST}"):
        LeRobot(root=root, cameras=("front",)).listing()
    with pytest.raises(UserError, match="would both be called 'a'"):
        LeRobot(root=root, cameras=(f"a={FRONT}", f"a={WRIST}")).listing()


def test_other_features_can_be_state_and_actions(v21):
    info = json.loads((v21 / "meta" / "info.json").read_text())
    for path in (v21 / "data").glob("*/*.parquet"):
        rows = parquet.read_metadata(path).num_rows
        for name, size in (("observation.state", 15), ("action", 7)):
            values = pyarrow.array(np.ones((rows, size)).tolist(), pyarrow.list_(pyarrow.float64()))
            edit_column(path, name, values)
            info["features"][name].update(shape=[size], dtype="float64")
    edit_info(v21, features=info["features"])
    source = LeRobot(root=v21)
    assert "observation.state [15] is kept as a signal, not as state; state=" in str(
        source.listing().notes
    )
    assert next(read(source)).state is None
    asked = next(read(LeRobot(root=v21, state="observation.state", actions="action")))
    assert (asked.state.shape, asked.actions.dtype) == ((9, 15), np.float32)
    info["features"]["observation.state"]["names"] = STATE_NAMES
    info["features"]["action"]["names"] = ACTION_NAMES
    edit_info(v21, features=info["features"])
    assert next(read(LeRobot(root=v21))).state is not None
    assert next(read(LeRobot(root=v21, state=""))).state is None
    with pytest.raises(UserError, match=r"state=action is \(7,\), not 15 floats"):
        LeRobot(root=v21, state="action").listing()


def test_official_splits_are_kept(root):
    edit_info(root, splits={"train": "0:2", "val": "2:3"})
    assert [i.split for i in LeRobot(root=root).listing().items] == ["train", "train", "valid"]


def test_version_2_0_differs_in_its_statistics_alone(v21):
    before = [e.signals["action"] for e in read(LeRobot(root=v21))]
    edit_info(v21, codebase_version="v2.0")
    (v21 / "meta/episodes_stats.jsonl").rename(v21 / "meta/stats.json")
    for after, values in zip(read(LeRobot(root=v21)), before, strict=True):
        np.testing.assert_array_equal(after.signals["action"], values)


def test_versions_that_are_not_known_are_refused(root):
    edit_info(root, codebase_version="v1.6")
    with pytest.raises(UserError, match=r"is of version v1.6; v2.0, v2.1, v3.0 can be read"):
        LeRobot(root=root).listing()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"fps": 0}, "fps is 0, not a positive number"),
        ({"features": []}, "lacks the feature 'timestamp'"),
        ({"data_path": "../{episode_index}{chunk_index}"}, "asks for|does not name a file inside"),
        ({"data_path": "{episode_index.__class__}"}, "data of 3 episodes is not downloaded"),
        ({"video_path": "/etc/{video_key}"}, "does not name a file inside"),
        ({"video_path": None}, "video_path is None, no path"),
    ],
)
def test_absurd_descriptions_are_refused(root, changes, reason):
    edit_info(root, **changes)
    try:
        listing = LeRobot(root=root).listing()
        complaint = f"{listing.lost} {listing.notes}"
    except UserError as error:
        complaint = str(error)
    assert re.search(reason, complaint)


def test_contradictions_of_the_lists_cost_their_line(v21):
    edit_info(v21, total_episodes=4)
    assert LeRobot(root=v21).listing().notes[0] == "info.json announces 4 episodes, 3 are listed"
    path = v21 / "meta" / "episodes.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[1]]))
    assert len(LeRobot(root=v21).listing().items) == 3
    twice = lines[1].replace('"length": 12', '"length": 5')
    bad = ['{"episode_index": "x", "length": 3}', "[1", '{"a": 1, "a": 2}', "7", "[" * 50_000]
    path.write_text("\n".join([*lines, twice, *bad]))
    listing = LeRobot(root=v21).listing()
    assert [item.name for item in listing.items] == ["episode_000000", "episode_000002"]
    assert list(dict(listing.lost)) == [
        "episode_000001", *(f"episodes.jsonl line {number}" for number in range(5, 10))
    ]  # fmt: skip
    assert dict(listing.lost)["episode_000001"] == "is listed twice, not as the same"
    assert dict(listing.lost)["episodes.jsonl line 5"] == "has no episode_index and length"
    assert "named twice" in dict(listing.lost)["episodes.jsonl line 7"]


def test_an_episode_longer_or_shorter_than_said_is_lost(v21):
    path = v21 / "meta" / "episodes.jsonl"
    path.write_text(path.read_text().replace('"length": 12', '"length": 11'))
    reason = only_reason(v21)
    assert reason == "is 11 frames long, but episode_000001.parquet has 12"


@pytest.mark.parametrize(
    ("column", "change", "reason"),
    [
        ("timestamp", lambda v: [*v[:-1], v[-1] + 0.04], "its frame 11 is at 1.1400 s, not 1.1000"),
        ("timestamp", lambda v: [*v[:-1], float("nan")], "its frame 11 is at nan s"),
        ("timestamp", lambda v: [*v[:-1], None], "timestamp lacks 1 numbers"),
        ("frame_index", lambda v: v[::-1], "its rows are not the frames 0 to 11 of episode 1"),
        ("episode_index", lambda v: [*v[:-1], 2], "its rows are not the frames 0 to 11"),
    ],
)
def test_rows_without_their_place_lose_their_episode(v21, column, change, reason):
    path = v21 / "data/chunk-000/episode_000001.parquet"
    values = parquet.read_table(path).column(column)
    edit_column(path, column, pyarrow.array(change(values.to_pylist()), values.type))
    assert re.search(reason, only_reason(v21))


def test_episodes_may_share_a_group_of_rows(project, tmp_path):
    """As LeRobot's converter leaves them; the group is then read once, not for every episode."""
    shutil.copytree(project / "tests/data/lerobot_v30", tmp_path / "v30")
    before = list(read(LeRobot(root=tmp_path / "v30")))
    path = tmp_path / "v30/data/chunk-000/file-000.parquet"
    parquet.write_table(parquet.read_table(path), path)
    source = LeRobot(root=tmp_path / "v30")
    _load_group.cache_clear()
    for item in reversed(source.listing().items):
        (after,) = source.read(item, Tally())
        for name, values in before[item.detail["index"]].signals.items():
            np.testing.assert_array_equal(after.signals[name], values)
    assert (_load_group.cache_info().misses, _load_group.cache_info().hits) == (1, 2)


def test_a_changed_file_changes_its_episodes_alone(v21):
    before = LeRobot(root=v21).listing().items
    path = v21 / "data/chunk-000/episode_000001.parquet"
    edit_column(path, "next.reward", pyarrow.array(np.zeros(12, np.float32)))
    after = LeRobot(root=v21).listing().items
    assert [a.version != b.version for a, b in zip(after, before, strict=True)] == [0, 1, 0]
