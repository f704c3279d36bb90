"""Episodes written as LeRobot datasets of version 3.0.

lerobot 0.4.4 (with torchcodec 0.13) opened what this writer made, several files of data and videos
included, and gave back every frame's state, actions, signals (64-bit floats as 32), sentence and
time unchanged, pictures with a PSNR of 41 dB and more, and windows by `delta_timestamps`; that was
done by hand, since lerobot asks for versions of other packages that this project does not have.
The layout that it reads is compared with one that it wrote (tests/data/lerobot_v30).
"""

import json
import os
import sys

import numpy as np
import pytest

pytest.importorskip("pyarrow")
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import read
from firsthand.episodes.episode import Episode, Narration
from firsthand.episodes.formats.calvin.dataset import Calvin
from firsthand.episodes.formats.lerobot.reader import LeRobot
from firsthand.episodes.formats.lerobot.schema import to_sentences
from firsthand.episodes.formats.lerobot.statistics import feature_stats, stats_table
from firsthand.episodes.formats.lerobot.writer import LeRobotWriter
from firsthand.episodes.jpeg import EncodedEpisode
from firsthand.episodes.storage.merge import EpisodeFile, EpisodeWriter
from tests.helpers.lerobot_recordings import psnr

H264_PSNR = 38  # dB, of moving stripes in full colour
CAMERAS = {"rgb_static": (48, 64), "odd": (25, 31)}


def to_lerobot(episodes, path) -> int:
    """Write episodes to a new LeRobot dataset; returns how many there were."""
    with LeRobotWriter(path) as writer:
        for episode in episodes:
            writer.add(episode)
    return len(writer)


@pytest.fixture(scope="module")
def recordings(make_episode):
    rng = np.random.default_rng(0)

    def record(seed, length, **texts):
        signals = {
            "scene_obs": rng.standard_normal((length, 24)),
            "reward": np.arange(length, dtype=np.float32),
            "single": np.arange(length, dtype=np.int16)[:, None],
            "depth": rng.random((length, 4, 5)).astype(np.float32),
            "done": np.arange(length) == length - 1,
        }
        return make_episode(seed, length, 30.0, CAMERAS, signals=signals, **texts)

    said = (Narration(0.1, 0.31, "a hand"), Narration(0.5, 0.9, "the bälle roll"))
    return [
        record(0, 20, instruction="open the drawer", source={"origin": "playtable", "seed": 3}),
        record(1, 32, narrations=said),
        record(2, 9, instruction="open the drawer"),
    ]


@pytest.fixture
def root(recordings, tmp_path):
    assert to_lerobot(recordings, tmp_path / "out") == 3
    return tmp_path / "out"


def assert_same(after, before, least=H264_PSNR):
    for part in ("state", "actions", "executed"):
        np.testing.assert_array_equal(getattr(after, part), getattr(before, part))
    assert (after.instruction, after.narrations) == (before.instruction, before.narrations)
    assert after.fps == before.fps
    assert set(after.signals) == set(before.signals)
    for name, values in before.signals.items():
        assert after.signals[name].dtype == values.dtype
        np.testing.assert_array_equal(after.signals[name], values)
    for camera, pictures in before.frames.items():
        assert psnr(after.frames[camera], pictures) > least


def test_what_is_read_back_is_what_was_written(root, recordings):
    listing = LeRobot(root=root).listing()
    assert not listing.notes
    assert not listing.lost
    for index, (after, before) in enumerate(zip(read(LeRobot(root=root)), recordings, strict=True)):
        assert_same(after, before)
        expected = {"origin": "lerobot", "item": f"episode_00000{index}"} | dict(before.source)
        assert after.source == expected


def test_executed_actions_come_back(tmp_path, make_episode):
    executed = np.linspace(-1, 1, 42, dtype=np.float32).reshape(6, 7)
    before = make_episode(2, 6, 30.0, instruction="open it", executed=executed)
    to_lerobot([before], tmp_path / "out")
    (after,) = read(LeRobot(root=tmp_path / "out"))
    assert_same(after, before)


def test_stored_pictures_are_written_as_they_are(recordings, tmp_path):
    encoded = [EncodedEpisode.encode(episode) for episode in recordings]
    to_lerobot(encoded, tmp_path / "out")
    for after, before in zip(read(LeRobot(root=tmp_path / "out")), encoded, strict=True):
        assert_same(after, before.decode())


def test_a_dataset_of_others_goes_through_the_store_and_back(project, tmp_path):
    theirs = list(read(LeRobot(root=project / "tests/data/lerobot_v30")))
    with EpisodeWriter(tmp_path / "a.h5") as writer:
        for episode in theirs:
            writer.add(episode)
    with EpisodeFile(tmp_path / "a.h5") as file, LeRobotWriter(tmp_path / "out") as writer:
        for name in file.names():
            writer.add(file.read_encoded(name))
    for after, before in zip(read(LeRobot(root=tmp_path / "out")), theirs, strict=True):
        assert_same(after, before)
        assert after.source == before.source


