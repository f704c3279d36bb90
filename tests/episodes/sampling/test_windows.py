import dataclasses
import itertools
import multiprocessing
import pickle

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.episodes.episode import Narration, WindowSpec
from firsthand.episodes.sampling.mixture import Mixture
from firsthand.episodes.sampling.windows import FrameCacheConfig, Windows
from firsthand.episodes.storage.merge import EpisodeFile, EpisodeWriter

TWO = {"rgb_static": (16, 16), "rgb_gripper": (8, 8)}


@pytest.fixture(scope="module")
def files(tmp_path_factory, make_episode):
    """Two files of recordings at several rates, some without actions or the second camera."""
    folder = tmp_path_factory.mktemp("windows")
    recordings = [
        make_episode(0, 17, 30.0, TWO, instruction="push it"),
        make_episode(1, 1, 10.0, TWO),
        make_episode(2, 9, 3.7, {"rgb_static": (16, 16)}, actions=False, instruction="x"),
        make_episode(3, 25, 29.97, TWO),
    ]
    narrations = (
        Narration(0.0, 0.2, "first"),
        Narration(0.1, 0.5, "second"),
        Narration(0.7, 0.7, "."),
    )
    more = [make_episode(4, 12, 12.5, TWO, narrations=narrations, instruction="between")]
    for name, part in (("a.h5", recordings), ("b.h5", more)):
        with EpisodeWriter(folder / name) as writer:
            for index, episode in enumerate(part):
                writer.add(episode, "valid" if index == 1 else "train")
    stores = [EpisodeFile(folder / "a.h5"), EpisodeFile(folder / "b.h5")]
    return stores, [file.read(index) for file in stores for index in range(len(file))]


specs = st.builds(
    dict,
    length=st.integers(1, 6),
    stride=st.floats(0.001, 1.5),
    cameras=st.sampled_from([("rgb_static",), ("rgb_gripper", "rgb_static")]),
    future=st.none() | st.floats(0.001, 1.5),
    chunk=st.integers(0, 5),
    state=st.booleans(),
    narrated=st.booleans(),
)


def round_half_up(x: float) -> int:
    return max(1, int(x + 0.5))


def said_at(episode, first, last) -> tuple[str, list[bool], int]:
    """The longest heard narration, by adding up thousandths of a second, the frames whose actions
    it is about, and where these end. Some recordings have sentences, so "" is about none."""
    start, end = first / episode.fps, (min(last, len(episode) - 1) + 1) / episode.fps
    best, heard = episode.instruction, 0.0
    about, ends = [best != ""] * len(episode), len(episode) - 1
    for narration in episode.narrations:
        overlap = min(end, narration.end) - max(start, narration.start)
        if narration.start == narration.end and start <= narration.start < end:
            overlap = 1e-9
        if overlap > heard:
            best, heard = narration.text, overlap
            middles = (np.arange(len(episode)) + 0.5) / episode.fps
            about = list((narration.start <= middles) & (middles < narration.end))
            ends = int((middles < narration.end).sum()) - 1
            if narration.start == narration.end:  # the last of the recording
                about = list(middles + 0.5 / episode.fps > narration.start)
                ends = len(episode) - 1
    return best, about, ends


def starts_of(episode, spec) -> list[int]:
    """Every frame; of a recording that a window shows whole, the first of every row of frames."""
    stride = round_half_up(spec.stride * episode.fps)
    rows = [list(range(len(episode)))[start::stride] for start in range(stride)]
    if max(map(len, rows)) > spec.length:
        return list(range(len(episode)))
    return [start for start, row in enumerate(rows) if row] * spec.length


