import json
import multiprocessing
import os
import pickle

import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.corpus.index_writer import IndexedShard, describe, write_index
from firsthand.episodes.corpus.manifest import read_manifest
from firsthand.episodes.storage.merge import EpisodeFile, EpisodeWriter


def write(path, episodes, splits=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    with EpisodeWriter(path, source={"origin": "test"}) as writer:
        for episode, split in zip(episodes, splits or ["train"] * len(episodes), strict=True):
            writer.add(episode, split)
    return path


def make_corpus(folder, episodes):
    """Two shards, the second named before the first."""
    first = write(folder / "shards" / "b.h5", episodes[:2])
    second = write(folder / "shards" / "a.h5", episodes[2:])
    shards = [
        IndexedShard("shards/b.h5", describe(EpisodeFile(first)), ["v1", "v2"], ["train", "valid"]),
        IndexedShard("shards/a.h5", describe(EpisodeFile(second)), ["v1"], ["train"]),
    ]
    write_index(folder, shards, "test", {"key": "k"})
    return folder


@pytest.fixture
def folder(tmp_path, episodes):
    return make_corpus(tmp_path / "corpus", episodes)


def test_a_corpus_says_what_its_shards_say(folder, episodes):
    corpus = Corpus.open(folder)
    assert len(corpus) == 3
    assert corpus.folder == str(folder)
    assert corpus.recordings["shard"].tolist() == [0, 0, 1]
    assert corpus.recordings["length"].tolist() == [9, 15, 6]
    assert corpus.splits == ("train", "valid")
    assert corpus.split("train").tolist() == [0, 2]
    assert corpus.split(None).tolist() == [0, 1, 2]
    assert [corpus.group(i) for i in range(3)] == ["v1", "v2", "v1"]
    assert set(corpus.texts) == {"push the red block", "", "a hand", "the bälle roll", "open it"}
    for recording, episode in enumerate(episodes):
        file, number = corpus.file(recording)
        assert corpus.header(recording) == file.header(number)
        assert corpus.narrations(recording) == episode.narrations
        assert np.array_equal(
            file.read(number).frames["rgb_static"].shape, (len(episode), 24, 32, 3)
        )
    manifest = read_manifest(folder)
    assert manifest.origin, manifest.settings == ("test", {"key": "k"})
    assert manifest.splits == {"train": 2, "valid": 1}
    assert manifest.totals["frames"] == 30
    assert manifest.statistics["state"]["count"] == 15
    assert manifest.totals["bytes"] == sum(p.stat().st_size for p in folder.glob("shards/*"))
    corpus.verify()


def test_plain_files_are_a_corpus(tmp_path, episodes):
    a = write(tmp_path / "a.h5", episodes[:2], ["train", "valid"])
    write(tmp_path / "b.hdf5", episodes[2:])
    (tmp_path / "notes.txt").write_text("not episodes")
    for corpus in (Corpus.open(tmp_path), Corpus.open([a, tmp_path / "b.hdf5"])):
        assert corpus.folder is None
        assert corpus.split("train").tolist() == [0, 2]
        assert corpus.split("valid").tolist() == [1]
        assert corpus.file(2)[0].path == tmp_path / "b.hdf5"
        assert [corpus.header(i) for i in range(3)] == [
            *EpisodeFile(a).headers,
            *EpisodeFile(tmp_path / "b.hdf5").headers,
        ]
    assert len(Corpus.open(a)) == 2
    assert Corpus.open(a).fingerprint != Corpus.open(tmp_path).fingerprint


def test_splits_of_plain_files_may_overlap(tmp_path, episodes):
    """As robomimic's masks for parts of the training data do."""
    import h5py

    from firsthand.episodes.storage.checksum import seal

    path = write(tmp_path / "a.h5", episodes)
    with h5py.File(path, "r+") as file:
        file["mask/few"] = file["mask/few_again"] = np.array([b"demo_1"])
    seal(path)
    corpus = Corpus.open(path)
    assert corpus.split("few").tolist() == corpus.split("few_again").tolist() == [1]
    assert corpus.split("train").tolist() == [0, 1, 2]
    assert [corpus.splits[n] for n in corpus.recordings["split"]] == [
        "few" if n == 1 else "train" for n in range(3)
    ]


def test_same_shards_same_bytes(tmp_path, episodes):
    first, second = (make_corpus(tmp_path / name, episodes) for name in "ab")
    names = sorted(str(p.relative_to(first)) for p in first.rglob("*") if p.is_file())
    assert names == sorted(str(p.relative_to(second)) for p in second.rglob("*") if p.is_file())
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_remaking_the_index_leaves_nothing_behind(folder, episodes):
    before = sorted(os.listdir(folder / "index"))
    summary = describe(EpisodeFile(folder / "shards/b.h5"))
    shard = IndexedShard("shards/b.h5", summary, ["x", "y"], ["train", "train"])
    write_index(folder, [shard], "test", {})
    assert len(os.listdir(folder / "index")) == len(before)
    assert len(Corpus.open(folder)) == 2


def test_a_corpus_stays_until_its_successor_is_complete(folder, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("firsthand.episodes.corpus.manifest.Manifest.write", killed)
    summary = describe(EpisodeFile(folder / "shards/b.h5"))
    with pytest.raises(KeyboardInterrupt):
        write_index(folder, [IndexedShard("shards/b.h5", summary, "xy", ["t", "t"])], "test", {})
    corpus = Corpus.open(folder)
    assert len(corpus) == 3
    assert not corpus.problems()


def test_a_folder_may_be_called_like_a_file(tmp_path, episodes):
    assert len(Corpus.open(make_corpus(tmp_path / "corpus.h5", episodes))) == 3


def test_an_open_corpus_outlives_its_successor(folder, episodes):
    """The old index goes, but who has mapped it keeps it."""
    corpus = Corpus.open(folder)
    summary = describe(EpisodeFile(folder / "shards/b.h5"))
    write_index(folder, [IndexedShard("shards/b.h5", summary, "xy", ["t", "t"])], "test", {})
    assert corpus.header(2).instruction == "open it"


def _sum(corpus, queue):
    files = [corpus.file(i) for i in range(len(corpus))]
    queue.put(sum(int(f.read(n).frames["rgb_static"].sum()) for f, n in files))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("kind", ["corpus", "files"])
def test_a_corpus_in_use_goes_to_other_processes(folder, method, kind):
    corpus = Corpus.open(folder if kind == "corpus" else folder / "shards")
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    _sum(corpus, queue)
    worker = context.Process(target=_sum, args=(corpus, queue))
    worker.start()
    assert queue.get() == queue.get()
    worker.join()
    assert worker.exitcode == 0


def test_a_corpus_travels_light(folder):
    corpus = Corpus.open(folder)
    corpus.file(0)
    copy = pickle.loads(pickle.dumps(corpus))
    assert isinstance(copy.recordings, np.memmap)
    assert copy.header(1) == corpus.header(1)


def test_few_shards_stay_open(tmp_path, make_episode):
    for number in range(20):
        write(tmp_path / f"{number:02}.h5", [make_episode(number, 2)])
    corpus = Corpus.open(tmp_path)
    files = [corpus.file(i)[0] for i in range(20)]
    assert corpus.file(19)[0] is files[19]
    assert corpus.file(0)[0] is not files[0]
    assert sum(file._handle is not None for file in files) <= 16


def flip(path, position=None):
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if position is None else position] ^= 1
    path.write_bytes(content)


ARRAYS = ["recordings", "narrations", "texts", "text_ends", "groups", "group_ends", "sources"]


@pytest.mark.parametrize("array", [*ARRAYS, "source_ends"])
def test_a_flipped_byte_in_the_index_is_found(folder, array):
    (path,) = (folder / "index").glob(f"{array}.*.npy")
    for position in (0, path.stat().st_size - 1):
        flip(path, position)
        with pytest.raises(UserError, match=rf"{path.name}: is damaged"):
            Corpus.open(folder)
        flip(path, position)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=rf"{path.name}: is \d+ bytes long, not \d+"):
        Corpus.open(folder)
    path.unlink()
    with pytest.raises(UserError, match=rf"{path.name}: is missing"):
        Corpus.open(folder)


