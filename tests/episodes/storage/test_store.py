import json
import multiprocessing
import os
import pickle
import signal
import time

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from firsthand.common.errors import UserError
from firsthand.episodes.episode import Episode, Narration
from firsthand.episodes.jpeg import EncodedEpisode
from firsthand.episodes.storage.checksum import seal
from firsthand.episodes.storage.header import SignalSpec
from firsthand.episodes.storage.merge import EpisodeFile, EpisodeWriter, merge
from tests.helpers.stores import write


def assert_same(read: Episode, written: Episode, pixels: float) -> None:
    for part in ("state", "actions", "executed"):
        left, right = getattr(read, part), getattr(written, part)
        assert (left is None) == (right is None)
        assert left is None or np.array_equal(left, right)
    assert set(read.signals) == set(written.signals)
    for name, values in written.signals.items():
        assert read.signals[name].dtype == values.dtype
        assert np.array_equal(read.signals[name], values)
    for part in ("fps", "instruction", "narrations", "source"):
        assert getattr(read, part) == getattr(written, part)
    assert set(read.frames) == set(written.frames)
    for camera, frames in written.frames.items():
        assert read.frames[camera].shape == frames.shape
        assert np.abs(read.frames[camera].astype(int) - frames).mean() < pixels


def test_round_trip(tmp_path, episodes):
    file = EpisodeFile(write(tmp_path / "a.h5", episodes, source={"made by": "test"}))
    assert len(file) == 3
    assert file.names() == ("demo_0", "demo_1", "demo_2")
    assert file.names("train") == ("demo_0", "demo_2")
    assert file.names("valid") == ("demo_1",)
    assert file.source == {"made by": "test"}
    for index, episode in enumerate(episodes):
        assert_same(file.read(index), episode, pixels=1.5)
        assert_same(file.read(f"demo_{index}"), episode, pixels=1.5)
        header = file.header(index)
        assert header.length == len(episode)
        assert header.cameras == {c: f.shape[1:3] for c, f in episode.frames.items()}
        assert header.seconds == pytest.approx(len(episode) / episode.fps)
    file.verify()
    assert os.listdir(tmp_path) == ["a.h5"]


text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
numbers = st.floats(-1e6, 1e6, width=32)


real = hnp.boolean_dtypes() | hnp.integer_dtypes() | hnp.unsigned_integer_dtypes()
real |= hnp.floating_dtypes(sizes=(16, 32, 64))


@st.composite
def any_signals(draw, length) -> dict:
    shape = hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3).map(
        lambda past: (length, *past)
    )
    finite = dict(allow_nan=False, allow_infinity=False)
    values = real.flatmap(lambda dtype: hnp.arrays(dtype, shape, elements=finite))
    return draw(st.dictionaries(st.sampled_from(["rewards", "scene_obs", "x.y"]), values))


@st.composite
def any_recording(draw) -> dict:
    length = draw(st.integers(1, 5))
    size = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    frames = draw(hnp.arrays(np.uint8, (length, *size, 3)))
    narrations = draw(st.lists(st.builds(Narration, numbers, numbers, text), max_size=3))
    return dict(
        frames={draw(st.sampled_from(["rgb_static", "a.b-c"])): frames},
        fps=draw(st.floats(0.1, 1000)),
        instruction=draw(text),
        narrations=tuple(narrations),
        state=draw(st.none() | hnp.arrays(np.float32, (length, 15), elements=numbers)),
        actions=draw(st.none() | hnp.arrays(np.float32, (length, 7), elements=numbers)),
        executed=draw(st.none() | hnp.arrays(np.float32, (length, 7), elements=numbers)),
        signals=draw(any_signals(length)),
        source=draw(st.dictionaries(text, st.integers() | text | st.lists(st.booleans()))),
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(any_recording(), min_size=1, max_size=3))
def test_round_trip_of_anything(tmp_path_factory, parts):
    recordings = [Episode(**part) for part in parts]
    path = tmp_path_factory.mktemp("any") / "any.h5"
    write(path, recordings, ["train"] * len(recordings))
    with EpisodeFile(path) as file:
        for index, episode in enumerate(recordings):
            assert_same(file.read(index), episode, pixels=256)
            for camera, frames in episode.frames.items():
                decoded = EncodedEpisode.encode(episode).decode().frames[camera]
                assert np.array_equal(file.read(index).frames[camera], decoded)
                backwards = np.arange(len(frames))[::-1]
                for order in (backwards, backwards.repeat(2), np.roll(backwards, 1)):
                    assert np.array_equal(file.frames(index, camera, order), decoded[order])


