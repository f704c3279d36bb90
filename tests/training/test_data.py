"""From files to batches through pools: the same batches however many processes read them."""

import itertools

import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.episode import Episode, WindowSpec
from firsthand.episodes.sampling.mixture import Mixture, Part, parts_of
from firsthand.episodes.sampling.windows import FrameCacheConfig, Windows
from firsthand.episodes.storage.merge import EpisodeWriter
from firsthand.training import data as reading
from firsthand.training.augment import ColorConfig
from firsthand.training.config import TrainConfig
from firsthand.training.data import WindowLoading
from firsthand.training.distributed import Distributed
from firsthand.training.loader import Embedder, TrainLoader
from tests.helpers.tiny_policy import make_policy

SPEC = WindowSpec(2, 0.1, ("rgb_static",), future=0.1, chunk=2)
POOL = FrameCacheConfig(megabytes=1, lanes=4)
CONFIG = TrainConfig(
    steps=60, batch_size=6, warmup=0, shift={"rgb_static": 2}, color=ColorConfig(0.2, 0.2, 0.2, 0.1)
)


def recording(seed: int, length: int) -> Episode:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (length, 4, 4, 3), dtype=np.uint8)
    return Episode(
        {"rgb_static": coarse.repeat(8, axis=1).repeat(8, axis=2)},
        10.0,
        instruction=f"recording {seed}",
        state=random.normal(size=(length, 15)).astype(np.float32),
        actions=random.uniform(-1, 1, (length, 7)).astype(np.float32),
    )


def store(path, seed, count):
    with EpisodeWriter(path) as writer:
        for number in range(count):
            split = "valid" if number == 0 else "train"
            writer.add(recording(seed + number, 30 + 7 * (number % 5)), split)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """4 MB of pictures: no pool holds them all."""
    folder = tmp_path_factory.mktemp("reading")
    return [store(folder / f"{n}.h5", 100 * n, 11) for n in range(3)]


def load(windows, config=CONFIG, team=None, done=0, count=None):
    embed = Embedder(make_policy().encode_instructions)
    loader = TrainLoader(windows, embed, config, team or Distributed(), done)
    return list(itertools.islice(loader, count))


def contents(batch):
    tensors = [batch.instruction, batch.valid, batch.state, batch.actions, batch.actions_valid]
    tensors += [batch.images["rgb_static"], batch.future["rgb_static"], batch.future_valid]
    return [tensor.numpy().tobytes() for tensor in tensors]


def same(some, others):
    assert len(some) == len(others)
    return all(contents(one) == contents(other) for one, other in zip(some, others, strict=True))


def with_workers(workers):
    return TrainConfig(**{**CONFIG.__dict__, "workers": workers})


@pytest.fixture(scope="module")
def expected(files):
    return load(Windows(files, SPEC, "train", pool=POOL), count=48)


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_resuming_continues_where_it_was(files, expected, workers):
    windows = Windows(files, SPEC, "train", pool=POOL)
    assert same(load(windows, with_workers(workers), count=8), expected[:8])
    assert same(load(windows, with_workers(workers), done=40, count=8), expected[40:])


def test_ranks_share_the_lanes(files, expected):
    for rank in range(2):
        windows = Windows(files, SPEC, "train", pool=POOL)
        mine = load(windows, team=Distributed(rank=rank, size=2), count=24)
        assert same(mine, expected[rank::2])


def test_lanes_that_cannot_be_shared_are_refused(files):
    windows = Windows(files, SPEC, "train", pool=POOL)
    with pytest.raises(UserError, match="lanes=4 cannot be shared out among 3 processes"):
        load(windows, with_workers(3))
    with pytest.raises(UserError, match="among 8 processes that read .4 that train, 2 workers"):
        load(windows, with_workers(2), Distributed(rank=0, size=4))


def test_a_mixture_keeps_its_shares(files, tmp_path):
    other = store(tmp_path / "other.h5", 900, 12)
    parts = [Windows(files, SPEC, "train", pool=POOL), Windows([other], SPEC, "train")]
    mixture = Mixture(parts, [1.0, 2.0])
    assert len(mixture) == len(parts[0]) + len(parts[1])
    batches = load(mixture, count=20)
    second = {tuple(parts[1][i].state[0].tolist()) for i in range(len(parts[1]))}
    for batch in batches:
        assert sum(tuple(state.tolist()) in second for state in batch.state[:, 0]) == 4
    assert same(load(mixture, done=12, count=8), batches[12:])
    assert "0.333333 of recordings shuffled" in str(mixture.order(0))