@pytest.mark.parametrize("play", ["language", "play"])
def test_calvin_goes_through_the_store_and_lerobot(project, tmp_path, play):
    theirs = list(read(Calvin(root=project / "tests/data/calvin/task_D_D", episodes=play)))
    with EpisodeWriter(tmp_path / "a.h5") as writer:
        for episode in theirs:
            writer.add(episode)
    with EpisodeFile(tmp_path / "a.h5") as file:
        to_lerobot((file.read_encoded(name) for name in file.names()), tmp_path / "out")
    for after, before in zip(read(LeRobot(root=tmp_path / "out")), theirs, strict=True):
        assert_same(after, before, least=25)  # 12 to 16 pixels across: all edges
        assert after.source == before.source


def test_pyarrow_is_asked_for_by_name(recordings, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"needs pyarrow: pip install 'firsthand\[lerobot\]'"):
        to_lerobot(recordings, tmp_path / "out")
    assert not os.listdir(tmp_path)


def test_the_layout_is_that_of_lerobot(root, project):
    official = project / "tests/data/lerobot_v30"
    ours, theirs = (json.loads((r / "meta/info.json").read_text()) for r in (root, official))
    assert set(ours) == set(theirs)
    camera = "observation.images."
    assert set(ours["features"][camera + "odd"]) == set(theirs["features"][camera + "front"])
    for name in ("timestamp", "frame_index", "episode_index", "index", "task_index"):
        assert ours["features"][name] == theirs["features"][name]
    for name in ("data_path", "video_path", "chunks_size", "data_files_size_in_mb"):
        assert ours[name] == theirs[name]
    file = "chunk-000/file-000.parquet"
    columns = {}
    for r, video in ((root, "rgb_static"), (official, "front")):
        schema = parquet.read_schema(r / "meta/episodes" / file)
        columns[r] = {
            name.replace(camera + video, "CAMERA"): schema.field(name).type
            for name in schema.names
            if not name.startswith("stats/") and "odd" not in name
        }
    for name, kind in columns[official].items():
        assert columns[root][name] == kind
    tasks = [parquet.read_table(r / "meta/tasks.parquet") for r in (root, official)]
    indexes = [json.loads(t.schema.metadata[b"pandas"])["index_columns"] for t in tasks]
    assert indexes[0] == indexes[1]
    assert tasks[0].column_names == tasks[1].column_names
    stats = [json.loads((r / "meta/stats.json").read_text()) for r in (root, official)]
    shapes = [
        {key: np.shape(value) for key, value in s[camera + name].items()}
        for s, name in zip(stats, ("odd", "front"), strict=True)
    ]
    assert shapes[0].items() <= shapes[1].items()


def test_statistics_are_those_of_all_frames(root, recordings):
    stats = json.loads((root / "meta/stats.json").read_text())
    state = np.concatenate([e.state for e in recordings]).astype(np.float64)
    ours = stats["observation.state"]
    for key, value in {"mean": state.mean(0), "std": state.std(0), "min": state.min(0)}.items():
        np.testing.assert_allclose(ours[key], value, rtol=1e-6, atol=1e-9)
    assert ours["count"] == [61]
    pixels = np.concatenate([e.frames["odd"] for e in recordings]) / 255
    ours = stats["observation.images.odd"]
    for key in ("mean", "std", "min", "max"):
        exact = getattr(pixels, key)((0, 1, 2))
        np.testing.assert_allclose(np.squeeze(ours[key]), exact, rtol=1e-9)


@given(st.lists(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=9), min_size=1, max_size=5))
def test_joined_statistics_are_those_of_the_whole(parts):
    joined, *others = [feature_stats(np.array(part)) for part in parts]
    for other in others:
        joined.merge(other)
    whole = np.concatenate([np.array(part) for part in parts])
    table = stats_table(joined)
    np.testing.assert_allclose(table["mean"], [whole.mean()], atol=1e-9)
    np.testing.assert_allclose(table["std"], [whole.std()], atol=1e-6)
    assert (table["min"], table["max"]) == ([whole.min()], [whole.max()])


def test_each_frame_has_the_sentence_of_its_time(recordings):
    said = to_sentences(recordings[1])
    assert said == [""] * 3 + ["a hand"] * 6 + [""] * 6 + ["the bälle roll"] * 12 + [""] * 5
    assert to_sentences(recordings[0]) == ["open the drawer"] * 20