def test_signals_alone_are_a_recording(tmp_path):
    rewards = np.arange(4, dtype=">f8")
    alone = Episode({}, 10.0, signals={"rewards": rewards, "dones": rewards > 2})
    file = EpisodeFile(write(tmp_path / "a.h5", [alone], ["train"]))
    assert len(alone) == file.header(0).length == 4
    assert file.header(0).signals == {
        "dones": SignalSpec((), "|b1"),
        "rewards": SignalSpec((), ">f8"),
    }
    assert_same(file.read(0), alone, pixels=0)
    assert np.array_equal(file.signal(0, "dones"), rewards > 2)
    with pytest.raises(UserError, match=r"a\.h5: demo_0 has no signal 'x', only dones, rewards"):
        file.signal(0, "x")
    with h5py.File(tmp_path / "a.h5", "r") as raw:
        assert np.array_equal(raw["data/demo_0/obs/rewards"][()], rewards)


def test_signals_are_as_long_as_the_pictures(episodes):
    frames = EncodedEpisode.encode(episodes[1]).frames
    with pytest.raises(UserError, match=r"disagree in length.*signals\[a\]': 8"):
        EncodedEpisode(frames, 10.0, signals={"a": np.zeros((8, 2))})


def test_a_file_of_the_first_version_is_read(project, tmp_path):
    """Written by the program as it was then."""
    file = EpisodeFile(project / "tests/golden/episodes_version_1.h5")
    file.verify()
    first, second = (file.read(index) for index in range(2))
    assert np.array_equal(first.state, np.arange(45, dtype=np.float32).reshape(3, 15))
    assert first.narrations == (Narration(0.0, 0.2, "a hand"),)
    assert np.array_equal(second.frames["rgb_static"], first.frames["rgb_static"][::-1])
    assert [header.signals for header in file.headers] == [{}, {}]
    merge([file.path], tmp_path / "new.h5")
    assert_same(EpisodeFile(tmp_path / "new.h5").read(0), first, pixels=1e-9)


def test_layout_as_robomimic_reads_it(tmp_path, episodes):
    path = write(tmp_path / "a.h5", episodes, env_args={"env_name": "x", "env_type": 2})
    with h5py.File(path, "r") as file:
        demos = sorted(file["data"], key=lambda name: int(name[5:]))
        assert demos == ["demo_0", "demo_1", "demo_2"]
        assert file["data"].attrs["total"] == 30
        assert json.loads(file["data"].attrs["env_args"])["env_name"] == "x"
        assert file["data"].attrs["format_version"] == 2
        masks = {
            key: [name.decode("utf-8") for name in file[f"mask/{key}"][:]] for key in file["mask"]
        }
        assert masks == {"train": ["demo_0", "demo_2"], "valid": ["demo_1"]}
        demo = file["data/demo_2"]
        assert demo.attrs["num_samples"] == 6
        assert demo.attrs["language"] == "open it"
        assert np.array_equal(demo["actions"][()], episodes[2].actions)
        assert np.array_equal(demo["executed_actions"][()], episodes[2].executed)
        assert np.array_equal(demo["obs/state"][()], episodes[2].state)
        data = demo["obs/rgb_gripper"][4].tobytes()
        assert dict(demo["obs/rgb_gripper"].attrs) == {
            "encoding": "jpeg",
            "height": 16,
            "width": 16,
        }
        (tmp_path / "x.jpg").write_bytes(data)
        with Image.open(tmp_path / "x.jpg") as picture:
            expected = EpisodeFile(path).frames(2, "rgb_gripper", [4])[0]
            assert np.array_equal(np.asarray(picture), expected)
        assert "actions" not in file["data/demo_1"]


