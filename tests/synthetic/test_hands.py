"""What is said must be what happened and can be seen, and a hand must hold what is held."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.envs.playtable.desk_geometry import WIDTH
from firsthand.envs.playtable.layouts import LAYOUTS
from firsthand.envs.tasks.instructions import CLOCK, UNSEEN, VALIDATION
from firsthand.envs.tasks.tasks import BLOCKS, COLOURS, TASKS, block_slice
from firsthand.episodes.episode import Episode
from firsthand.episodes.storage.reader import EpisodeFile
from firsthand.synthetic.hand import FIRST, SECOND
from firsthand.synthetic.hands import corpus as hands_corpus
from firsthand.synthetic.hands.clip import make_clip
from firsthand.synthetic.hands.corpus import HandsConfig, make_hands
from firsthand.synthetic.hands.desk import free_stretches, sample_layout
from firsthand.synthetic.hands.grip import LENGTHS, PAD, THUMB_LENGTH, grip_poses
from firsthand.synthetic.hands.look import BLOCK_COLORS, PALETTES
from firsthand.synthetic.hands.narration import (
    FRAMES,
    MISSING,
    NAMES,
    NOUNS,
    THERE,
    WORDINGS,
    kind_of,
)
from firsthand.synthetic.hands.play import NOWHERE, DeskPlay, play

CLIPS, SECONDS, SIZE = 6, 14.0, 64


@cache
def clips() -> tuple[Episode, ...]:
    splits = ["train"] * (CLIPS - 1) + ["valid"]
    return tuple(make_clip(7, i, split, SECONDS, 10, SIZE) for i, split in enumerate(splits))


@cache
def plays() -> tuple[DeskPlay, ...]:
    rngs = [np.random.default_rng(i) for i in range(3)]
    return tuple(play(sample_layout(rng), BLOCKS, 140, rng) for rng in rngs)


def told(clip: Episode) -> list[tuple[dict, str, int, int]]:
    """What each sentence is about, the sentence, its first frame and its last."""
    return [
        (said, n.text, round(n.start * clip.fps), round(n.end * clip.fps))
        for said, n in zip(clip.source["said"], clip.narrations, strict=True)
    ]


def test_what_is_said_is_what_happens_to_what_is_named() -> None:
    checked = set()
    for clip in clips():
        things, place = clip.source["things"], clip.signals["place"]
        for said, text, first, last in told(clip):
            if said["task"] is None:
                continue
            kind = kind_of(said["task"])
            x, y, z = (
                place[last, things.index(said["named"])] - place[first, things.index(said["named"])]
            )
            if said["named"] in BLOCK_COLORS:
                assert said["named"] in text
            right = 1 if said["task"].endswith("right") else -1
            happened = {
                "push": right * x > 0.1,
                "move_slider": right * x > 0.15,
                "open_drawer": y < -0.12,
                "close_drawer": y > 0.12,
                "lift_table": z > 0.05,
                "lift_slider": z > 0.03,
                "lift_drawer": z > 0.05,
                "place_in_slider": abs(place[last, things.index(said["named"]), 2] - 0.46) < 0.02,
                "place_in_drawer": place[last, things.index(said["named"]), 2] < 0.4,
                "push_into_drawer": place[last, things.index(said["named"]), 2] < 0.4,
                "stack_block": place[last, things.index(said["named"]), 2] > 0.48,
                "unstack_block": z < -0.02,
            }
            assert happened.get(kind, True), (text, x, y, z)
            checked.add(kind)
    assert len(checked) >= 7


def test_what_is_named_is_there_or_marked_as_missing_and_never_alone() -> None:
    absent = 0
    for clip in clips():
        blocks = [thing for thing in clip.source["things"] if thing in BLOCK_COLORS]
        assert 2 <= len(blocks) == len(set(blocks)) <= 5
        for said, _, first, last in told(clip):
            assert said["present"] == (said["named"] in clip.source["things"])
            named = set(clip.signals["named"][first:last])
            assert named == {clip.source["things"].index(said["named"]) if said["present"] else -1}
            assert said["present"] or said["task"] is None
            absent += not said["present"]
    assert 0 < absent / sum(len(clip.narrations) for clip in clips()) < 0.25


def test_hand_and_named_thing_are_in_view() -> None:
    inside, seen = [], []
    for clip in clips():
        at, named = clip.signals["hand_pixel"], clip.signals["named"]
        inside += list(((at > 0) & (at < 1)).all(axis=1))
        seen += list(clip.signals["area"][np.arange(len(named)), named][named >= 0] > 0)
    assert np.mean(inside) > 0.85
    assert np.mean(seen) > 0.85


def test_pictures_show_the_truth() -> None:
    """Where a thing is said to be in the picture, its colour is."""
    for clip in clips()[:2]:
        pictures, things = clip.frames["rgb_static"], clip.source["things"]
        for i, color in enumerate(thing for thing in things if thing in BLOCK_COLORS):
            frame = int(clip.signals["area"][:, i].argmax())
            x, y = (clip.signals["pixel"][frame, i] * SIZE).astype(int)
            middle = pictures[frame, y, x] / 255
            target = np.mean(BLOCK_COLORS[color], axis=0)
            cosine = middle @ target / np.linalg.norm(middle) / np.linalg.norm(target)
            assert cosine > 0.9, (color, middle)


@pytest.mark.parametrize("side", [1, -1])
def test_fingertips_lie_on_both_sides_of_what_is_held(side: int) -> None:
    held = 0
    for done in plays():
        poses = grip_poses(done.robot, np.array([0.9, -0.6, 0.6]), side)
        assert np.allclose(np.linalg.det(poses[..., :3, :3]), 1)
        tips = [
            poses[:, bone, :3, 3] + SECOND * length * poses[:, bone, :3, 1]
            for bone, length in ((6, LENGTHS[1]), (12, THUMB_LENGTH))
        ]
        apart = np.linalg.norm(tips[0] - tips[1], axis=1)
        assert np.abs(apart - done.robot[:, 6] - 2 * PAD).max() < 0.02
        grasped = (done.robot[:, 14] < 0) & (done.robot[:, 6] > 0.03)
        middle = (tips[0] + tips[1]) / 2
        blocks = np.stack([done.scene[:, block_slice(name)][:, :3] for name in BLOCKS])
        away = np.linalg.norm(blocks - middle, axis=2).min(0)[grasped]
        assert (away < 0.04).mean() > 0.9
        held += grasped.sum()
    assert held > 30


def test_bones_are_as_long_as_they_are() -> None:
    poses = grip_poses(plays()[0].robot, np.array([0.9, -0.6, 0.6]), 1)
    first, second = poses[:, 3, :3], poses[:, 4, :3]
    joint = first[:, :, 3] + FIRST * LENGTHS[0] * first[:, :, 1]
    assert np.allclose(joint, second[:, :, 3])


def test_blocks_that_take_no_part_stay_away() -> None:
    rng = np.random.default_rng(3)
    done = play(sample_layout(rng), BLOCKS[:2], 60, rng)
    absent = done.scene[:, block_slice(BLOCKS[2])][:, :2]
    assert np.allclose(absent, NOWHERE[:2], atol=0.01)
    assert not any("pink" in str(deed.task) for deed in done.deeds)


def test_desks_are_others_than_calvins() -> None:
    for seed in range(60):
        layout = sample_layout(np.random.default_rng(seed))
        for known in LAYOUTS.values():
            near = [
                abs(a - b) < 0.03
                for a, b in (
                    (layout.door[0], known.door[0]),
                    (layout.drawer[0], known.drawer[0]),
                    (layout.button, known.button),
                )
            ]
            assert not all(near)
        assert layout.drawer[1] < WIDTH / 2
        assert all(low < high for low, high in free_stretches(layout))


def test_every_task_can_be_told() -> None:
    assert {kind_of(task) for task in TASKS} == set(WORDINGS)


def sentences() -> set[str]:
    """All that can ever be said of blocks in CALVIN's colours."""
    calls = [f"the {color} {noun}" for color, noun in product(COLOURS, set(NOUNS))]
    found = {frame.format(block=call) for frame in (*MISSING, *THERE) for call in calls}
    for wordings in WORDINGS.values():
        for (*forms, thing, ends), frame in product(wordings, FRAMES):
            for end, side in product(ends, CLOCK):
                text = frame.format(*forms, thing, end)
                fitting = {key: names for key, names in NAMES.items() if f"{{{key}}}" in text}
                fitting |= {key: calls for key in ("block", "other") if f"{{{key}}}" in text}
                for words in product(*fitting.values()):
                    filled = dict(zip(fitting, words, strict=True))
                    found.add(text.format(side=side, clock=CLOCK[side], **filled).strip())
    return found


