"""Demonstrations in robomimic's HDF5 layout.

Written by the projects' own programs around small simulators of ours:
tests/data/robomimic/lift.hdf5 by `run_trained_agent` and `split_train_val` of robomimic 0.3.0,
tests/data/libero by `main` of LIBERO's scripts/create_dataset.py (8f1084e) less its line 68, which
joins a list with a text and so always fails.
"""

import json
import shutil

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import Source, read
from firsthand.episodes.formats.robomimic.demo import demo_names
from firsthand.episodes.formats.robomimic.reader import Robomimic
from firsthand.episodes.storage.merge import EpisodeFile, EpisodeWriter
from firsthand.episodes.tally import Tally

DRAWER = "open_the_middle_drawer_of_the_cabinet_demo.hdf5"


@pytest.fixture
def lift(project, tmp_path):
    return shutil.copy(project / "tests/data/robomimic/lift.hdf5", tmp_path / "lift.hdf5")


@pytest.fixture
def libero(project, tmp_path):
    return shutil.copytree(project / "tests/data/libero", tmp_path / "libero")


def edit(path, change):
    with h5py.File(path, "r+") as file:
        change(file)


def test_demos_of_robomimic_are_recordings(lift):
    source = Robomimic(root=lift)
    assert isinstance(source, Source)
    listing = source.listing()
    assert not listing.lost
    assert listing.notes == (
        "next_obs is not kept: it is obs one step later: lift.hdf5",
        "actions are OSC_POSE's, with the gripper turned round: lift.hdf5",
    )
    assert [i.name for i in listing.items] == [f"lift.hdf5/demo_{n}" for n in range(3)]
    with h5py.File(lift) as file:
        valid = {name.decode() for name in file["mask/valid"]}
        for item, episode in zip(listing.items, read(source), strict=True):
            demo = file["data"][item.detail["demo"]]
            assert item.split == ("valid" if item.detail["demo"] in valid else "train")
            np.testing.assert_array_equal(
                episode.frames["agentview_image"], demo["obs/agentview_image"]
            )
            kept = {name: demo[name] for name in ("rewards", "dones", "states")}
            kept |= {name: demo["obs"][name] for name in ("object", "robot0_eef_pos")}
            kept |= {"recorded_actions": demo["actions"]}
            assert set(episode.signals) == set(kept)
            for name, values in kept.items():
                assert episode.signals[name].dtype == values.dtype
                np.testing.assert_array_equal(episode.signals[name], values)
            recorded = demo["actions"][:].astype(np.float32)
            np.testing.assert_array_equal(episode.actions[:, :6], recorded[:, :6])
            np.testing.assert_array_equal(episode.actions[:, 6], -recorded[:, 6])
            assert episode.fps == 20
            assert episode.source["env_name"] == "Lift"
            assert episode.source["controller"]["type"] == "OSC_POSE"


def test_demos_of_libero_say_what_to_do_and_are_turned(libero):
    source = Robomimic(root=libero)
    assert source.listing().notes == (
        f"pictures are upside down and turned: {DRAWER}",
        f"actions are OSC_POSE's, with the gripper turned round: {DRAWER}",
    )
    episodes = list(read(source))
    assert [e.instruction for e in episodes] == ["open the middle drawer of the cabinet"] * 2
    with h5py.File(libero / DRAWER) as file:
        for index, episode in enumerate(episodes):
            for camera in ("agentview_rgb", "eye_in_hand_rgb"):
                drawn = file[f"data/demo_{index}/obs/{camera}"][:]
                np.testing.assert_array_equal(episode.frames[camera], drawn[:, ::-1])
    as_stored = next(read(Robomimic(root=libero, upside_down=False)))
    np.testing.assert_array_equal(
        as_stored.frames["agentview_rgb"], episodes[0].frames["agentview_rgb"][:, ::-1]
    )


@pytest.mark.parametrize(
    ("said", "found"),
    [("lift it", "lift it"), (list("lift it"), "lift it"), ('"lift it"', "lift it")],
)
def test_instructions_come_in_several_spellings(libero, said, found):
    problem = json.dumps({"language_instruction": said})
    edit(libero / DRAWER, lambda f: f["data"].attrs.update(problem_info=problem))
    assert next(read(Robomimic(root=libero))).instruction == found
    edit(libero / DRAWER, lambda f: f["data/demo_0"].attrs.update(language="push it"))
    assert next(read(Robomimic(root=libero))).instruction == "push it"


def test_a_recording_goes_through_the_store_and_is_read_as_what_it_is(libero, tmp_path):
    before = list(read(Robomimic(root=libero)))
    with EpisodeWriter(tmp_path / "ours.h5") as writer:
        for episode in before:
            writer.add(episode)
    with EpisodeFile(tmp_path / "ours.h5") as file:
        stored = [file.read(name) for name in file.names()]
    again = list(read(Robomimic(root=tmp_path / "ours.h5")))
    for one, two, three in zip(before, stored, again, strict=True):
        for after in (two, three):
            np.testing.assert_array_equal(after.actions, one.actions)
            assert (after.instruction, after.fps) == (one.instruction, one.fps)
            assert set(after.signals) == set(one.signals)
            for name, values in one.signals.items():
                assert after.signals[name].dtype == values.dtype
                np.testing.assert_array_equal(after.signals[name], values)
        np.testing.assert_array_equal(three.frames["agentview_rgb"], two.frames["agentview_rgb"])
        error = np.square(two.frames["agentview_rgb"].astype(float) - one.frames["agentview_rgb"])
        assert 10 * np.log10(255**2 / error.mean()) > 40  # dB, JPEG of quality 95


