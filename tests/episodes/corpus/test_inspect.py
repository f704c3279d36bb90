import os

import numpy as np
import pytest
from PIL import Image

from firsthand.common.errors import UserError
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.corpus.index_writer import IndexedShard, describe, write_index
from firsthand.episodes.corpus.inspect import contact_sheet, summarise
from firsthand.episodes.episode import Episode, Narration
from firsthand.episodes.storage.merge import EpisodeFile, EpisodeWriter


@pytest.fixture
def corpus(tmp_path, episodes):
    with EpisodeWriter(tmp_path / "a.h5") as writer:
        for episode, split in zip(episodes, ("train", "valid", "train"), strict=True):
            writer.add(episode, split)
    return Corpus.open(tmp_path / "a.h5")


def test_summary_counts(corpus):
    summary = summarise(corpus)
    assert summary.splits == {"train": 2, "valid": 1}
    assert summary.frames == 30
    assert summary.seconds == pytest.approx(9 / 10 + 15 / 12.5 + 6 / 30)
    assert (summary.shortest, summary.longest) == pytest.approx((0.2, 1.2))
    assert summary.fps == {10.0: 1, 12.5: 1, 30.0: 1}
    assert summary.cameras == {"rgb_gripper": {(16, 16): 2}, "rgb_static": {(24, 32): 3}}
    assert (summary.with_state, summary.with_actions) == (2, 2)
    assert summary.signals == {"done": {"bool []": 1}, "scene_obs": {"float64 [24]": 1}}
    assert summary.groups is None
    texts = {"push the red block", "a hand", "the bälle roll", "open it"}
    assert summary.texts == dict.fromkeys(texts, 1)
    assert summary.different_texts == 4
    rows = dict(summary.rows())
    assert rows["episodes"] == "3 (train 2, valid 1)"
    assert rows["rgb_static"] == "32x24 3"
    assert rows["rate"] == "10 fps, 12.5 fps, 30 fps"


def test_contact_sheet_shows_first_and_last_frames(corpus, tmp_path):
    path = contact_sheet(corpus, tmp_path / "new" / "sheet.png", episodes=3, frames=4, size=32)
    with Image.open(path) as image:
        sheet = np.asarray(image).astype(int)
    assert sheet.shape == (3 * (20 + 12) + 5 * 36, 84 + 4 * 36, 3)
    file = corpus.shard(0)
    first = file.frames(0, "rgb_static", [0, 8]).astype(int)
    row = 20 + 36 * list(file.header(0).cameras).index("rgb_static")
    assert np.abs(sheet[row + 4 : row + 28, 84:116] - first[0]).mean() < 1
    assert np.abs(sheet[row + 4 : row + 28, 192:224] - first[1]).mean() < 1
    assert (sheet[row : row + 32, 116:120] == 255).all()  # a gap
    assert sheet[:20, :80].min() < 100  # the sentence
    assert sheet[row : row + 32, :80].min() < 150  # the camera's name
    assert os.listdir(tmp_path / "new") == ["sheet.png"]


def test_a_sheet_of_nothing_is_refused(tmp_path, corpus):
    with pytest.raises(UserError, match="0 x 8 x 96"):
        contact_sheet(corpus, tmp_path / "x.png", episodes=0)
    with EpisodeWriter(tmp_path / "b.h5") as writer:
        writer.add(Episode({}, 10.0, state=np.zeros((3, 15), np.float32)))
    with pytest.raises(UserError, match=r"b\.h5: holds no pictures"):
        contact_sheet(Corpus.open(tmp_path / "b.h5"), tmp_path / "x.png")


def test_a_long_text_is_shown_in_part_and_our_own_videos_have_an_origin(tmp_path, make_episode):
    with EpisodeWriter(tmp_path / "a.h5") as writer:
        text = "put it\n" + "x" * 100_000
        writer.add(make_episode(0, 4, instruction=text, source={"source": "hands"}))
    rows = summarise(Corpus.open([str(tmp_path / "a.h5")])).rows()
    assert dict(rows)["made from"] == "hands 1"
    assert rows[-1][1].startswith("put it xxx")
    assert rows[-1][1].endswith("x… (100,007 letters)")
    assert rows[-1][1].count("x") == 200 - len("put it ")
    contact_sheet(Corpus.open([str(tmp_path / "a.h5")]), tmp_path / "x.png", size=8)


def test_groups_and_texts_of_a_corpus(tmp_path, make_episode):
    """A text counts once a recording, however often it is said there."""
    said = tuple(Narration(float(n), n + 1.0, text) for n, text in enumerate(["a", "b", "a"]))
    with EpisodeWriter(tmp_path / "a.h5") as writer:
        writer.add(make_episode(0, 4, instruction="b"))
        writer.add(make_episode(1, 4, narrations=said))
        writer.add(make_episode(2, 4, instruction="a", narrations=said[:1]))
    shard = IndexedShard("a.h5", describe(EpisodeFile(tmp_path / "a.h5")), "xyx", ["t", "t", "v"])
    write_index(tmp_path, [shard], "test", {})
    summary = summarise(Corpus.open(tmp_path))
    assert (summary.groups, summary.cut_groups) == (2, 1)
    assert summary.texts == {"a": 2, "b": 2}
    assert summary.origins == {"test": 3}
    assert dict(summary.rows())["groups"] == "2 (1 of them in several splits)"