@settings(max_examples=60, deadline=None)
@given(spec=specs, split=st.sampled_from([None, "train", "valid"]), pick=st.integers(0, 9999))
def test_against_brute_force(files, spec, split, pick):
    stores, recordings = files
    spec = WindowSpec(**spec)
    names = ["train", "valid", "train", "train", "train"]
    chosen = [e for e, name in zip(recordings, names, strict=True) if split in (None, name)]
    windows = Windows(stores, spec, split, verify=False)
    everything = [(episode, start) for episode in chosen for start in starts_of(episode, spec)]
    assert len(windows) == len(everything)
    index = pick % len(everything)
    episode, start = everything[index]
    window = windows[index]
    last = len(episode) - 1
    stride = round_half_up(spec.stride * episode.fps)
    assert set(window.frames) == set(spec.cameras) & set(episode.frames)
    until = start + (spec.length - 1) * stride
    if spec.future is not None and not spec.chunk and not spec.narrated:
        until += round_half_up(spec.future * episode.fps)
    text, about, ends = said_at(episode, start, until)
    assert window.instruction == text
    for k in range(spec.length):
        at = start + k * stride
        assert window.valid[k] == (at <= last)
        for camera, frames in window.frames.items():
            assert np.array_equal(frames[k], episode.frames[camera][min(at, last)])
        if spec.future is not None:
            later = at + round_half_up(spec.future * episode.fps)
            if spec.narrated:
                later = max(at, min(later, ends))
            assert window.future_valid[k] == (at < later <= last)
            for camera, frames in window.future.items():
                assert np.array_equal(frames[k], episode.frames[camera][min(later, last)])
        if episode.state is not None and spec.state:
            assert np.array_equal(window.state[k], episode.state[min(at, last)])
        for j in range(spec.chunk if episode.actions is not None else 0):
            assert window.actions_valid[k, j] == (at + j <= last and about[at + j])
            assert np.array_equal(window.actions[k, j], episode.actions[min(at + j, last)])
    if spec.future is None:
        assert window.future is None
        assert window.future_valid is None
    else:
        assert set(window.future) == set(window.frames)
    if episode.actions is None or not spec.chunk:
        assert window.actions is None
        assert window.actions_valid is None
    assert (window.state is None) == (episode.state is None or not spec.state)
    if not spec.narrated:
        assert window.narrated is None
    else:
        told = [about[start + k * stride : start + k * stride + 1] for k in range(spec.length)]
        valid = [k for k in range(spec.length) if window.valid[k]]
        assert [window.narrated[k] for k in valid] == [told[k] == [True] for k in valid]


@pytest.fixture(scope="module")
def clips(tmp_path_factory, make_episode):
    """A recording of every length from 1 to 24 frames."""
    path = tmp_path_factory.mktemp("clips") / "clips.h5"
    with EpisodeWriter(path) as writer:
        for length in range(1, 25):
            writer.add(make_episode(length, length, 10.0, {"rgb_static": (8, 8)}), f"{length}")
    return path


