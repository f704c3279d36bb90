"""CALVIN's folders.

tests/data/calvin/task_D_D was written by the original: calvin_env 797142c recorded its simulator
(`DataRecorder`), and its `datarenderer` (`worker_run`, `save_step`, `save_ep_lens`) made the npz
files and the lists of trajectories, with cameras of 16 and 12 pixels. The pickled files follow
mees/calvin's `automatic_lang_annotator_mp.py` and were saved by numpy 1.26, under the names that
numpy had then; statistics.yaml follows what `episode_utils.py` reads.
"""

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import Source, read
from firsthand.episodes.episode import Narration
from firsthand.episodes.formats.calvin.dataset import Calvin, parts
from firsthand.episodes.storage.merge import EpisodeFile, EpisodeWriter
from firsthand.episodes.tally import Tally
from tests.helpers.calvin_dataset import WINDOWS, frame, losses


def test_every_annotated_window_is_a_recording(task):
    source = Calvin(root=task)
    assert isinstance(source, Source)
    listing = source.listing()
    assert not listing.lost
    assert not listing.notes
    training = [item for item in listing.items if item.split == "train"]
    recordings = [next(source.read(item, Tally())) for item in training]
    for (first, end, text), item, episode in zip(WINDOWS, training, recordings, strict=True):
        frames = [frame(task / "training", index) for index in range(first, end)]
        assert episode.instruction == text
        assert episode.fps == 30
        for key, values in [
            ("rgb_static", episode.frames["rgb_static"]),
            ("rgb_gripper", episode.frames["rgb_gripper"]),
            ("robot_obs", episode.state),
            ("rel_actions", episode.actions),
            ("actions", episode.signals["absolute_actions"]),
            ("scene_obs", episode.signals["scene_obs"]),
        ]:
            original = np.stack([f[key] for f in frames])
            np.testing.assert_array_equal(values, original.astype(values.dtype), err_msg=key)
        assert episode.signals["scene_obs"].dtype == np.float64
        trajectory = 0 if first < 6 else 6
        assert item.group == f"training/{trajectory:07d}"
        assert episode.source["scene"] == "D"
        assert episode.source["frames"] == [first, end - 1]
    (valid,) = [item for item in listing.items if item.split == "valid"]
    (episode,) = source.read(valid, Tally())
    assert (episode.source["task"], len(episode)) == ("turn_on_led", 4)
    assert "scene" not in episode.source


def test_actions_are_where_the_arm_is_next(task):
    """What the original promises (datarenderer.py), and so the order of what is read."""
    (play, _) = [e for e in read(Calvin(root=task / "training", episodes="play"))]
    np.testing.assert_allclose(
        play.signals["absolute_actions"][:-1, :6], play.state[1:, :6], atol=1e-6
    )


def test_play_is_whole_with_timed_narrations(task):
    listing = Calvin(root=task, episodes="play").listing()
    assert [item.name for item in listing.items] == [
        "training/0000000-0000005", "training/0000006-0000009", "validation/0000000-0000003",
    ]  # fmt: skip
    first, second, _ = read(Calvin(root=task, episodes="play"))
    assert first.instruction == ""
    assert first.narrations == (
        Narration(1 / 30, 6 / 30, WINDOWS[0][2]),
        Narration(0.0, 4 / 30, WINDOWS[2][2]),
    )
    assert second.narrations == (Narration(0.0, 4 / 30, WINDOWS[1][2]),)


def test_long_play_is_cut_and_what_is_said_with_it(task):
    source = Calvin(root=task / "training", episodes="play", seconds=0.1)
    recordings = list(read(source))
    assert [len(e) for e in recordings] == [3, 3, 2, 2]
    assert recordings[1].narrations == (
        Narration(0.0, 3 / 30, WINDOWS[0][2]),
        Narration(0.0, 1 / 30, WINDOWS[2][2]),
    )
    whole = next(read(Calvin(root=task / "training", episodes="play")))
    np.testing.assert_array_equal(whole.state, np.concatenate([e.state for e in recordings[:2]]))


@given(st.integers(0, 10**6), st.integers(1, 5000), st.integers(1, 700))
def test_parts_cover_a_trajectory_once(first, length, longest):
    cut = parts(first, first + length, longest)
    assert [i for a, b in cut for i in range(a, b)] == list(range(first, first + length))
    sizes = [b - a for a, b in cut]
    assert max(sizes) <= longest
    assert max(sizes) - min(sizes) <= 1


def test_a_recording_goes_through_the_store_unchanged(task, tmp_path):
    episodes = list(read(Calvin(root=task)))
    with EpisodeWriter(tmp_path / "a.h5") as writer:
        for episode in episodes:
            writer.add(episode)
    with EpisodeFile(tmp_path / "a.h5") as file:
        for index, before in enumerate(episodes):
            after = file.read(index)
            np.testing.assert_array_equal(after.state, before.state)
            np.testing.assert_array_equal(after.actions, before.actions)
            assert after.instruction == before.instruction
            assert dict(after.source) == dict(before.source)
            for name, values in before.signals.items():
                np.testing.assert_array_equal(after.signals[name], values)
            for camera, pictures in before.frames.items():
                error = np.square(after.frames[camera].astype(float) - pictures).mean()
                assert 10 * np.log10(255**2 / error) > 35  # dB, JPEG of quality 95