def test_no_sentence_is_or_holds_one_that_is_held_out() -> None:
    kept = {
        line.lower() for lines in (VALIDATION, UNSEEN) for task in lines for line in lines[task]
    }
    said = {text.lower() for text in sentences()}
    assert len(said) > 5000
    runs = {
        " ".join(words[i:j])
        for words in map(str.split, said)
        for i in range(len(words))
        for j in range(i + 1, len(words) + 1)
    }
    assert not kept & runs


def test_what_is_measured_on_was_never_seen_in_training() -> None:
    train, valid = PALETTES["train"], PALETTES["valid"]
    for kind in ("desks", "walls", "floors", "skins", "sleeves"):
        a, b = (np.array(list(getattr(p, kind).values())).reshape(-1, 3) for p in (train, valid))
        if kind == "desks":  # carcass and front go together
            a, b = a.reshape(-1, 6), b.reshape(-1, 6)
        assert np.linalg.norm(a[:, None] - b, axis=2).min() > 0.07, kind
    assert not set(train.patterns) & set(valid.patterns)
    for clip, palette in ((clips()[0], train), (clips()[-1], valid)):
        look = clip.source["look"]
        for kind in ("desk", "wall", "floor", "skin", "sleeve"):
            assert look[kind] in getattr(palette, f"{kind}s")