def test_a_damaged_manifest_is_an_error_or_says_the_same(folder):
    """The last digit of a number may say nothing."""
    before = read_manifest(folder)
    path = folder / "corpus.json"
    whole = path.read_bytes()
    for position in range(0, len(whole), 7):
        path.write_bytes(whole[:position])
        with pytest.raises(UserError, match=r"corpus\.json: "):
            Corpus.open(folder)
        flipped = bytearray(whole)
        flipped[position] ^= 1
        path.write_bytes(flipped)
        try:
            after, problem = read_manifest(folder), ""
        except UserError as error:
            after, problem = before, str(error)
        assert after == before
        assert not problem or problem.startswith(f"{path}: ")


@pytest.mark.parametrize("name", ["../a.h5", "/etc/passwd", "shards/../../a.h5", "shards/..", ""])
def test_no_name_in_a_manifest_leads_out_of_the_corpus(folder, name):
    from dataclasses import replace

    manifest = read_manifest(folder)
    shard = replace(manifest.shards[0], name=name)
    replace(manifest, shards=(shard, *manifest.shards[1:])).write(folder)
    with pytest.raises(UserError, match="does not name a file of a corpus"):
        Corpus.open(folder)


def test_a_newer_manifest_is_not_guessed_at(folder):
    facts = json.loads((folder / "corpus.json").read_text())
    (folder / "corpus.json").write_text(json.dumps({**facts, "format_version": 9}))
    with pytest.raises(UserError, match=r"corpus\.json: has format version 9; 1 can be read"):
        Corpus.open(folder)