def test_memory_decides_where_nobody_else_does(files, monkeypatch, capsys):
    parts = parts_of(files)
    fits = WindowLoading(None, POOL, workers=0)
    train, valid = fits.windows(parts, SPEC, SPEC)
    assert str(train.order(0)).startswith("all windows shuffled")
    assert len(valid) == 90
    needed = train.decoded_bytes + valid.decoded_bytes
    monkeypatch.setattr(reading, "memory_bytes", lambda: 2 * needed)
    assert fits.windows(parts, SPEC, SPEC)[0].lanes == 1
    assert "pools" not in capsys.readouterr().out
    monkeypatch.setattr(reading, "memory_bytes", lambda: 2 * needed - 2)
    assert fits.windows(parts, SPEC, SPEC)[0].lanes == 4
    assert "reading them through pools of 1 MB in 4 lanes" in capsys.readouterr().out
    assert WindowLoading(True, POOL, workers=1).windows(parts, SPEC, SPEC)[0].lanes == 1
    assert WindowLoading(False, POOL, workers=0).windows(parts, SPEC, SPEC)[0].lanes == 4


def test_windows_that_are_read_again_are_remembered(files):
    plain = Windows(files, SPEC, "valid")
    size = 2 * 2 * 32 * 32 * 3
    kept = reading.CachedWindows(plain, 2 * size + 1)
    first = [kept[index] for index in (3, 8, 5)]
    again = [kept[index] for index in (3, 8, 5)]
    assert [one is other for one, other in zip(first, again, strict=True)] == [True, True, False]
    assert np.array_equal(first[2].frames["rgb_static"], plain[5].frames["rgb_static"])
    assert len(kept) == len(plain)


def test_parts_without_weights_count_by_their_windows(files):
    one, two = Corpus.of(files[:1]), Corpus.of(files[1:])
    train, _ = WindowLoading(False, POOL, 0).windows([Part(one), Part(two)], SPEC, SPEC)
    assert isinstance(train, Mixture)
    assert train.weights == [len(part) for part in train.parts]
    with pytest.raises(UserError, match="all corpora of a mixture a weight, or none"):
        parts_of([Part(one, 1.0), Part(two)])
    assert 2**28 < reading.memory_bytes() < 2**50


@pytest.mark.parametrize(
    ("world", "processes"),
    [({"LOCAL_WORLD_SIZE": "3", "WORLD_SIZE": "12"}, 3), ({"WORLD_SIZE": "2"}, 2), ({}, 1)],
)
def test_processes_of_one_machine_share_its_memory(files, monkeypatch, world, processes):
    for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    parts = parts_of(files)
    fits = WindowLoading(None, POOL, workers=1)
    train, valid = (Windows(files, SPEC, split) for split in ("train", "valid"))
    needed = 2 * train.decoded_bytes + valid.decoded_bytes
    for name, value in world.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(reading, "memory_bytes", lambda: 2 * processes * needed)
    assert fits.windows(parts, SPEC, SPEC)[0].lanes == 1
    monkeypatch.setattr(reading, "memory_bytes", lambda: 2 * processes * needed - 2)
    assert fits.windows(parts, SPEC, SPEC)[0].lanes == 4


def test_a_part_without_anything_to_learn_from_is_named(files, tmp_path):
    with EpisodeWriter(tmp_path / "held.h5") as writer:
        writer.add(recording(0, 9), "valid")
    parts = [Part(Corpus.of(files[:1])), Part(Corpus.of([tmp_path / "held.h5"]))]
    for weighted in (parts, [Part(part.corpus, 1.0) for part in parts]):
        with pytest.raises(UserError, match=r"held\.h5: nothing .* no split 'train', only valid"):
            WindowLoading(True, POOL, 0).windows(weighted, SPEC, SPEC)


def test_a_small_corpus_beside_a_big_one_is_not_refused(files, tmp_path):
    """One window of it in four hundred, and batches of six."""
    with EpisodeWriter(tmp_path / "small.h5") as writer:
        writer.add(recording(0, 2), "train")
    big, small = Corpus.of(files), Corpus.of([tmp_path / "small.h5"])
    train, valid = WindowLoading(True, POOL, 0).windows([Part(big), Part(small)], SPEC, SPEC)
    order = train.order(0)
    first = len(train) - 2
    epoch = [i for n in range(len(train) // 6) for _, i in order.batch(n, 6)]
    assert sum(index >= first for index in epoch) in (1, 2)
    assert len(valid) == 90
