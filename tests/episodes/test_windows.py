import multiprocessing
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episodes.episode import Narration, WindowSpec
from episodes.errors import UserError
from episodes.store import EpisodeFile, EpisodeWriter
from episodes.windows import Windows

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
)


def round_half_up(x: float) -> int:
    return max(1, int(x + 0.5))


def said_at(episode, first, last) -> str:
    """The longest heard narration, by adding up thousandths of a second."""
    start, end = first / episode.fps, (min(last, len(episode) - 1) + 1) / episode.fps
    best, heard = episode.instruction, 0.0
    for narration in episode.narrations:
        overlap = min(end, narration.end) - max(start, narration.start)
        if narration.start == narration.end and start <= narration.start < end:
            overlap = 1e-9
        if overlap > heard:
            best, heard = narration.text, overlap
    return best


@settings(max_examples=60, deadline=None)
@given(spec=specs, split=st.sampled_from([None, "train", "valid"]), pick=st.integers(0, 9999))
def test_against_brute_force(files, spec, split, pick):
    stores, recordings = files
    spec = WindowSpec(**spec)
    names = ["train", "valid", "train", "train", "train"]
    chosen = [e for e, name in zip(recordings, names, strict=True) if split in (None, name)]
    windows = Windows(stores, spec, split, verify=False)
    everything = [(episode, start) for episode in chosen for start in range(len(episode))]
    assert len(windows) == len(everything)
    index = pick % len(everything)
    episode, start = everything[index]
    window = windows[index]
    last = len(episode) - 1
    stride = round_half_up(spec.stride * episode.fps)
    assert set(window.frames) == set(spec.cameras) & set(episode.frames)
    for k in range(spec.length):
        at = start + k * stride
        assert window.valid[k] == (at <= last)
        for camera, frames in window.frames.items():
            assert np.array_equal(frames[k], episode.frames[camera][min(at, last)])
        if spec.future is not None:
            later = at + round_half_up(spec.future * episode.fps)
            assert window.future_valid[k] == (later <= last)
            for camera, frames in window.future.items():
                assert np.array_equal(frames[k], episode.frames[camera][min(later, last)])
        if episode.state is not None and spec.state:
            assert np.array_equal(window.state[k], episode.state[min(at, last)])
        for j in range(spec.chunk if episode.actions is not None else 0):
            assert window.actions_valid[k, j] == (at + j <= last)
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
    assert window.instruction == said_at(episode, start, start + (spec.length - 1) * stride)


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
    import episodes.reader

    decoded = []
    decode = episodes.reader.decode_jpeg
    monkeypatch.setattr(episodes.reader, "decode_jpeg", lambda d: decoded.append(1) or decode(d))
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
