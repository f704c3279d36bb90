"""CALVIN's folders.

tests/data/calvin/task_D_D was written by the original: calvin_env 797142c recorded its simulator
(`DataRecorder`), and its `datarenderer` (`worker_run`, `save_step`, `save_ep_lens`) made the npz
files and the lists of trajectories, with cameras of 16 and 12 pixels. The pickled files follow
mees/calvin's `automatic_lang_annotator_mp.py` and were saved by numpy 1.26, under the names that
numpy had then; statistics.yaml follows what `episode_utils.py` reads.
"""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.episodes.convert.convert import ConvertSettings, convert
from firsthand.episodes.convert.source import Source, read
from firsthand.episodes.episode import Narration
from firsthand.episodes.formats.calvin.dataset import Calvin, parts
from firsthand.episodes.formats.calvin.language import MAX_FRAMES, load_language, to_language
from firsthand.episodes.storage.merge import EpisodeFile, EpisodeWriter
from firsthand.episodes.tally import Tally

WINDOWS = [(1, 6, "grasp the drawer handle, then open it"), (6, 10, "pick up the red block"),
           (0, 4, "slide the pink block to the left")]  # fmt: skip


@pytest.fixture
def task(project, tmp_path):
    shutil.copytree(project / "tests/data/calvin/task_D_D", tmp_path / "task_D_D")
    return tmp_path / "task_D_D"


def frame(folder, index):
    with np.load(folder / f"episode_{index:07d}.npz") as arrays:
        return dict(arrays)


def say(folder, rows):
    windows, texts, tasks = zip(*rows, strict=True)
    table = {
        "language": {"ann": list(texts), "task": list(tasks), "emb": np.zeros((len(rows), 1, 384))},
        "info": {"episodes": [], "indx": list(windows)},
    }
    np.save(folder / "lang_annotations" / "auto_lang_ann.npy", np.array(table, object))


def losses(root, **settings):
    """By unit, how many parts are used and lost."""
    out = root.parent / "out"
    shutil.rmtree(out, ignore_errors=True)
    settings = ConvertSettings(held_out=0.0, max_lost=1.0), Calvin(root=root, **settings)
    return {p.unit: (p.used, p.lost_count) for p in convert(settings[1], out, settings[0]).parts}


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


def test_repeated_and_contradictory_annotations_are_told(task):
    rows = [((0, 4), "push it", "push"), ((0, 4), "push it", "push"), ((0, 4), "pull it", "pull")]
    say(task / "training", rows)
    listing = Calvin(root=task / "training").listing()
    assert [i.name for i in listing.items] == ["training/0000000-0000003",
                                               "training/0000000-0000003 (2)"]  # fmt: skip
    assert "1 annotations repeat others word for word" in listing.notes[0]
    assert "1 windows have several sentences, 1 of them for different tasks" in listing.notes[1]


def test_windows_outside_and_across_trajectories_are_lost_by_name(task):
    rows = [((4, 8), "across", "a"), ((9, 12), "past", "b"), ((40, 44), "out", "c")]
    say(task / "training", [*rows, ((3, 3), "no", "d"), ((0, 4), 7, "e"), ((0, 4), "good", "f")])
    listing = Calvin(root=task / "training").listing()
    assert len(listing.items) == 1
    assert dict(listing.lost) == {
        "training/annotation 3": "its window (3, 3) is not first < end <= 10000000",
        "training/annotation 4": "its sentence is 7",
        "training/0000004-0000007": "frame 7 is past the end of its trajectory 0-5",
        "training/0000009-0000011": "frame 11 is past the end of its trajectory 6-9",
        "training/0000040-0000043": "frame 40 is in no trajectory of ep_start_end_ids.npy",
    }


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


def test_sentences_of_play_that_point_outside_are_lost_alone(task):
    rows = [((4, 8), "across", "a"), ((40, 44), "out", "c"), ((3, 3), "no", "d")]
    rows += [((0, 4), "half \ud83d", "a"), ((0, 4), "zero \0", "b")]
    say(task / "training", [*rows, ((0, 4), "good", "f")])
    lost = losses(task / "training", episodes="play")
    assert lost["sentence"] == (1, 5)
    assert lost["frame"][1] == 0


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


