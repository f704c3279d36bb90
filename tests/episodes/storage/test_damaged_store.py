"""Our own files and corpora: every damaged byte is found, and no sealed lie is believed."""

import json
import resource
import shutil
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.corpus.manifest import _sum
from firsthand.episodes.episode import WindowSpec
from firsthand.episodes.jpeg import encode_jpeg
from firsthand.episodes.sampling.windows import Windows
from firsthand.episodes.storage.checksum import seal
from firsthand.episodes.storage.merge import EpisodeWriter
from tests.episodes.conftest import record
from tests.episodes.corpus.test_corpus import make_corpus
from tests.helpers.damage import DESTROY, HURT, MEGABYTES, SECONDS

HUGE = 10**12
FILES = ("corpus.json", "shards/a.h5", "index/*recordings*", "index/*texts*")
DAMAGES = DESTROY | HURT


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    make_corpus(folder / "corpus", [record(0), record(1, instruction="stir"), record(2)])
    with EpisodeWriter(folder / "file.h5") as writer:
        writer.add(record(3))
        writer.add(record(4, instruction="pour"), "valid")
    return folder


@pytest.fixture
def root(sound, tmp_path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "root"))


def read_all(place: Path) -> int:
    """Look at everything in a corpus or a file of episodes, as training and inspection do."""
    corpus = Corpus.open(place)
    corpus.verify()
    for number in range(len(corpus)):
        file, episode = corpus.file(number)
        file.read(episode)
    windows = Windows(corpus, WindowSpec(3, 0.2, ("rgb_static",), future=0.2, chunk=2))
    for index in (0, len(windows) - 1):
        _ = windows[index]
    return len(corpus)


def refusal(place: Path) -> str:
    started, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError) as error:
        read_all(place)
    assert time.process_time() - started < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEGABYTES * 1024
    assert not (place.parent.parent / "canary").exists()
    return str(error.value)


def test_sound_ones_are_read(sound):
    assert read_all(sound / "corpus") == 3
    assert read_all(sound / "file.h5") == 2


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_damaged_parts_of_a_corpus_are_named(root, file, damage):
    DAMAGES[damage](next((root / "corpus").glob(file)))
    said = refusal(root / "corpus")
    assert "corpus" in said


@pytest.mark.parametrize("file", FILES)
def test_missing_parts_of_a_corpus_are_named(root, file):
    next((root / "corpus").glob(file)).unlink()
    assert "corpus" in refusal(root / "corpus")


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_named(root, damage):
    DAMAGES[damage](root / "file.h5")
    assert "file.h5" in refusal(root / "file.h5")


def headers(**changes):
    """Change what the file says of its first recording."""

    def edit(file):
        listed = json.loads(file["headers"][:].tobytes())
        listed[0] |= changes
        text(json.dumps(listed))(file)

    return edit


def text(content):
    def edit(file):
        del file["headers"]
        file["headers"] = np.frombuffer(content.encode(), np.uint8)

    return edit


def pictures(data):
    def edit(file):
        frames = file["data/demo_0/obs/rgb_static"]
        frames[2] = np.frombuffer(data, np.uint8)

    return edit


def instead(name, make):
    def edit(file):
        del file[name]
        make(file, name)

    return edit


def external_storage(file, name):
    file.create_dataset(name, (12, 7), "f4", external=[("/etc/passwd", 0, 336)])


