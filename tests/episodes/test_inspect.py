import os

import numpy as np
import pytest
from PIL import Image

from episodes.episode import Episode
from episodes.errors import UserError
from episodes.inspect import contact_sheet, summarise
from episodes.store import EpisodeFile, EpisodeWriter


@pytest.fixture
def file(tmp_path, episodes):
    with EpisodeWriter(tmp_path / "a.h5") as writer:
        for episode, split in zip(episodes, ("train", "valid", "train"), strict=True):
            writer.add(episode, split)
    return EpisodeFile(tmp_path / "a.h5")


def test_summary_counts(file, episodes):
    summary = summarise(file)
    assert summary.splits == {"train": 2, "valid": 1}
    assert summary.frames == 30
    assert summary.seconds == pytest.approx(9 / 10 + 15 / 12.5 + 6 / 30)
    assert (summary.shortest, summary.longest) == pytest.approx((0.2, 1.2))
    assert summary.fps == {10.0: 1, 12.5: 1, 30.0: 1}
    assert summary.cameras == {"rgb_gripper": {(16, 16): 2}, "rgb_static": {(24, 32): 3}}
    assert (summary.with_state, summary.with_actions) == (2, 2)
    texts = {"push the red block", "a hand", "the bälle roll", "open it"}
    assert summary.texts == dict.fromkeys(texts, 1)
    rows = dict(summary.rows())
    assert rows["episodes"] == "3 (train 2, valid 1)"
    assert rows["rgb_static"] == "32x24 3"
    assert rows["rate"] == "10 fps, 12.5 fps, 30 fps"


def test_contact_sheet_shows_first_and_last_frames(file, tmp_path):
    path = contact_sheet(file, tmp_path / "new" / "sheet.png", episodes=3, frames=4, size=32)
    with Image.open(path) as image:
        sheet = np.asarray(image).astype(int)
    assert sheet.shape == (5 * 32, 4 * 32, 3)
    first = file.frames(0, "rgb_static", [0, 8]).astype(int)
    row = 32 * list(file.header(0).cameras).index("rgb_static")
    assert np.abs(sheet[row + 4 : row + 28, :32] - first[0]).mean() < 1
    assert np.abs(sheet[row + 4 : row + 28, 96:] - first[1]).mean() < 1
    assert os.listdir(tmp_path / "new") == ["sheet.png"]


def test_a_sheet_of_nothing_is_refused(tmp_path, file):
    with pytest.raises(UserError, match="0 x 8 x 96"):
        contact_sheet(file, tmp_path / "x.png", episodes=0)
    with EpisodeWriter(tmp_path / "b.h5") as writer:
        writer.add(Episode({}, 10.0, state=np.zeros((3, 15), np.float32)))
    with pytest.raises(UserError, match=r"b\.h5: holds no pictures"):
        contact_sheet(EpisodeFile(tmp_path / "b.h5"), tmp_path / "x.png")