def test_clips_differ() -> None:
    looks = [clip.source["look"] for clip in clips()]
    assert {look["hand"] for look in looks} == {"left", "right"}
    assert len({tuple(sorted(look.items())) for look in looks}) == CLIPS
    assert len({clip.source["things"][0] for clip in clips()}) > 2


def _digest(index: int) -> str:
    clip = make_clip(3, index, "train", 1.5, 5, 32)
    said = repr(clip.narrations).encode() + clip.signals["place"].tobytes()
    return hashlib.sha256(clip.frames["rgb_static"].tobytes() + said).hexdigest()


def test_a_clip_has_the_same_bits_in_another_process() -> None:
    code = "from tests.synthetic.test_hands import _digest; print(_digest(5))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split()[-1] == _digest(5)
    assert _digest(6) != _digest(5)


def _config(clips: int, workers: int, seconds: float = 1.0) -> HandsConfig:
    return HandsConfig(clips, seconds, size=32, seed=4, held_out=0.2, workers=workers)


def test_the_corpus_does_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    one = make_hands(_config(5, workers=1), tmp_path / "one.hdf5")
    two = make_hands(_config(5, workers=2), tmp_path / "two.hdf5")
    assert one.read_bytes() == two.read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["one.hdf5", "two.hdf5"]
    with EpisodeFile(one) as file:
        assert (len(file.names("train")), len(file.names("valid"))) == (4, 1)
        episode = file.read(4)
    assert episode.state is None
    assert episode.actions is None
    assert episode.source["look"]["desk"] in PALETTES["valid"].desks
    assert episode.frames["rgb_static"].shape == (10, 32, 32, 3)


def test_a_killed_corpus_resumes_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make_hands(_config(9, 1), tmp_path / "whole.hdf5")
    out = tmp_path / "killed.hdf5"
    code = (
        "from pathlib import Path; from firsthand.synthetic.hands.corpus import *;"
        f"make_hands(HandsConfig(9, 1.0, size=32, seed=4, held_out=0.2, workers=1),"
        f"Path({str(out)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    while not (kept := list(tmp_path.glob("*.shards/*.hdf5"))) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert kept
    assert not out.exists()
    remade: list[Path] = []
    make_shards = hands_corpus._make_shards
    monkeypatch.setattr(
        hands_corpus,
        "_make_shards",
        lambda config, missing: (remade.extend(missing.values()), make_shards(config, missing)),
    )
    make_hands(_config(9, 1), out, resume=True)
    assert remade
    assert not set(remade) & set(kept)
    assert out.read_bytes() == whole.read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["killed.hdf5", "whole.hdf5"]


def test_resuming_a_finished_corpus_leaves_it_and_refuses_another(tmp_path: Path) -> None:
    out = make_hands(_config(2, workers=1), tmp_path / "done.hdf5")
    before = out.stat()
    assert make_hands(_config(2, workers=2), out, resume=True) == out
    assert out.stat().st_mtime_ns == before.st_mtime_ns
    with pytest.raises(UserError, match="choose another name"):
        make_hands(_config(3, workers=1), out, resume=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clips": 0}, "clips must be at least 1, not 0"),
        ({"fps": 30}, "fps must be one of .* not 30"),
        ({"held_out": 1.0}, "held_out .* not 1.0"),
        ({"seconds": 0.01}, "less than one frame"),
        ({"seed": -1}, "not -1"),
    ],
)
def test_impossible_configurations_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        HandsConfig(**changes)
