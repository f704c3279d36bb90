"""The home's corpus: SAYCam-S's layout, words that fit what is in view as often as is asked for."""

import hashlib
import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import read
from firsthand.episodes.formats.saycam.dataset import Saycam
from firsthand.episodes.formats.saycam.utterances import SPECIAL, read_utterances
from firsthand.episodes.jpeg import decode_jpeg
from firsthand.synthetic.home.corpus import HomeConfig, make_home
from firsthand.synthetic.home.language.phrases import FORMS
from firsthand.synthetic.home.language.speech import IN_VIEW, OUT_OF_SIGHT, Moment, named, speak
from firsthand.synthetic.home.recording import Spoken, generators, record_home, utterance_spans
from firsthand.synthetic.home.world.nouns import NOUNS, Thing


@cache
def spoken(alignment: float = 0.45, related: float = 0.0) -> tuple[Spoken, ...]:
    return tuple(
        said for index in range(3) for said in record_home(5, index, 40.0, 32, alignment, related)
    )


def small(**changes: Any) -> HomeConfig:
    chosen = HomeConfig(hours=30 / 3600, seconds=6.0, size=16, seed=3, evaluation=False, workers=1)
    return replace(chosen, **changes)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.mark.parametrize("alignment", [0.15, 0.45, 0.9])
def test_words_name_what_is_in_view_as_often_as_is_asked_for(alignment: float) -> None:
    """Judged anew from the words and from what the segmentation shows."""
    said = spoken(alignment)
    hits = [bool(named(s.row.utterance) & set(s.in_view)) for s in said]
    assert abs(np.mean(hits) - alignment) < 0.03, (np.mean(hits), len(hits))


def test_verbs_are_said_of_what_happens() -> None:
    forms = {form: verb for verb, told in FORMS.items() for form in told}
    told = [
        (s, forms[word])
        for s in spoken(0.9)
        for word in s.row.utterance.split()
        if word in forms and named(s.row.utterance) & set(s.in_view)
    ]
    assert len(told) > 5
    assert all(said.verb == verb for said, verb in told)


def moments(count: int) -> list[Moment]:
    """Now a ball, now a car is in view, now nothing."""
    things = ({0: 0.1, 1: 0.0}, {0: 0.0, 1: 0.05}, {0: 0.0, 1: 0.0})
    most = ({"ball": 0.2, "car": 0.0}, {"ball": 0.0, "car": 0.1}, {})
    verbs = ("push", "", "")
    return [
        Moment(things[i % 3], most[i % 3], i % 3 - 3 * (i % 3 == 2), verbs[i % 3])
        for i in range(count)
    ]


THINGS = tuple(Thing(noun, "red", "little", (), 0.1, 0.1) for noun in ("ball", "car"))


def test_names_are_true_and_others_out_of_sight() -> None:
    seen = moments(900)
    words = speak(seen, THINGS, 0.5, np.random.default_rng(0))
    hits = 0
    for moment, text in zip(seen, words, strict=True):
        assert "{" not in text
        in_view = {("ball", "car")[i] for i in moment.nameable()}
        hit = named(text) & in_view
        hits += bool(hit)
        assert named(text) in (hit, named(text) - in_view)
        for noun in named(text) - in_view:
            assert moment.most.get(noun, 0.0) <= OUT_OF_SIGHT
    assert hits == 450
    assert IN_VIEW > OUT_OF_SIGHT


def test_where_nothing_is_in_view_nothing_in_view_is_named() -> None:
    seen = moments(300)
    words = speak(seen, THINGS, 1.0, np.random.default_rng(0))
    hits = [bool(named(text)) and bool(m.nameable()) for m, text in zip(seen, words, strict=True)]
    assert sum(hits) == 200


def test_words_are_as_uneven_as_zipf_found() -> None:
    """The slope of log frequency over log rank lies near -1."""
    rng = np.random.default_rng(1)
    things = [Thing(noun, "red", "little", (), 0.1, 0.1) for noun in NOUNS]
    attended = rng.integers(len(things), size=12000)
    seen = [Moment({int(i): 0.1}, {things[i].noun: 0.1}, int(i)) for i in attended]
    words = speak(seen, things, 0.45, rng)
    counts = Counter(word for text in words for word in text.split())
    frequent = np.array(sorted(counts.values(), reverse=True)[2:150], float)
    slope = np.polyfit(np.log(np.arange(3, len(frequent) + 3)), np.log(frequent), 1)[0]
    assert -1.5 < slope < -0.7, slope
    assert {"the", "a", "you", "?", "'s"} <= {word for word, _ in counts.most_common(12)}