def change(folder, indices, **values):
    """Put arrays into frames, None takes one away."""
    for index in indices:
        arrays = frame(folder, index) | values
        arrays = {key: value for key, value in arrays.items() if value is not None}
        np.savez(folder / f"episode_{index:07d}.npz", **arrays)


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


def test_a_frame_may_be_a_link_to_another_folder_of_the_dataset(task):
    (task / "elsewhere").mkdir()
    path = task / "training/episode_0000003.npz"
    path.rename(task / "elsewhere" / path.name)
    path.symlink_to(task / "elsewhere" / path.name)
    assert losses(task)["frame"][1] == 0
    path.unlink()
    path.symlink_to("nowhere")
    assert losses(task)["frame"][1] == 2


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


def test_sentences_may_lie_beside_other_embeddings_only(task):
    (task / "training" / "lang_annotations").rename(task / "training" / "lang_BERT")
    listing = Calvin(root=task / "training").listing()
    assert len(listing.items) == 3
    assert listing.notes == ("training: lang_annotations is missing; lang_BERT is read instead",)


def test_annotations_run_no_code(task, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "touched"), "w"))

    data = np.empty((), object)
    data[()] = Evil()
    np.save(task / "training/lang_annotations/auto_lang_ann.npy", data, allow_pickle=True)
    listing = Calvin(root=task / "training").listing()
    ((name, reason),) = listing.lost
    assert name == "training/lang_annotations/auto_lang_ann.npy"
    assert "not read for safety" in reason
    assert not (tmp_path / "touched").exists()


JUNK = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3))
WINDOW = st.one_of(
    st.tuples(st.integers(-5, 50), st.integers(-5, 50)), JUNK, st.lists(JUNK, max_size=3)
)


@given(st.lists(st.tuples(WINDOW, st.one_of(st.text(max_size=2), JUNK), st.text(max_size=1))))
def test_no_annotation_vanishes(rows):
    language = to_language(rows)
    lost = {int(name.removeprefix("annotation ")) for name, _ in language.lost}
    for number, (window, text, task) in enumerate(rows):
        if number not in lost:
            matching = [(a.first, a.end, a.text, a.task) for a in language.annotations]
            assert matching.count((*window, text.strip(), task)) == 1
    for said in language.annotations:
        assert 0 <= said.first < said.end <= MAX_FRAMES
        assert said.text
    repeats = len(rows) - len(lost) - len(language.annotations)
    assert any(f"{repeats} annotations repeat" in note for note in language.notes) == (repeats > 0)


@pytest.mark.parametrize(
    ("windows", "texts", "tasks", "lost"),
    [(2, 1, 2, 2), (1, 3, 1, 3), (2, 2, 1, 0), (2, 2, 3, 0), (2, 2, None, 0)],
)
def test_lists_of_different_lengths_cost_what_they_say(task, windows, texts, tasks, lost):
    """Which sentence is about which window nobody knows then; tasks are not needed."""
    path = task / "training/lang_annotations/auto_lang_ann.npy"
    table = {
        "language": {"ann": ["a", "b", "c"][:texts], "task": tasks and ["x"] * tasks},
        "info": {"indx": [(0, 4), (1, 5)][:windows]},
    }
    np.save(path, np.array(table, object))
    language = load_language(path)
    counts = f"{windows} windows, {texts} sentences and {tasks or 0} tasks"
    if lost:
        assert not language.annotations
        assert [counts in why for _, why in language.lost] == [True] * lost
    else:
        assert [(said.text, said.task) for said in language.annotations] == [("a", ""), ("b", "")]
        assert language.notes == (f"auto_lang_ann.npy has {counts}, which are not kept",)
    assert len(Calvin(root=task).listing().items) == 1 + len(language.annotations)


def test_what_is_no_table_of_annotations_is_refused(task):
    path = task / "training/lang_annotations/auto_lang_ann.npy"
    np.save(path, np.arange(3))
    with pytest.raises(UserError, match="holds no table of language annotations"):
        load_language(path)