def test_missing_replaced_and_damaged_shards_are_named(folder, episodes):
    shard = folder / "shards" / "a.h5"
    whole = shard.read_bytes()
    flip(shard)
    with pytest.raises(UserError, match=r"a\.h5: .*bytes \d+ to \d+ are damaged"):
        Corpus.open(folder).verify()
    flip(folder / "shards" / "b.h5")
    damaged = r"b\.h5: .*damaged.*; and 1 more files are damaged"
    with pytest.raises(UserError, match=damaged):
        Corpus.open(folder).verify()
    assert len(Corpus.open(folder).problems()) == 2
    flip(folder / "shards" / "b.h5")
    write(shard, episodes[:1])
    with pytest.raises(UserError, match=r"a\.h5: is not the file that was indexed"):
        Corpus.open(folder).file(2)
    shard.unlink()
    with pytest.raises(UserError, match=r"a\.h5: cannot be opened: No such file"):
        Corpus.open(folder).file(2)
    shard.write_bytes(whole)
    Corpus.open(folder).verify()


def test_an_index_of_something_else_is_a_problem(folder):
    summary = describe(EpisodeFile(folder / "shards/b.h5"))
    summary["headers"][1]["fps"] = 11.0
    write_index(folder, [IndexedShard("shards/b.h5", summary, "xy", ["t", "t"])], "test", {})
    (problem,) = Corpus.open(folder).problems()
    assert problem.endswith("b.h5: the index says something else of demo_1")


def test_mistakes_are_named(folder, tmp_path):
    corpus = Corpus.open(folder)
    with pytest.raises(UserError, match="has no split 'test', only train, valid"):
        corpus.split("test")
    with pytest.raises(UserError, match="has 3 recordings, none of number 3"):
        corpus.header(3)
    with pytest.raises(UserError, match="no episodes at .*none: there is no such file or folder"):
        Corpus.open(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty holds no file of episodes"):
        Corpus.open(tmp_path / "empty")
    with pytest.raises(UserError, match="is a corpus with an index: name it alone"):
        Corpus.open([folder])
    with pytest.raises(UserError, match="name at least one file"):
        Corpus.open([])
    with pytest.raises(UserError, match="at least one recording"):
        write_index(tmp_path / "new", [], "test", {})
    summary = describe(EpisodeFile(folder / "shards/b.h5"))
    with pytest.raises(UserError, match="2 recordings, but 1 groups and 2 splits"):
        write_index(folder, [IndexedShard("b.h5", summary, ["x"], ["t", "t"])], "test", {})