@given(
    st.lists(st.tuples(st.floats(0, 4), st.floats(0, 4), st.text(max_size=3)), max_size=6),
    st.integers(1, 30),
)
def test_every_frame_has_one_sentence(spans, length):
    narrations = tuple(Narration(min(a, b), max(a, b), text) for a, b, text in spans)
    signals = {"x": np.zeros((length, 1), np.float32)}
    said = to_sentences(Episode({}, 10.0, "do it", narrations, signals=signals))
    assert len(said) == length
    assert set(said) <= {"do it"} | {n.text for n in narrations}


def test_large_datasets_fill_several_files(recordings, tmp_path):
    with LeRobotWriter(tmp_path / "out", data_megabytes=0.001, video_megabytes=0.001) as writer:
        for episode in recordings:
            writer.add(episode)
    names = sorted(p.name for p in (tmp_path / "out/data").rglob("*.parquet"))
    assert names == ["file-000.parquet", "file-001.parquet", "file-002.parquet"]
    assert len(list((tmp_path / "out/videos").rglob("*.mp4"))) > 2
    for after, before in zip(read(LeRobot(root=tmp_path / "out")), recordings, strict=True):
        assert_same(after, before)


def test_the_same_episodes_give_the_same_bytes(root, recordings, tmp_path):
    again = tmp_path / "again"
    again.with_name("again.partial").mkdir()
    (again.with_name("again.partial") / "data").mkdir()  # left by a process that was killed
    to_lerobot(recordings, again)
    files = sorted(p.relative_to(root) for p in root.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file())
    assert not [f for f in files if (root / f).read_bytes() != (again / f).read_bytes()]


def test_nothing_appears_unless_all_of_it_is_written(recordings, tmp_path):
    def some():
        yield recordings[0]
        assert os.listdir(tmp_path) == ["out.partial"]
        raise KeyError("the second is lost")

    with pytest.raises(KeyError):
        to_lerobot(some(), tmp_path / "out")
    assert not os.listdir(tmp_path)
    with pytest.raises(UserError, match="no episode was added"):
        to_lerobot([], tmp_path / "out")
    assert not os.listdir(tmp_path)


def test_what_is_there_is_left_alone(root, recordings):
    before = (root / "meta/info.json").read_bytes()
    with pytest.raises(UserError, match="is there already"):
        to_lerobot(recordings, root)
    assert (root / "meta/info.json").read_bytes() == before


def test_two_processes_do_not_write_the_same_dataset(recordings, tmp_path):
    with LeRobotWriter(tmp_path / "out") as writer:
        writer.add(recordings[0])
        with pytest.raises(UserError, match="is being written by another process"):
            to_lerobot(recordings, tmp_path / "out")
    assert len(LeRobot(root=tmp_path / "out").listing().items) == 1


def test_episodes_that_differ_are_refused(recordings, make_episode, tmp_path):
    slow = make_episode(0, 9, 10.0, CAMERAS, signals=recordings[2].signals)
    blind = make_episode(0, 9, 30.0, signals=recordings[2].signals)
    bare = make_episode(0, 9, 30.0, CAMERAS)
    for other, what in ((slow, r"fps 10.0 and 30.0"), (blind, "cameras"), (bare, "numbers")):
        with pytest.raises(UserError, match=f"episode 1 does not fit the first: {what}"):
            to_lerobot([recordings[0], other], tmp_path / "out")
    named = make_episode(0, 9, signals={"frame_index": np.zeros(9)})
    with pytest.raises(UserError, match="'frame_index' cannot be a feature"):
        to_lerobot([named], tmp_path / "out")
    twice = make_episode(0, 9, signals={"action": np.zeros(9)})
    with pytest.raises(UserError, match="'action' has the name"):
        to_lerobot([twice], tmp_path / "out")


def test_splits_are_ranges_of_episodes(recordings, tmp_path):
    with LeRobotWriter(tmp_path / "out") as writer:
        for episode, split in zip(recordings, ("train", "train", "valid"), strict=True):
            writer.add(episode, split)
        with pytest.raises(UserError, match="'train' must come one after the other"):
            writer.add(recordings[0], "train")
    info = json.loads((tmp_path / "out/meta/info.json").read_text())
    assert info["splits"] == {"train": "0:2", "valid": "2:3"}
    splits = [item.split for item in LeRobot(root=tmp_path / "out").listing().items]
    assert splits == ["train", "train", "valid"]


def test_a_dataset_may_have_no_pictures(tmp_path):
    episode = Episode({}, 20.0, signals={"joints": np.ones((5, 3), np.float32)})
    to_lerobot([episode], tmp_path / "out")
    (after,) = read(LeRobot(root=tmp_path / "out"))
    np.testing.assert_array_equal(after.signals["joints"], np.ones((5, 3)))