def test_other_keys_and_cameras_can_be_asked_for(task):
    source = Calvin(root=task, cameras=("rgb_gripper",), signals=("depth_static", "robot_obs"))
    episode = next(read(source))
    assert set(episode.frames) == {"rgb_gripper"}
    assert episode.signals["depth_static"].shape == (5, 16, 16)
    assert episode.signals["robot_obs"].dtype == np.float64
    source, tally = Calvin(root=task, signals=("rgb_tactile",)), Tally()
    (episode,) = source.read(source.listing().items[0], tally)
    assert not episode.signals
    ((unit, where, why, _),) = tally.lost
    assert (unit, where) == ("signal", "training/0000001-0000005: rgb_tactile")
    assert why.startswith("lacks 'rgb_tactile'; it holds ")


def test_files_of_systems_are_passed_over(task):
    (task / "training" / "._episode_0000003.npz").write_bytes(b"Mac OS X")
    (task / "training" / "lang_annotations" / "._auto_lang_ann.npy").write_bytes(b"Mac OS X")
    assert losses(task)["frame"][1] == 0


def test_frames_in_no_trajectory_are_counted(task):
    shutil.copy(task / "training/episode_0000000.npz", task / "training/episode_0037682.npz")
    (note,) = Calvin(root=task / "training").listing().notes
    assert note == "training: 1 frames are in no trajectory and not read: 37682"


@pytest.mark.parametrize(
    ("called", "frames", "true"),
    [("A", [0, 611098], "D"), ("D", [0, 603705], "A"), ("D", [0, 611098], "D"), ("C", [0, 9], "C")],
)
def test_scenes_from_before_the_fix_get_their_names_back(task, called, frames, true):
    """Issue 14 of mees/calvin shows the old listing, its changelog of September 2022 the fix."""
    info = {f"calvin_scene_{called}": frames}
    np.save(task / "training" / "scene_info.npy", np.array(info, object))
    listing = Calvin(root=task / "training").listing()
    assert {item.detail["scene"] for item in listing.items} == {true}
    assert [f"these frames are scene {true}" in note for note in listing.notes] == (
        [] if called == true else [True]
    )


def test_statistics_of_another_dataset_are_told(task):
    path = task / "training" / "statistics.yaml"
    lines = path.read_text().split("\n")
    lines[5] = "  - 9.0"  # the mean of the third number
    path.write_text("\n".join(lines))
    (note,) = Calvin(root=task / "training").listing().notes
    assert "robot_obs[2] averages 9.000" in note
    path.write_text("robot_obs: [")
    (note,) = Calvin(root=task / "training").listing().notes
    assert "no means and deviations" in note


def test_lists_that_disagree_are_told(task):
    np.save(task / "training" / "ep_lens.npy", np.array([6, 5]))
    (note,) = Calvin(root=task / "training").listing().notes
    assert "counts 2 trajectories of 11 frames, ep_start_end_ids.npy 2 of 10" in note


def test_a_changed_frame_or_sentence_changes_the_item(task):
    before = {i.name: i for i in Calvin(root=task / "training").listing().items}
    path = task / "training" / "episode_0000007.npz"
    np.savez(path, **frame(task / "training", 7))
    after = {i.name: i for i in Calvin(root=task / "training").listing().items}
    changed = [name for name in before if before[name].version != after[name].version]
    assert changed == ["training/0000006-0000009"]


def test_a_frame_may_be_a_link_to_another_folder_of_the_dataset(task):
    (task / "elsewhere").mkdir()
    path = task / "training/episode_0000003.npz"
    path.rename(task / "elsewhere" / path.name)
    path.symlink_to(task / "elsewhere" / path.name)
    assert losses(task)["frame"][1] == 0
    path.unlink()
    path.symlink_to("nowhere")
    assert losses(task)["frame"][1] == 2


def test_what_is_no_calvin_is_refused(task, tmp_path):
    with pytest.raises(UserError, match="is no split of CALVIN"):
        Calvin(root=tmp_path).listing()
    np.save(task / "training" / "ep_start_end_ids.npy", np.array([[5, 0]]))
    with pytest.raises(UserError, match=r"ids.npy: lists no trajectory: trajectory 5 to 0 is not"):
        Calvin(root=task / "training").listing()
    shutil.rmtree(task / "training")
    shutil.rmtree(task / "validation" / "lang_annotations")
    with pytest.raises(UserError, match="episodes=play"):
        Calvin(root=task).listing()
    with pytest.raises(UserError, match="hold no frame"):
        Calvin(root=task, seconds=0.01)