JPEG = encode_jpeg(np.zeros((24, 32, 3), np.uint8))
SIZE = JPEG.index(b"\xff\xc0") + 5  # of the picture, in its header
LIES = {
    "no JSON": text("{"),
    "deep": text("[" * 50_000),
    "numbers": text("[1, 2]"),
    "a table": text("{}"),
    "fewer": text("[]"),
    "half a header": text('[{"name": "demo_0"}]'),
    "no such demo": headers(name="demo_7"),
    "named twice": headers(name="demo_1"),
    "another group": headers(name="../mask"),
    "huge length": headers(length=HUGE),
    "longer": headers(length=13),
    "negative length": headers(length=-1),
    "length of text": headers(length="12"),
    "no rate": headers(fps=0.0),
    "rate of text": headers(fps="fast"),
    "no such camera": headers(cameras={"rgb_static": [24, 32], "head": [8, 8]}),
    "huge pictures": headers(cameras={"rgb_static": [HUGE, HUGE]}),
    "larger pictures": headers(cameras={"rgb_static": [25, 32]}),
    "size of text": headers(cameras={"rgb_static": ["a", "b"]}),
    "narrations of numbers": headers(narrations=[1]),
    "no JPEG": pictures(b"no picture at all"),
    "half a JPEG": pictures(JPEG[: len(JPEG) // 2]),
    "another size": pictures(encode_jpeg(np.zeros((8, 8, 3), np.uint8))),
    "absurd JPEG": pictures(JPEG[:SIZE] + b"\xff\xdc\xff\xdc" + JPEG[SIZE + 4 :]),
    "no picture": pictures(b""),
    "fewer pictures": instead(
        "data/demo_0/obs/rgb_static", lambda f, n: f.create_dataset(n, (2,), h5py.vlen_dtype("u1"))
    ),
    "pictures of numbers": instead(
        "data/demo_0/obs/rgb_static", lambda f, n: f.create_dataset(n, data=np.zeros((12, 3)))
    ),
    "fewer actions": instead(
        "data/demo_0/actions", lambda f, n: f.create_dataset(n, data=np.zeros((3, 7), "f4"))
    ),
    "narrow actions": instead(
        "data/demo_0/actions", lambda f, n: f.create_dataset(n, data=np.zeros((12, 6), "f4"))
    ),
    "actions of text": instead(
        "data/demo_0/actions", lambda f, n: f.create_dataset(n, data=[b"a"] * 12)
    ),
    "no actions": instead("data/demo_0/actions", lambda f, n: None),
    "absurd actions": instead(
        "data/demo_0/actions", lambda f, n: f.create_dataset(n, (HUGE, 7), "f4", chunks=(9, 7))
    ),
    "link to a file": instead(
        "data/demo_0/actions", lambda f, n: f.__setitem__(n, h5py.ExternalLink("/etc/passwd", "x"))
    ),
    "actions elsewhere": instead("data/demo_0/actions", external_storage),
    "link in a circle": instead(
        "data/demo_0/actions", lambda f, n: f.__setitem__(n, h5py.SoftLink(f"/{n}"))
    ),
    "no list of splits": lambda file: file.__delitem__("mask"),
    "split of a stranger": instead(
        "mask/valid", lambda f, n: f.create_dataset(n, data=[b"demo_99"])
    ),
    "version": lambda file: file["data"].attrs.__setitem__("format_version", 99),
    "version of text": lambda file: file["data"].attrs.__setitem__("format_version", "x"),
    "source of nothing": lambda file: file["data"].attrs.__setitem__("source", "{"),
}


@pytest.mark.parametrize("lie", LIES)
def test_sealed_lies_are_not_believed(root, lie):
    with h5py.File(root / "file.h5", "r+") as file:
        LIES[lie](file)
    seal(root / "file.h5")
    said = refusal(root / "file.h5")
    assert "file.h5" in said
    assert "root:" not in said


def shard(**changes):
    return lambda facts: facts["shards"][0].update(changes)


MANIFESTS = {
    "upwards": shard(name="../file.h5"),
    "absolute": shard(name="/etc/passwd"),
    "through a folder": shard(name="shards/../../file.h5"),
    "hidden": shard(name="shards/.x.h5"),
    "another shard": shard(name="shards/a.h5"),
    "missing": shard(name="shards/c.h5"),
    "more recordings": shard(recordings=3),
    "huge": shard(recordings=HUGE),
    "negative": shard(recordings=-2),
    "text": shard(recordings="2"),
    "no shards": lambda facts: facts.update(shards=[]),
    "no contents": lambda facts: facts.update(contents=[]),
    "other cameras": lambda facts: facts["contents"][0].update(cameras={"head": [8, 8]}),
    "no index": lambda facts: facts.update(index={}),
    "index elsewhere": lambda facts: facts["index"]["recordings"].update(name="../x.npy"),
    "newer": lambda facts: facts.update(format_version=7),
    "more fields": lambda facts: facts.update(extra=1),
}


@pytest.mark.parametrize("lie", MANIFESTS)
def test_manifests_that_lie_are_not_believed(root, lie):
    path = root / "corpus" / "corpus.json"
    facts = json.loads(path.read_text())
    facts.pop("sha256")
    MANIFESTS[lie](facts)
    path.write_text(json.dumps(facts | {"sha256": _sum(facts)}))
    assert "corpus" in refusal(root / "corpus")
