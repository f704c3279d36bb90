import multiprocessing
import os
import signal
import time
from pathlib import Path

import fsspec
import pytest

from firsthand.common import uri
from firsthand.common.errors import UserError
from firsthand.episodes.corpus import remote_files
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.corpus.index_writer import IndexedShard, describe, write_index
from firsthand.episodes.storage.merge import EpisodeFile, EpisodeWriter

BUCKET = "memory://bucket/corpus"
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("FIRSTHAND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def memory():
    """An object store that is empty again afterwards."""
    files = fsspec.filesystem("memory")
    yield files
    files.rm("/bucket", recursive=True)


def make_corpus(folder, tmp_path, episodes):
    """A shard an episode, written as conversion writes them: here first, then where they belong."""
    shards = []
    for number, episode in enumerate(episodes):
        file = tmp_path / f"{number}.h5"
        with EpisodeWriter(file) as writer:
            writer.add(episode)
        summary = describe(EpisodeFile(file))
        uri.upload(file, uri.join(folder, "shards", file.name))
        shards.append(IndexedShard(f"shards/{file.name}", summary, ["g"], ["train"]))
        file.unlink()
    write_index(folder, shards, "test", {})
    return folder


def lengths(corpus):
    return [len(file.read(n)) for file, n in (corpus.file(i) for i in range(len(corpus)))]


def test_a_corpus_in_an_object_store(memory, tmp_path, episodes, cache):
    corpus = Corpus.open(make_corpus(BUCKET, tmp_path, episodes))
    assert corpus.header(2).instruction == "open it"
    assert not [file for file in cache.iterdir() if file.suffix == ".h5"]
    assert lengths(corpus) == [9, 15, 6]
    corpus.verify()
    memory.rm("/bucket/corpus/shards", recursive=True)
    assert lengths(Corpus.open(BUCKET)) == [9, 15, 6]  # what was fetched is not fetched again
    assert not [file for file in cache.iterdir() if file.suffix == ".partial"]


def test_a_corpus_at_a_file_url(tmp_path, episodes, cache):
    (tmp_path / "corpus" / "shards").mkdir(parents=True)
    folder = f"file://{tmp_path}/corpus"
    for number, episode in enumerate(episodes):
        with EpisodeWriter(tmp_path / f"corpus/shards/{number}.h5") as writer:
            writer.add(episode)
    paths = sorted((tmp_path / "corpus/shards").iterdir())
    write_index(
        folder,
        [IndexedShard(f"shards/{p.name}", describe(EpisodeFile(p)), ["g"], ["t"]) for p in paths],
        "test",
        {},
    )
    corpus = Corpus.open(folder)
    assert lengths(corpus) == [9, 15, 6]
    assert corpus.file(0)[0].path == paths[0]
    assert not cache.exists()


def test_the_cache_is_bounded(memory, tmp_path, episodes, cache, monkeypatch):
    make_corpus(BUCKET, tmp_path, episodes * 3)
    corpus = Corpus.open(BUCKET)
    index = sum(file.stat().st_size for file in cache.iterdir())
    shard = corpus.shards[1].bytes
    monkeypatch.setenv("FIRSTHAND_CACHE_GB", str((index + 3.5 * shard) / 1e9))
    for recording in range(len(corpus)):
        corpus.file(recording)
        assert sum(file.stat().st_size for file in cache.iterdir()) <= index + 3.5 * shard
    assert lengths(corpus) == [9, 15, 6] * 3  # removed ones that are open may be read
    assert lengths(Corpus.open(BUCKET)) == [9, 15, 6] * 3  # others are fetched again


def test_an_abandoned_download_makes_room(tmp_path, cache, monkeypatch):
    cache.mkdir()
    (cache / "left.h5.partial").write_bytes(bytes(1000))
    os.utime(cache / "left.h5.partial", (0, 0))
    (tmp_path / "x").write_bytes(bytes(900))
    monkeypatch.setenv("FIRSTHAND_CACHE_GB", "1e-6")
    path = remote_files.fetch(f"file://{tmp_path}/x", "1", lambda path: None)
    assert list(cache.iterdir()) == [path]


@pytest.mark.parametrize("part", ["shards/1.h5", "index/recordings"])
def test_what_arrives_damaged_is_refused(memory, tmp_path, episodes, part, cache):
    make_corpus(BUCKET, tmp_path, episodes)
    (path,) = [path for path in memory.find("/bucket") if part in path]
    content = bytearray(memory.cat_file(path))
    content[len(content) // 2] ^= 1
    memory.pipe_file(path, bytes(content))
    with pytest.raises(UserError, match=rf"memory://bucket/corpus/{part}.*damaged") as error:
        lengths(Corpus.open(BUCKET))
    assert "partial" not in str(error.value)
    assert not [file for file in cache.iterdir() if file.suffix == ".partial"]
    memory.pipe_file(path, bytes(content)[:100])
    with pytest.raises(UserError, match=rf"memory://bucket/corpus/{part}"):
        lengths(Corpus.open(BUCKET))
    memory.rm_file(path)
    with pytest.raises(UserError, match=rf"memory://bucket/corpus/{part}.*(not there|missing)"):
        lengths(Corpus.open(BUCKET))


def test_a_shard_is_checked_before_it_is_kept(memory, tmp_path, make_episode, cache):
    """Every byte, not only those that opening reads."""
    make_corpus(BUCKET, tmp_path, [make_episode(0, 40, cameras={"rgb_static": (96, 96)})])
    corpus = Corpus.open(BUCKET)
    content = bytearray(memory.cat_file("/bucket/corpus/shards/0.h5"))
    content[content.rindex(b"JFIF") + 1000] ^= 1
    memory.pipe_file("/bucket/corpus/shards/0.h5", bytes(content))
    with pytest.raises(UserError, match=r"memory://bucket/corpus/shards/0\.h5: .*in demo_0"):
        corpus.file(0)
    assert not list(cache.glob("*.h5*"))


def test_another_shard_under_the_same_name_is_refused(memory, tmp_path, episodes):
    make_corpus(BUCKET, tmp_path, episodes)
    memory.copy("/bucket/corpus/shards/0.h5", "/bucket/corpus/shards/1.h5")
    with pytest.raises(UserError, match=r"shards/1\.h5: is not the file that was indexed"):
        Corpus.open(BUCKET).file(1)


def _fetch(location, log, slow):
    def check(path):
        with open(log, "a") as file:
            file.write("fetched\n")
        time.sleep(slow)

    assert remote_files.fetch(location, "1", check).read_bytes() == b"content" * 1000


def test_processes_wait_for_the_one_that_fetches(tmp_path, cache):
    (tmp_path / "x").write_bytes(b"content" * 1000)
    arguments = (f"file://{tmp_path}/x", tmp_path / "log", 0.3)
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=_fetch, args=arguments) for _ in range(5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert (tmp_path / "log").read_text() == "fetched\n"
    assert len(list(cache.iterdir())) == 1


def test_a_killed_download_is_done_again(tmp_path, cache):
    (tmp_path / "x").write_bytes(b"content" * 1000)
    arguments = (f"file://{tmp_path}/x", tmp_path / "log", 60)
    worker = multiprocessing.get_context("fork").Process(target=_fetch, args=arguments)
    worker.start()
    while not (tmp_path / "log").exists():
        time.sleep(0.01)
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    assert [file.suffix for file in cache.iterdir()] == [".partial"]
    _fetch(arguments[0], tmp_path / "log", 0)
    assert len(list(cache.iterdir())) == 1


def _lengths(corpus, queue):
    queue.put(lengths(corpus))


def test_forked_workers_open_shards_anew(memory, tmp_path, episodes, cache):
    make_corpus(BUCKET, tmp_path, episodes)
    corpus = Corpus.open(BUCKET)
    lengths(corpus)
    for file in cache.glob("*.h5"):  # as when other processes have filled the cache
        file.unlink()
    fork = multiprocessing.get_context("fork")
    queue = fork.SimpleQueue()
    worker = fork.Process(target=_lengths, args=(corpus, queue))
    worker.start()
    assert queue.get() == [9, 15, 6]
    worker.join()


@pytest.mark.parametrize(("url", "extra"), [("s3://b/c", "s3"), ("gs://b/c", "gcs")])
def test_a_missing_package_is_named(url, extra, monkeypatch):
    import sys

    for name in ("s3fs", "gcsfs"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    with pytest.raises(UserError, match=rf"{url}/corpus.json: .* install firsthand\[{extra}\]"):
        Corpus.open(url)


def test_a_place_without_a_corpus(memory):
    memory.pipe_file("/bucket/x", b"")
    with pytest.raises(UserError, match=r"memory://bucket: holds no corpus\.json"):
        Corpus.open("memory://bucket")