def test_utterances_are_short_and_follow_each_other() -> None:
    from firsthand.synthetic.home.behaviour.activities import plan
    from firsthand.synthetic.home.world.scene import make_scene, noun_weights

    scene_rng, activity_rng, *_ = generators(0, "train", 0)
    scene = make_scene("kitchen", scene_rng, noun_weights("kitchen"))
    activities = plan(scene, 1000, activity_rng)
    spans = utterance_spans(activities, 1000, activity_rng)
    assert 60 < len(spans) < 200
    for (_, end, _), (begin, _, _) in zip(spans[:-1], spans[1:], strict=True):
        assert end <= begin
    lengths = [end - begin for begin, end, _ in spans]
    assert 3 <= min(lengths) <= max(lengths) <= 32
    assert sum(lengths) > 900  # of 1000 frames
    verbs = {(b.start, b.end) for b in activities if b.kind == "verb" and b.end < 1000}
    assert verbs <= {(begin, end) for begin, end, _ in spans}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(small(), tmp_path_factory.mktemp("home") / "corpus")


def test_the_layout_is_saycams(made: Path) -> None:
    """Checked against the description of CVCL's files, with a reader of its own."""
    rows = [
        r
        for name in ("train", "val", "test")
        for r in json.loads((made / f"{name}.json").read_text())["data"]
    ]
    fields = {"utterance", "transcript_filename", "video_filename", "utterance_num", "num_frames",
              "timestamps", "frame_filenames"}  # fmt: skip
    frames = {path.name for path in (made / "train_5fps").iterdir()}
    named_frames = []
    for row in rows:
        assert set(row) == fields
        assert len(row["timestamps"]) == row["num_frames"] == len(row["frame_filenames"]) <= 32
        np.testing.assert_allclose(np.diff(row["timestamps"]), 0.2)
        video = row["video_filename"].removesuffix(".mp4")
        for number, name in enumerate(row["frame_filenames"]):
            assert name == f"{video}_{row['utterance_num']:03}_{number:02}.jpg"
        assert row["utterance"] == " ".join(row["utterance"].split()).lower()
        assert re.fullmatch(r"[a-z' .,!?]+", row["utterance"])
        named_frames += row["frame_filenames"]
    assert len(named_frames) == len(set(named_frames))
    assert set(named_frames) == frames
    picture = decode_jpeg((made / "train_5fps" / named_frames[0]).read_bytes())
    assert picture.shape == (16, 16, 3)
    train, shuffled = (read_utterances(made / f"{n}.json") for n in ("train", "train_shuffled"))
    assert [r.frame_filenames for r in train] == [r.frame_filenames for r in shuffled]
    assert sorted(r.utterance for r in train) == sorted(r.utterance for r in shuffled)
    vocabulary = json.loads((made / "vocab.json").read_text())
    assert list(vocabulary)[:4] == list(SPECIAL)
    assert list(vocabulary.values()) == list(range(len(vocabulary)))
    truth = json.loads((made / "in_view.json").read_text())["data"]
    assert len(truth) == len(rows)
    assert all(set(entry["in_view"]) <= set(NOUNS) for entry in truth)
    assert not (made / "making").exists()


def test_the_corpus_is_read_as_recordings_with_words(made: Path) -> None:
    episodes = list(read(Saycam(root=made, size=16)))
    parts = [read_utterances(made / f"{name}.json") for name in ("train", "val", "test")]
    rows = [row for part in parts for row in part]
    said = sorted(episode.instruction for episode in episodes)
    assert said == sorted(row.utterance for row in rows)
    assert sum(len(episode) for episode in episodes) == sum(row.num_frames for row in rows)
    assert {episode.fps for episode in episodes} == {5.0}


def test_the_corpus_does_not_depend_on_the_number_of_workers(made: Path, tmp_path: Path) -> None:
    two = make_home(small(workers=2), tmp_path / "two")
    assert digests(two) == digests(made)


def test_a_killed_corpus_resumes_to_the_same_bytes(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    code = (
        "from pathlib import Path; from tests.synthetic.home.test_corpus import *;"
        f"make_home(small(), Path({str(out)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    while not list(out.glob("making/0*.json")) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    ledgers = sorted((out / "making").glob("0*.json"))
    assert ledgers
    assert not (out / "home.json").exists()
    short = json.loads(ledgers[0].read_text())[0]["row"]["frame_filenames"][0]
    (out / "train_5fps" / short).write_bytes(b"")  # as a machine that lost power may leave it
    with pytest.raises(UserError, match="choose another name"):
        make_home(small(alignment=0.9), out, resume=True)
    make_home(small(), out, resume=True)
    assert digests(out) == digests(made)


def test_a_finished_corpus_is_left_and_another_folder_refused(made: Path, tmp_path: Path) -> None:
    before = (made / "home.json").stat().st_mtime_ns
    assert make_home(small(workers=2), made, resume=True) == made
    assert (made / "home.json").stat().st_mtime_ns == before
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="holds something else"):
        make_home(small(), tmp_path)
    assert (tmp_path / "letter.txt").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alignment": 1.5}, r"alignment must lie in \[0, 1\], not 1.5"),
        ({"related": -0.1}, r"related must lie in \[0, 1\], not -0.1"),
        ({"workers": 0}, "workers must be at least 1, not 0"),
        ({"seconds": 1.0}, "at least 4 seconds, not 1.0"),
        ({"hours": 0.001}, "less than one recording"),
    ],
)
def test_impossible_configurations_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        small(**changes)
