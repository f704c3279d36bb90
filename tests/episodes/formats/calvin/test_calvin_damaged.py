"""CALVIN's folders as people have them: each damaged or missing part costs itself alone."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import read
from firsthand.episodes.formats.calvin.dataset import Calvin
from firsthand.episodes.tally import Tally
from tests.helpers.calvin_dataset import change, frame, losses


@pytest.mark.parametrize("episodes", ["language", "play"])
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"x")])
def test_a_frame_that_is_missing_or_damaged_costs_itself(task, episodes, damage):
    before = losses(task, episodes=episodes)
    damage(task / "training" / "episode_0000003.npz")
    after = losses(task, episodes=episodes)
    shown = 2 if episodes == "language" else 1  # windows of both trajectories overlap
    assert before["frame"][1] == 0
    assert after["frame"] == (before["frame"][0] - shown, shown)
    recordings = [e for e in read(Calvin(root=task / "training", episodes=episodes))]
    shown_ids = [tuple(e.source["frames"]) for e in recordings]
    assert not any(first <= 3 <= last for first, last in shown_ids)
    for (first, _), episode in zip(shown_ids, recordings, strict=True):
        expected = frame(task / "training", first)["rgb_static"]
        np.testing.assert_array_equal(episode.frames["rgb_static"][0], expected)


def test_a_window_without_any_frame_is_lost(task):
    for index in range(6, 10):
        (task / "training" / f"episode_{index:07d}.npz").unlink()
    listing = Calvin(root=task / "training").listing()
    assert listing.lost == (("training/0000006-0000009", "all of its 4 frames are missing"),)
    assert len(listing.items) == 2


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("robot_obs", np.full(15, np.nan), "robot_obs is not finite"),
        ("robot_obs", np.zeros(14), r"robot_obs is float64 \(14,\)"),
        ("rgb_static", np.zeros((8, 8, 3), np.uint8), r"\(8, 8, 3\), that of others"),
        ("rel_actions", None, "lacks 'rel_actions'"),
    ],
)
def test_a_bad_frame_costs_itself_with_the_reason(task, key, value, reason):
    arrays = frame(task / "training", 7)
    arrays.pop(key)
    if value is not None:
        arrays[key] = value
    np.savez(task / "training" / "episode_0000007.npz", **arrays)
    source, tally = Calvin(root=task / "training"), Tally()
    good, bad, _ = source.listing().items
    assert len(next(source.read(good, Tally()))) == 5
    assert [len(e) for e in source.read(bad, tally)] == [1, 2]
    ((unit, where, why, count),) = tally.lost
    assert (unit, where, count) == ("frame", "training/0000006-0000009: frame 7", 1)
    assert re.search(reason, why)


@pytest.mark.parametrize("key", ["rgb_static", "rgb_gripper"])
def test_an_odd_first_frame_costs_itself(task, key):
    change(task / "training", [6], **{key: np.zeros((8, 8, 3), np.uint8)})
    source, tally = Calvin(root=task / "training"), Tally()
    (episode,) = source.read(source.listing().items[1], tally)
    assert episode.source["frames"] == [7, 9]
    ((unit, where, why, count),) = tally.lost
    assert (unit, where, count) == ("frame", "training/0000006-0000009: frame 6", 1)
    assert why.startswith(f"{key} is uint8 (8, 8, 3), that of others uint8 (1")


@pytest.mark.parametrize(
    ("key", "value", "frames"),
    [
        ("scene_obs", np.full(24, np.nan), [8]),
        ("scene_obs", np.zeros(23), [6]),
        ("scene_obs", np.array("x"), [8]),
        ("scene_obs", np.array([{}], object), [8]),
        ("scene_obs", None, [8]),
        ("scene_obs", None, range(6, 10)),
        ("actions", None, range(6, 10)),
        ("rgb_gripper", None, range(6, 10)),
        ("rgb_gripper", np.zeros((12, 12), np.uint8), range(7, 10)),
        ("rgb_static", np.zeros((12, 12, 3)), range(6, 10)),
    ],
)
def test_a_signal_or_camera_costs_itself(task, key, value, frames):
    """A camera does where most of its pictures are missing."""
    change(task / "training", frames, **{key: value})
    source, tally = Calvin(root=task / "training"), Tally()
    (episode,) = source.read(source.listing().items[1], tally)
    assert len(episode) == 4
    left = {"rgb_static", "rgb_gripper", "scene_obs", "absolute_actions"}
    name = "absolute_actions" if key == "actions" else key
    assert {*episode.frames, *episode.signals} == left - {name}
    ((unit, where, why, _),) = tally.lost
    assert (unit, where) == ("signal", f"training/0000006-0000009: {name}")
    assert key in why or name in why
    assert tally.used["signal"] == 3


def test_a_window_without_any_camera_is_lost(task):
    change(task / "training", range(6, 10), rgb_static=None, rgb_gripper=None)
    source = Calvin(root=task / "training")
    with pytest.raises(UserError, match="rgb_static lacks 4 of 4 pictures: lacks 'rgb_static'"):
        next(source.read(source.listing().items[1], Tally()))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([9, 6], "trajectory 9 to 6 is not first <= last"),
        ([4, 40], "trajectory 4 to 40 overlaps another, 6 to 9"),
        ([-3, 2], "trajectory -3 to 2 is not first <= last"),
    ],
)
def test_a_line_that_is_no_trajectory_costs_itself(task, row, reason):
    np.save(task / "training" / "ep_start_end_ids.npy", np.array([row, [0, 5], [6, 9]]))
    listing = Calvin(root=task).listing()
    assert len(listing.items) == 4
    assert f"training/{reason}" in listing.notes
    played = Calvin(root=task, episodes="play").listing()
    assert len(played.items) == 3
    assert [" ".join(loss) for loss in played.lost] == [f"training/{reason}"]


@pytest.mark.parametrize("name", ["ep_lens.npy", "scene_info.npy"])
def test_files_that_only_tell_more_cost_a_note(task, name):
    (task / "training" / name).write_bytes(b"x")
    listing = Calvin(root=task).listing()
    assert (len(listing.items), listing.lost) == (4, ())
    (note,) = listing.notes
    assert note.startswith(f"training: {name} ")
    assert note.endswith(": is no .npy file")


def test_an_odd_line_of_the_scenes_costs_itself(task):
    info = {"calvin_scene_A": "x", "calvin_scene_D": [0, 9]}
    np.save(task / "training" / "scene_info.npy", np.array(info, object))
    listing = Calvin(root=task / "training").listing()
    assert {item.detail["scene"] for item in listing.items} == {"D"}
    note = "'calvin_scene_A' is 'x', no first and last frame of a scene"
    assert listing.notes == (f"training: scene_info.npy: {note}",)


@pytest.mark.parametrize("name", ["ep_start_end_ids.npy", "lang_annotations/auto_lang_ann.npy"])
def test_a_folder_that_cannot_be_read_leaves_the_other(task, name):
    (task / "validation" / name).write_bytes(b"x")
    listing = Calvin(root=task).listing()
    assert [item.split for item in listing.items] == ["train"] * 3
    ((_, reason),) = listing.lost
    assert reason.endswith("is no .npy file")
    played = Calvin(root=task, episodes="play").listing()
    assert len(played.items) == (3 if name.startswith("lang") else 2)
    shutil.rmtree(task / "training")
    report = Calvin(root=task, episodes="play")
    if not name.startswith("lang"):
        with pytest.raises(UserError, match="ep_start_end_ids.npy: is no .npy file"):
            report.listing()