@settings(max_examples=12)
@given(clip=st.integers(1, 24), length=st.integers(1, 12), stride=st.integers(1, 4))
@example(clip=10, length=10, stride=1)
def test_clips_no_longer_than_a_window_show_every_frame_equally_often(clips, clip, length, stride):
    spec = WindowSpec(length, stride / 10, ("rgb_static",), future=0.1)
    windows = Windows([clips], spec, str(clip), verify=False)
    seen, valid, known = np.zeros(clip, int), 0, 0
    for index in range(len(windows)):
        window = windows[index]
        np.add.at(seen, windows.frames_shown(index)[1][window.valid], 1)
        valid, known = valid + window.valid.sum(), known + window.future_valid.sum()
    if clip <= length * stride:
        assert seen.tolist() == [length] * clip
        assert known == length * (clip - 1)
        if stride == 1:
            assert valid == sum(seen)
    else:  # a window at every frame, as always
        assert seen.tolist() == [min(length, at // stride + 1) for at in range(clip)]


@pytest.mark.parametrize("stride", [1, 3])
def test_clips_are_the_same_from_a_pool_and_from_memory(clips, stride):
    spec = WindowSpec(8, stride / 10, ("rgb_static",), future=0.2, chunk=2)
    disk = Windows([clips], spec, verify=False)
    for other in (
        Windows([clips], spec, in_memory=True, verify=False),
        Windows([clips], spec, pool=FrameCacheConfig(1, 1), verify=False),
    ):
        assert len(other) == len(disk)
        assert all(same(disk[i], other[i]) for i in range(0, len(disk), 7))
        order = other.order(0)
        epoch = sorted(index for _, index in order.lane(0, 0, len(disk)))
        assert epoch == list(range(len(disk)))


def play(make_episode, narrations, instruction=""):
    """Six seconds at 10 Hz; each action's first number is its frame's."""
    episode = make_episode(0, 60, 10.0, {"rgb_static": (8, 8)}, narrations=narrations)
    actions = np.zeros((60, 7), np.float32)
    actions[:, 0] = np.arange(60)
    return dataclasses.replace(episode, actions=actions, instruction=instruction)


def learned(path, episode, length=1, chunk=10):
    """Under which sentences each frame's action is learned."""
    with EpisodeWriter(path) as writer:
        writer.add(episode, "train")
    windows = Windows([path], WindowSpec(length, 0.1, ("rgb_static",), 0.5, chunk), verify=False)
    under = [set() for _ in range(len(episode))]
    for index in range(len(windows)):
        window = windows[index]
        for frame in window.actions[window.actions_valid][:, 0].astype(int):
            under[frame].add(window.instruction)
    return under


@pytest.mark.parametrize("length", [1, 6])
def test_actions_are_learned_under_the_sentence_they_belong_to(tmp_path, make_episode, length):
    """A task, a failed attempt that nobody describes, another task."""
    narrations = (Narration(0.0, 2.0, "one"), Narration(4.0, 6.0, "two"))
    under = learned(tmp_path / "play.h5", play(make_episode, narrations), length)
    assert under == [{"one"}] * 20 + [set()] * 20 + [{"two"}] * 20


def test_chunks_of_sentences_without_an_end_stop_at_the_next(tmp_path, make_episode):
    narrations = (Narration(1.23, 1.23, "one"), Narration(3.0, 3.0, "two"))
    under = learned(tmp_path / "points.h5", play(make_episode, narrations), chunk=25)
    assert under == [set()] * 12 + [{"one"}] * 18 + [{"two"}] * 25 + [set()] * 5


def test_sentences_that_touch_share_no_frame_whatever_the_rate(tmp_path, make_episode):
    """Times that are no multiples of a binary fraction, and one that ends within a frame."""
    cuts = [0, 7, 13, 26, 41, 59]
    narrations = tuple(Narration(a / 10, b / 10, f"{a}") for a, b in itertools.pairwise(cuts)) + (
        Narration(5.9, 5.96, "59"),
    )
    under = learned(tmp_path / "touch.h5", play(make_episode, narrations))
    expected = [{str(max(c for c in cuts if c <= frame))} for frame in range(60)]
    assert under == expected


def test_an_instruction_is_about_all_of_its_recording(tmp_path, make_episode):
    episode = play(make_episode, (Narration(2.0, 4.0, "wipe"),), "tidy up")
    under = learned(tmp_path / "both.h5", episode)
    assert all("tidy up" in sentences for sentences in under[:20] + under[40:])
    assert all("wipe" in sentences for sentences in under[20:40])


def test_recordings_without_any_sentence_are_learned_under_none(tmp_path, make_episode):
    """A data set of one task, in which nobody ever says anything."""
    assert learned(tmp_path / "silent.h5", play(make_episode, ())) == [{""}] * 60


def test_what_is_watched_is_described_until_the_future_that_is_predicted(tmp_path, make_episode):
    narrations = (Narration(0.0, 2.0, "one"), Narration(2.0, 6.0, "two"))
    with EpisodeWriter(tmp_path / "watched.h5") as writer:
        writer.add(play(make_episode, narrations), "train")
    watching = WindowSpec(1, 0.1, ("rgb_static",), future=1.0)
    acting = dataclasses.replace(watching, chunk=1)
    said = [
        [Windows([tmp_path / "watched.h5"], spec)[i].instruction for i in range(10, 20)]
        for spec in (watching, acting)
    ]
    assert said == [["one"] * 5 + ["two"] * 5, ["one"] * 10]


def test_a_narrated_future_ends_with_the_sentence(tmp_path, make_episode):
    """One sentence, silence, another: futures a second ahead, of six seconds at 10 Hz."""
    episode = play(make_episode, (Narration(0.0, 2.0, "one"), Narration(4.0, 6.0, "two")))
    with EpisodeWriter(tmp_path / "narrated.h5") as writer:
        writer.add(episode, "train")
    spec = WindowSpec(1, 0.1, ("rgb_static",), future=1.0, narrated=True)
    windows = Windows([tmp_path / "narrated.h5"], spec, verify=False)
    stored = EpisodeFile(tmp_path / "narrated.h5").read(0).frames["rgb_static"]
    ends = [19] * 20 + [59] * 40  # silence ends with the recording
    for start in range(60):
        window, later = windows[start], min(start + 10, ends[start])
        assert window.narrated.tolist() == [start < 20 or start >= 40]
        assert window.future_valid.tolist() == [later > start]
        assert np.array_equal(window.future["rgb_static"][0], stored[max(start, later)])


SPEC = WindowSpec(3, 0.1, ("rgb_static", "rgb_gripper"), future=0.3, chunk=4)


def same(left, right) -> bool:
    def parts(window):
        arrays = [window.valid, window.state, window.actions, window.actions_valid]
        arrays += [*window.frames.values(), *window.future.values(), window.future_valid]
        return [None if a is None else (a.shape, a.dtype, a.tobytes()) for a in arrays]

    return parts(left) == parts(right) and left.instruction == right.instruction


def test_in_memory_equals_disk(files):
    disk, memory = Windows(files[0], SPEC), Windows(files[0], SPEC, in_memory=True)
    assert all(same(disk[i], memory[i]) for i in range(len(disk)))
    pictures = sum(f.nbytes for e in files[1] for f in e.frames.values())
    assert disk.decoded_bytes == memory.decoded_bytes == pictures


def _checksum(windows, index):
    return windows[index].frames["rgb_static"].tobytes()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("in_memory", [False, True])
def test_workers_read_the_same(files, method, in_memory):
    windows = Windows(files[0], SPEC, in_memory=in_memory)
    expected = [_checksum(windows, index) for index in range(0, 60, 20)]
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.starmap(_checksum, [(windows, i) for i in range(0, 60, 20)]) == expected


def test_a_pickle_is_small_and_works(files):
    windows = Windows(files[0], SPEC)
    data = pickle.dumps(windows)
    assert len(data) < 20_000
    assert same(pickle.loads(data)[40], windows[40])


def test_reads_each_picture_once(files, monkeypatch):
    import firsthand.episodes.storage.reader

    decoded = []
    decode = firsthand.episodes.storage.reader.decode_jpeg
    monkeypatch.setattr(
        firsthand.episodes.storage.reader, "decode_jpeg", lambda d: decoded.append(1) or decode(d)
    )
    spec = WindowSpec(4, 0.1, ("rgb_static",), future=0.1)
    Windows(files[0], spec)[0]  # at 30 Hz: 0 3 6 9 now, 3 6 9 12 later
    assert len(decoded) == 5


def test_mistakes_are_named(files, tmp_path):
    stores, _ = files
    with pytest.raises(
        UserError,
        match=r"a\.h5: demo_2 shows rgb_static, none of rgb_gripper: convert it with "
        r"source.cameras=\[rgb_gripper=rgb_static\]",
    ):
        Windows(stores, WindowSpec(1, 0.1, ("rgb_gripper",)))
    with pytest.raises(UserError, match=r"a\.h5, .*b\.h5: no recording in split 'test'"):
        Windows(stores, SPEC, "test")
    with pytest.raises(UserError, match="name at least one file"):
        Windows([], SPEC)
    with pytest.raises(IndexError):
        Windows(stores, SPEC)[10_000]
    content = bytearray(stores[0].path.read_bytes())
    content[len(content) // 2] ^= 4
    (tmp_path / "bad.h5").write_bytes(content)
    with pytest.raises(UserError, match=r"bad\.h5: .* damaged"):
        Windows([tmp_path / "bad.h5"], SPEC)


def test_a_course_is_all_windows_of_a_recording_in_order(files):
    spec = WindowSpec(2, 0.2, ("rgb_static",))
    windows = Windows(files[0], spec)
    other = Windows(files[0][:1], spec)
    mixture = Mixture([other, windows], [1.0, 1.0])
    for source, first in ((windows, 0), (mixture, len(other))):
        for index in range(len(windows)):
            recording, start = windows.locate(index)
            course = source.course(first + index)
            places = [windows.locate(number - first) for number in course.windows]
            assert places == [(recording, frame) for frame in range(len(course.windows))]
            assert start < len(course.windows) <= course.frames
            assert course.frames == windows.corpus.recordings["length"][recording]
            assert course.fps == windows.corpus.recordings["fps"][recording]
            assert course.spec == spec
    with pytest.raises(IndexError):
        mixture.course(len(mixture))