def test_cameras_are_chosen_and_named(libero):
    asked = Robomimic(root=libero, cameras=("rgb_static=agentview_rgb",))
    assert set(next(read(asked)).frames) == {"rgb_static"}
    with pytest.raises(UserError, match="no camera 'x', only agentview_rgb, eye_in_hand_rgb"):
        next(read(Robomimic(root=libero, cameras=("x",))))


def test_actions_of_another_kind_are_signals_unless_said_otherwise(lift):
    args = json.dumps({"env_kwargs": {"controller_configs": {"type": "JOINT_VELOCITY"}}})
    edit(lift, lambda f: f["data"].attrs.update(env_args=args))
    source = Robomimic(root=lift, fps=20.0)
    assert "actions of 7 numbers are kept as a signal, not as actions" in str(
        source.listing().notes
    )
    assert next(read(source)).actions is None
    ours = next(read(Robomimic(root=lift, fps=20.0, actions="ours")))
    np.testing.assert_array_equal(ours.actions, ours.signals["recorded_actions"].astype("f4"))
    assert next(read(Robomimic(root=lift, fps=20.0, actions="none"))).actions is None
    edit(lift, lambda f: shrink(f["data/demo_0"]))
    with pytest.raises(UserError, match="actions=ours needs 7 numbers a frame, not 4"):
        next(read(Robomimic(root=lift, fps=20.0, actions="ours")))


def shrink(demo):
    actions = demo["actions"][:, :4]
    del demo["actions"]
    demo["actions"] = actions


def test_the_rate_must_be_known(lift):
    edit(lift, lambda f: f["data"].attrs.update(env_args="{}"))
    with pytest.raises(UserError, match="fps=20"):
        next(read(Robomimic(root=lift)))
    assert next(read(Robomimic(root=lift, fps=10.0))).fps == 10
    with pytest.raises(UserError, match="fps must be in"):
        Robomimic(root=lift, fps=0.0)


def test_numbers_that_are_of_no_frame_are_told(lift):
    def change(file):
        file["data/demo_1/obs/goal"] = np.zeros((1, 3))
        file["data/demo_1/action_dict/abs_pos"] = np.zeros((len(file["data/demo_1/actions"]), 3))
        file["data/demo_1/obs/states"] = np.ones((len(file["data/demo_1/actions"]), 2))
        file["mask/20_percent"] = file["mask/valid"][:]

    edit(lift, change)
    source = Robomimic(root=lift)
    notes = source.listing().notes
    assert notes[0] == "masks that are no splits are not kept (20_percent): lift.hdf5"
    assert "not kept since they are not numbers of every frame (goal): lift.hdf5" in notes
    episode = list(read(source))[1]
    assert episode.signals["action_dict.abs_pos"].shape[1] == 3
    assert episode.signals["states"].shape[1] == 5
    assert episode.signals["obs.states"].shape[1] == 2


def test_our_state_is_taken_for_what_it_is(lift):
    def change(file):
        for demo in file["data"].values():
            demo["obs/state"] = np.ones((len(demo["actions"]), 15))

    edit(lift, change)
    episode = next(read(Robomimic(root=lift)))
    assert episode.state.shape[1] == 15
    assert "state" not in episode.signals


def test_a_name_that_is_no_demo_is_lost(lift):
    edit(lift, lambda f: f["data"].create_dataset("demo_8", data=np.ones(3)))
    listing = Robomimic(root=lift).listing()
    assert listing.lost == (("lift.hdf5/demo_8", "is named, but no demo is there"),)
    assert len(listing.items) == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda demo: demo.attrs.update(num_samples=99), "says that it has 99 samples"),
        (lambda demo: demo.__delitem__("actions"), "has no actions"),
        (lambda demo: shrink_pictures(demo), "agentview_image has 2 pictures, but .* 4 actions"),
    ],
)
def test_a_bad_demo_is_lost_alone(lift, change, reason):
    edit(lift, lambda f: change(f["data/demo_1"]))
    source = Robomimic(root=lift)
    first, second, third = source.listing().items
    assert len(next(source.read(first, Tally()))) > 0
    assert len(next(source.read(third, Tally()))) > 0
    with pytest.raises(UserError, match=reason):
        next(source.read(second, Tally()))


def shrink_pictures(demo):
    pictures = demo["obs/agentview_image"][:-2]
    del demo["obs/agentview_image"]
    demo["obs/agentview_image"] = pictures


def test_a_bad_file_of_a_folder_is_lost_alone(libero):
    (libero / "broken.hdf5").write_bytes(b"no HDF5")
    listing = Robomimic(root=libero).listing()
    assert len(listing.items) == 2
    ((name, reason),) = listing.lost
    assert name == "broken.hdf5"
    assert "no readable HDF5 file" in reason


def test_a_folder_without_files_says_so(tmp_path):
    listing = Robomimic(root=tmp_path).listing()
    assert not listing.items
    assert "holds no file ending in .hdf5 or .h5" in str(listing.tally.notes)


@given(st.sets(st.integers(0, 10**6), min_size=1, max_size=9))
def test_demos_are_read_in_the_order_of_their_numbers(numbers):
    names = {f"demo_{number}" for number in numbers}
    assert demo_names(names) == [f"demo_{number}" for number in sorted(numbers)]
