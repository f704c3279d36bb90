"""Utterances with frames, drawn anew and all the same by number."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from firsthand.common.errors import UserError
from firsthand.episodes.sampling.order import Shuffled
from firsthand.grounding.config import ClipConfig
from firsthand.grounding.pairs import (
    UNCHANGED,
    PairConfig,
    Pairs,
    augmented,
    frame_indices,
    random_crop,
)
from firsthand.training.augment import ColorConfig

COUNT = 7
SMALL = PairConfig(size=16)


@pytest.fixture
def root(tmp_path) -> Path:
    """Utterance i has i % 3 + 1 frames, whose grey says which is which; the last one has none."""
    (tmp_path / "train_5fps").mkdir()
    rows = []
    for i in range(COUNT + 1):
        names = [f"v_{i:03}_{j:02}.png" for j in range(i % 3 + 1)] if i < COUNT else []
        for j, name in enumerate(names):
            Image.new("RGB", (32, 24), (20 * i + 5 * j,) * 3).save(tmp_path / "train_5fps" / name)
        rows.append({
            "utterance": "look a ball" if i % 2 else "ball",
            "transcript_filename": "t.csv",
            "video_filename": "v.mp4",
            "utterance_num": i + 1,
            "num_frames": len(names),
            "timestamps": [0.2 * j for j in range(len(names))],
            "frame_filenames": names,
        })  # fmt: skip
    (tmp_path / "train.json").write_text(json.dumps({"data": rows}))
    words = ("<pad>", "<unk>", "<sos>", "<eos>", "ball", "look")
    (tmp_path / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(words)}))
    return tmp_path


def which(batch) -> list[tuple[int, int]]:
    """Utterance and frame of every picture."""
    greys = batch.images.float().mean(dim=(1, 2, 3)).round().int().tolist()
    return [(grey // 20, grey % 20 // 5) for grey in greys]


def test_every_utterance_comes_once_an_epoch_with_any_of_its_frames(root):
    pairs = Pairs(root, SMALL)
    assert len(pairs) == COUNT
    seen = [place for number in range(40 * COUNT) for place in which(pairs.batch(number, 1, 0))]
    for epoch in range(40):
        part = seen[epoch * COUNT : (epoch + 1) * COUNT]
        assert sorted(utterance for utterance, _ in part) == list(range(COUNT))
    assert set(seen) == {(i, j) for i in range(COUNT) for j in range(i % 3 + 1)}
    assert seen[:COUNT] != seen[COUNT : 2 * COUNT]


def test_a_batch_is_decided_by_its_number(root):
    pairs = Pairs(root, SMALL)
    found = pairs.batch(5, 4, 3)
    again = pickle.loads(pickle.dumps(Pairs(root, SMALL))).batch(5, 4, 3)
    assert torch.equal(found.images, again.images)
    assert torch.equal(found.tokens, again.tokens)
    assert which(pairs.batch(5, 4, 4)) != which(found) or not torch.equal(
        pairs.batch(5, 4, 4).images, found.images
    )


def test_pictures_and_utterances_belong_together(root):
    batch = Pairs(root, SMALL).batch(0, COUNT, 0)
    assert batch.images.shape == (COUNT, 3, 16, 16)
    for (utterance, _), tokens, length in zip(
        which(batch), batch.tokens, batch.lengths, strict=True
    ):
        wanted = [2, 5, 1, 4, 3] if utterance % 2 else [2, 4, 3]
        assert tokens[:length].tolist() == wanted


def test_measuring_takes_the_first_frame_as_it_is(root):
    pairs = Pairs(root, replace(UNCHANGED, size=16))
    assert which(pairs.rows(0, 4)) == [(i, 0) for i in range(4)]
    assert which(pairs.rows(4, 99)) == [(i, 0) for i in range(4, COUNT)]
    assert {j for n in range(9) for _, j in which(pairs.batch(n, COUNT, 0))} == {0}
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8))
    same = augmented(picture, replace(UNCHANGED, size=16), np.random.default_rng(0))
    assert np.array_equal(np.asarray(same), np.asarray(picture))


@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.sampled_from([0.0, 0.2, 0.9, 1.0]),
    st.integers(0, 99),
)
def test_a_rectangle_lies_within_and_is_large_enough(width, height, least, seed):
    left, top, right, bottom = random_crop(width, height, least, np.random.default_rng(seed))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    w, h = right - left, bottom - top
    assert (w + 1) * (h + 1) >= least * width * height
    if (w, h) != (width, height):
        assert (w - 1) / (h + 1) <= 4 / 3
        assert (w + 1) / max(h - 1, 0.5) >= 3 / 4


def test_half_are_flipped_and_half_blurred():
    half = np.zeros((16, 16, 3), np.uint8)
    half[:, :8] = 200
    config = PairConfig(size=16, least=1.0)
    shown = [
        np.asarray(augmented(Image.fromarray(half), config, np.random.default_rng(seed))).astype(
            int
        )
        for seed in range(200)
    ]
    flipped = sum(picture[0, 0, 0] < 100 for picture in shown)
    blurred = sum(len(np.unique(picture)) > 2 for picture in shown)
    assert 70 < flipped < 130
    assert 60 < blurred < 130  # little of the least blur is to be seen


def test_colours_are_changed_as_far_as_is_said():
    grey = Image.fromarray(np.full((16, 16, 3), 100, np.uint8))
    config = replace(UNCHANGED, size=16, color=ColorConfig(brightness=0.3))
    shades = [
        np.unique(np.asarray(augmented(grey, config, np.random.default_rng(seed))))
        for seed in range(200)
    ]
    assert all(len(shade) == 1 for shade in shades)  # brightness alone leaves grey grey
    assert 70 <= min(shades) < 76
    assert 124 < max(shades) <= 130


def damage(root, **contents):
    """Pictures that hold something else; None: that are not there."""
    for name, content in contents.items():
        path = root / "train_5fps" / f"{name}.png"
        path.unlink() if content is None else path.write_bytes(content)


def test_a_lost_picture_costs_itself(root):
    whole = Pairs(root, SMALL)
    before = [whole.batch(number, 4, 0) for number in range(30)]
    damage(root, v_002_00=None, v_002_01=b"", v_005_01=b"no picture", v_001_00=b"\x89PNG")
    pairs = Pairs(root, SMALL)
    assert len(pairs) == COUNT
    assert pairs.lost.keys() == {"v_002_00.png", "v_002_01.png"}  # known before anything is drawn
    after = [pairs.batch(number, 4, 0) for number in range(30)]
    assert pairs.lost == {
        "v_002_00.png": "No such file or directory",
        "v_002_01.png": "is empty",
        "v_005_01.png": "is no picture",
        "v_001_00.png": pairs.lost["v_001_00.png"],
    }
    for then, now in zip(before, after, strict=True):
        for (utterance, frame), (other, shown) in zip(which(then), which(now), strict=True):
            assert (other, shown) not in {(2, 0), (2, 1), (5, 1), (1, 0)}
            assert other == utterance
            assert shown == frame or utterance in (1, 2, 5)
    again = pickle.loads(pickle.dumps(Pairs(root, SMALL)))
    for number, batch in enumerate(after):  # whatever was met before
        assert torch.equal(again.batch(number, 4, 0).images, batch.images)
    assert "4 of " in pairs.summary()


def test_an_utterance_without_a_picture_left_is_dropped_or_replaced(root):
    damage(root, v_000_00=None, v_003_00=b"no picture")  # their only ones
    pairs = Pairs(root, SMALL)
    assert len(pairs) == COUNT - 1
    seen = [place for number in range(2 * COUNT) for place in which(pairs.batch(number, 1, 0))]
    assert {utterance for utterance, _ in seen} == set(range(COUNT)) - {0, 3}
    batch = pairs.rows(0, len(pairs))
    assert batch.size == COUNT - 1
    assert torch.equal(batch.tokens[2], batch.tokens[3])  # what is said goes with what is seen
    weighted = Pairs(root, SMALL, weights=np.array([1.0, 1, 1, 0, *[1] * (COUNT - 5)]))
    assert which(weighted.rows(2, 3))[0][0] == 5  # never what is not to be drawn


def test_clips_do_without_lost_pictures(root):
    damage(root, v_005_01=b"no picture")
    clip = ClipConfig(frames=3)
    pairs = Pairs(root, replace(UNCHANGED, size=16), clip=clip)
    greys = pairs.rows(5, 6).images.float().mean(dim=(2, 3, 4)).round().int().tolist()
    assert greys == [[100, 110, 110]]


def test_too_many_lost_pictures_are_named(root, monkeypatch):
    monkeypatch.setattr("firsthand.grounding.pairs._MIN_LOST", 1)
    damage(root, v_000_00=None, v_001_00=b"")
    with pytest.raises(UserError, match=r"2 of .* are lost: v_000_00\.png No such.*; v_001_00"):
        Pairs(root, SMALL)
    damage(root, v_001_00=b"no picture")
    pairs = Pairs(root, SMALL)
    with pytest.raises(UserError, match="more than 5% are too many"):
        pairs.merge_lost({"v_001_00.png": "is no picture"})


def test_what_is_wrong_is_named(root):
    with pytest.raises(UserError, match=r"val\.json"):
        Pairs(root, SMALL, file="val.json")
    rows = json.loads((root / "train.json").read_text())["data"]
    (root / "train.json").write_text(json.dumps(rows[-1:]))
    with pytest.raises(UserError, match=r"train\.json: no utterance has a frame"):
        Pairs(root, SMALL)
    (root / "vocab.json").unlink()
    (root / "train.json").write_text(json.dumps(rows))
    with pytest.raises(UserError, match=r"there is no file .*vocab\.json"):
        Pairs(root, SMALL)
    with pytest.raises(ValueError, match="blurred lies in 0..1, not at 2"):
        PairConfig(blurred=2.0)


@given(
    count=st.integers(1, 40),
    frames=st.integers(2, 12),
    anew=st.booleans(),
    seed=st.integers(0, 99),
)
def test_a_clip_is_spread_over_all_the_time_in_order(count, frames, anew, seed):
    clip = ClipConfig(frames=frames)
    chosen = frame_indices(count, clip, np.random.default_rng(seed), anew=anew)
    for k, frame in enumerate(chosen):
        assert np.floor(k * count / frames) <= frame < (k + 1) * count / frames
    shuffled = replace(clip, order="shuffled")
    again = frame_indices(count, shuffled, np.random.default_rng(seed), anew=anew)
    assert sorted(again) == chosen


@given(count=st.integers(1, 40), half=st.integers(1, 8))
def test_a_clip_shows_the_same_frames_backwards(count, half):
    random, clip = np.random.default_rng(0), ClipConfig(frames=2 * half)
    chosen = frame_indices(count, clip, random, anew=False)
    assert [count - 1 - frame for frame in reversed(chosen)] == chosen


def test_a_clip_is_changed_as_a_whole_and_comes_shuffled_if_that_is_asked_for(root):
    half = np.full((24, 32, 3), 40, np.uint8)
    half[:, :16] = 180
    names = [f"v_002_{j:02}.png" for j in range(3)]
    for j, name in enumerate(names):
        Image.fromarray(half + 20 * np.uint8(j)).save(root / "train_5fps" / name)
    orders = set()
    for order in ("natural", "shuffled"):
        pairs = Pairs(root, replace(SMALL, blurred=0.0), clip=ClipConfig(frames=3, order=order))
        seen = pairs.batch(0, COUNT, 0)
        assert seen.images.shape == (COUNT, 3, 3, 16, 16)
        assert torch.equal(seen.images, pairs.batch(0, COUNT, 0).images)
        for number in range(20):
            utterances = [u for _, u in Shuffled(COUNT, 0).batch(number, COUNT)]
            shown = pairs.batch(number, COUNT, 0).images[utterances.index(2)].int()
            place = shown[:, 0, 0, 0].argsort()  # the frames are ever brighter
            gaps = shown[place].diff(dim=0)
            assert ((gaps - 20).abs() <= 1).all(), "cut and flipped alike"
            orders.add((order, tuple(place.tolist())))
    assert {seen for order, seen in orders if order == "natural"} == {(0, 1, 2)}
    assert len(orders) == 7, "of a shuffled clip any order"


def test_only_what_is_about_something_is_taken(root):
    assert len(Pairs(root, replace(SMALL, about=("look", "see")))) == 3
    with pytest.raises(UserError, match="no utterance has a frame and one of the words see, hear"):
        Pairs(root, replace(SMALL, about=("see", "hear")))
