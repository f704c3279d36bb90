"""Windows out of a pool are those that are decoded one by one, and memory is bounded."""

import pickle

import numpy as np
import pytest

import firsthand.episodes.storage.reader
from firsthand.common.errors import UserError
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.corpus.index_writer import IndexedShard, describe, write_index
from firsthand.episodes.episode import WindowSpec
from firsthand.episodes.sampling.frame_cache import Decoded, FrameCache
from firsthand.episodes.sampling.windows import FrameCacheConfig, Windows
from firsthand.episodes.storage.merge import EpisodeFile, EpisodeWriter

SPEC = WindowSpec(3, 0.1, ("rgb_static", "rgb_gripper"), future=0.3, chunk=4)
SIZES = {"rgb_static": (40, 32), "rgb_gripper": (16, 16)}
SMALL = FrameCacheConfig(megabytes=1, lanes=2)


@pytest.fixture(scope="module")
def files(tmp_path_factory, make_episode):
    """Three shards, 7 MB of pictures; one recording does not fit into a pool."""
    folder = tmp_path_factory.mktemp("pool")
    lengths = [[90, 60, 7, 75], [300, 1, 80, 90], [50, 70, 440, 88, 40, 70]]
    for shard, some in enumerate(lengths):
        with EpisodeWriter(folder / f"{shard}.h5") as writer:
            for index, length in enumerate(some):
                cameras = SIZES if index else {"rgb_static": SIZES["rgb_static"]}
                acts = (shard, index) != (1, 2)
                writer.add(make_episode(9 * shard + index, length, 10.0, cameras, actions=acts))
    return [EpisodeFile(folder / f"{shard}.h5") for shard in range(len(lengths))]


def parts(window):
    arrays = [window.valid, window.state, window.actions, window.actions_valid]
    arrays += [window.future_valid, *window.frames.values(), *window.future.values()]
    return [None if a is None else (a.shape, a.dtype, a.tobytes()) for a in arrays]


def test_windows_are_those_decoded_one_by_one(files):
    plain, pooled = Windows(files, SPEC), Windows(files, SPEC, pool=SMALL)
    order = pooled.order(5)
    for lane in range(2):
        for _, index in order.lane(lane, 0, len(plain) // 2):
            assert parts(pooled[index]) == parts(plain[index])


def test_an_indexed_corpus_gives_the_windows_of_its_files(files, tmp_path):
    shards = []
    for number, file in enumerate(files):
        name = f"shards/{number}.h5"
        (tmp_path / "shards").mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(file.path)
        groups, splits = list(file.names()), ["train"] * len(file)
        shards.append(IndexedShard(name, describe(file), groups, splits))
    write_index(tmp_path, shards, "test", {})
    plain, indexed = Windows(files, SPEC), Windows(Corpus.open(tmp_path), SPEC, pool=SMALL)
    order = indexed.order(5)
    assert order.lane(0, 40, 60) == Windows(files, SPEC, pool=SMALL).order(5).lane(0, 40, 60)
    for _, index in order.lane(0, 40, 60):
        assert parts(pickle.loads(pickle.dumps(indexed))[index]) == parts(plain[index])


def test_windows_are_views_that_cannot_spoil_the_pool(files):
    windows = Windows(files, SPEC, pool=SMALL)
    first = windows[0]
    with pytest.raises(ValueError, match="read-only"):
        first.frames["rgb_static"][0] = 0
    assert np.shares_memory(first.frames["rgb_static"], windows[1].frames["rgb_static"])


def read_an_epoch(windows, lanes):
    """Bytes in the pool after each window."""
    order, sizes = windows.order(0), []
    for turn in range(0, len(windows) // 2, 8):
        for lane in lanes:
            for _, index in order.lane(lane, turn, turn + 8):
                windows[index]
                sizes.append(windows._pool.size)
    return sizes


@pytest.mark.parametrize("lanes", [(0,), (0, 1)])
def test_memory_is_bounded_whatever_the_recordings(files, lanes):
    windows = Windows(files, SPEC, pool=SMALL)
    assert windows.decoded_bytes > 5 * 2**20
    windows.keep_for(len(lanes))
    assert max(read_an_epoch(windows, lanes)) <= 2 * len(lanes) * SMALL.bytes


def test_every_picture_is_decoded_about_once(files, monkeypatch):
    decoded = []
    decode = firsthand.episodes.storage.reader.decode_jpeg
    monkeypatch.setattr(
        firsthand.episodes.storage.reader, "decode_jpeg", lambda d: decoded.append(1) or decode(d)
    )
    windows = Windows(files, SPEC, pool=SMALL)
    read_an_epoch(windows, (0, 1))
    pictures = sum(h.length * len(h.cameras) for file in files for h in file.headers)
    shown = len(windows) * 2 * 6
    assert pictures < len(decoded) < 1.7 * pictures  # again where lanes and where pieces meet
    assert 4 * len(decoded) < shown


def test_least_used_makes_room():
    def decode(number):
        made.append(number)
        return Decoded(0, {"c": np.zeros((1, 10, 10, 3), np.uint8)}, None, None)

    made: list[int] = []
    pool = FrameCache(limit=650)
    for number in (1, 2, 1, 3, 1, 2, 3):
        pool.get(number, decode)
    assert made == [1, 2, 3, 2, 3]
    assert pool.size == 600
    assert pickle.loads(pickle.dumps(pool)).size == 0
    everything = FrameCache()
    everything.add(1, decode(1))
    assert pickle.loads(pickle.dumps(everything)).size == 300


def test_a_pool_too_small_for_a_window_is_refused(files):
    wide = WindowSpec(12, 1.0, ("rgb_static",))
    with pytest.raises(
        UserError, match="spans 0.426 MB .* may take 0.262 MB: raise pool.megabytes"
    ):
        Windows(files, wide, pool=SMALL).order(0)
    with pytest.raises(UserError, match="at least 1 megabyte and 1 lane, not megabytes=0"):
        FrameCacheConfig(megabytes=0)