def test_same_episodes_same_bytes(tmp_path, episodes):
    write(tmp_path / "a.h5", episodes)
    time.sleep(1.1)  # HDF5's time stamps count seconds
    write(tmp_path / "b.h5", episodes)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_encoded_episodes_are_stored_as_they_are(tmp_path, episodes):
    encoded = [EncodedEpisode.encode(episode, 80) for episode in episodes]
    write(tmp_path / "a.h5", encoded)
    write(tmp_path / "b.h5", episodes, quality=80)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_merged_shards_equal_one_file(tmp_path, episodes):
    write(tmp_path / "whole.h5", episodes)
    parts = [
        write(tmp_path / f"{i}.h5", [e], [s])
        for i, (e, s) in enumerate(zip(episodes, ("train", "valid", "train"), strict=True))
    ]
    merge(parts, tmp_path / "merged.h5")
    assert (tmp_path / "merged.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_nothing_appears_when_writing_fails(tmp_path, episodes):
    with pytest.raises(ZeroDivisionError), EpisodeWriter(tmp_path / "a.h5") as writer:
        writer.add(episodes[0], split=1 // 0)
    with pytest.raises(UserError, match=r"a\.h5: no episode"), EpisodeWriter(tmp_path / "a.h5"):
        pass
    assert os.listdir(tmp_path) == []


def _write_forever(path, episode):
    with EpisodeWriter(path) as writer:
        while True:
            writer.add(episode)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_killed_writer_leaves_no_file(tmp_path, episodes):
    path = tmp_path / "a.h5"
    process = multiprocessing.get_context("fork").Process(
        target=_write_forever, args=(path, episodes[0])
    )
    process.start()
    while not (tmp_path / "a.h5.partial").exists():
        time.sleep(0.01)
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not path.exists()
    write(path, episodes)  # what is left over does not stand in the way
    assert os.listdir(tmp_path) == ["a.h5"]


def test_earlier_file_stays_until_the_new_one_is_complete(tmp_path, episodes):
    path = write(tmp_path / "a.h5", episodes)
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError), EpisodeWriter(path) as writer:
        [writer.add(episodes[i % 2], split="train" if i < 2 else 1 // 0) for i in range(3)]
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"instruction": "a\0b"}, "not text"),
        ({"instruction": "\ud800"}, "not text"),
        ({"state": np.full((9, 15), np.nan, np.float32)}, "state .* not finite"),
        ({"actions": np.full((9, 7), np.inf, np.float32)}, "actions .* not finite"),
        ({"frames": {"state": np.zeros((9, 4, 4, 3), np.uint8)}}, "'state' cannot name a camera"),
        ({"signals": {"a": np.full((9,), np.nan)}}, r"signals\[a\] .* not finite"),
        ({"signals": {"state": np.zeros((9, 2))}}, "'state' cannot name a signal"),
        ({"signals": {"rgb_static": np.zeros((9, 2))}}, "'rgb_static' cannot name a camera and a"),
        ({"signals": {"a/b": np.zeros((9, 2))}}, "'a/b' cannot name a signal"),
        ({"signals": {"a": np.zeros((9, 2), complex)}}, r"signals\[a\] must be real .* complex128"),
        ({"signals": {"a": np.full((9,), "x")}}, r"signals\[a\] must be real .* <U1"),
        ({"frames": {"../x": np.zeros((9, 4, 4, 3), np.uint8)}}, "'../x' cannot name a camera"),
    ],
)
def test_what_cannot_be_stored_is_refused(tmp_path, episodes, change, message):
    parts = {**episodes[0].__dict__, **change}
    with pytest.raises(UserError, match=message), EpisodeWriter(tmp_path / "a.h5") as writer:
        writer.add(Episode(**parts))
    assert os.listdir(tmp_path) == []


def _read(file, queue):
    queue.put([file.read(index).frames["rgb_static"].sum() for index in range(len(file))])


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_file_in_use_goes_to_other_processes(tmp_path, episodes, method):
    file = EpisodeFile(write(tmp_path / "a.h5", episodes))
    expected = [file.read(index).frames["rgb_static"].sum() for index in range(3)]
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    workers = [context.Process(target=_read, args=(file, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    assert [queue.get() for _ in workers] == [expected] * 2
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert file.read(0).frames["rgb_static"].sum() == expected[0]


def test_a_replaced_file_is_not_mixed_with_the_old_one(tmp_path, episodes):
    file = EpisodeFile(write(tmp_path / "a.h5", episodes))
    other = pickle.loads(pickle.dumps(file))
    write(tmp_path / "a.h5", episodes[::-1])
    assert len(file.read(0)) == len(episodes[0])  # the file that it opened still exists for it
    with pytest.raises(UserError, match=r"a\.h5: was replaced"):
        other.read(0)


def test_edited_file_can_be_sealed_again(tmp_path, episodes):
    path = write(tmp_path / "a.h5", episodes)
    with h5py.File(path, "r+") as file:
        file["mask/some"] = np.array([b"demo_1"])
    with pytest.raises(UserError, match=r"a\.h5"):
        EpisodeFile(path).verify()
    seal(path)
    seal(path)
    assert EpisodeFile(path).names("some") == ("demo_1",)
    EpisodeFile(path).verify()


def test_mistakes_are_named(tmp_path, episodes):
    path = write(tmp_path / "a.h5", episodes)
    file = EpisodeFile(path)
    with pytest.raises(UserError, match=r"a\.h5: has no split 'test', only train, valid"):
        file.names("test")
    with pytest.raises(UserError, match=r"a\.h5: demo_1 has no camera 'x', only rgb_static"):
        file.frames(1, "x", [0])
    with pytest.raises(UserError, match=r"a\.h5: demo_2 has frames 0 to 5, not 0 to 6"):
        file.frames(2, "rgb_static", [0, 6])
    with pytest.raises(UserError, match=r"a\.h5: has 3 episodes and none called 3"):
        file.read(3)
    with pytest.raises(UserError, match=r"none\.h5: cannot be opened: No such file"):
        EpisodeFile(tmp_path / "none.h5")
    (tmp_path / "b.h5").write_bytes(path.read_bytes()[:-500])
    with pytest.raises(UserError, match=r"b\.h5: the checksums at its end are missing"):
        EpisodeFile(tmp_path / "b.h5")
    (tmp_path / "c.h5").write_bytes(b"")
    with pytest.raises(UserError, match=r"c\.h5: "):
        EpisodeFile(tmp_path / "c.h5")
    with pytest.raises(UserError, match="is no file but a folder"):
        EpisodeFile(tmp_path)
