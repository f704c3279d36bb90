import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import gymnasium
import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.envs.config import PlayTableWorld
from firsthand.envs.playtable.env import PlayTable
from firsthand.envs.playtable.layouts import LAYOUTS
from firsthand.envs.recording.record import RecordConfig, record
from firsthand.envs.recording.recorder import PATIENCE, Recorder
from firsthand.envs.recording.replay import replay
from firsthand.envs.recording.schedule import DemoRequest, RecordAttempt
from firsthand.envs.tasks.initial_states import initial_state
from firsthand.envs.tasks.instructions import TRAINING
from firsthand.episodes.episode import WindowSpec
from firsthand.episodes.sampling.windows import Windows
from firsthand.episodes.storage.merge import EpisodeFile, EpisodeWriter
from tests.conftest import PROJECT

SMALL = RecordConfig(
    tasks=("turn_on_led", "open_drawer"),
    episodes=5,
    cameras={"rgb_static": 24, "rgb_gripper": 16},
    held_out_every=2,
    workers=0,
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return record(SMALL, tmp_path_factory.mktemp("recorded") / "demos.hdf5")


def test_what_is_stored(recorded):
    with EpisodeFile(recorded) as file:
        assert len(file) == 5
        assert file.env_args == SMALL.env_args()
        assert file.source["recorded_with"]["noise"] == SMALL.noise
        assert set(file.source["failures"]) == {f"{task} in scene D" for task in SMALL.tasks}
        held_out = {file.header(name).source["index"] for name in file.names("valid")}
        trained = {file.header(name).source["index"] for name in file.names("train")}
        assert held_out
        assert not held_out & trained  # one of which goes on where the other ended
        for number, name in enumerate(file.names()):
            episode = file.read(name)
            source = episode.source
            assert source["task"] == SMALL.tasks[number % 2]
            assert episode.instruction in TRAINING[source["task"]]
            assert episode.fps == 10
            assert episode.frames["rgb_static"].shape == (len(episode), 24, 24, 3)
            assert episode.frames["rgb_gripper"].shape == (len(episode), 16, 16, 3)
            assert episode.state.shape == (len(episode), 15)
            assert episode.actions.shape == episode.executed.shape == (len(episode), 7)
            start = source["reset"]["robot_obs"]
            np.testing.assert_allclose(episode.state[0, 7:14], start[7:14], atol=1e-6)
            if not source["place"]:
                drawn = initial_state(source["task"], source["index"], SMALL.seed, "recording")
                assert source["reset"]["robot_obs"] == drawn[0].tolist()
                assert source["reset"]["scene_obs"] == drawn[1].tolist()
    assert [path.name for path in recorded.parent.iterdir()] == ["demos.hdf5"]


def test_others_begin_where_one_ended(recorded):
    """In the world, not only in the list: executing one leads to where the next one begins."""
    with EpisodeFile(recorded) as file:
        episodes = [file.read(name) for name in file.names()]
    rows = {(e.source["index"], e.source["place"]): e for e in episodes}
    pairs = [(rows[row, n - 1], after) for (row, n), after in rows.items() if n]
    assert pairs
    env = PlayTable(cameras={}, action_repeat=3)
    for before, after in pairs:
        env.reset(options=dict(before.source["reset"]) | {"task": before.source["task"]})
        for action in before.executed:
            observation, _, success, _, _ = env.step(action)
        assert success
        assert observation["robot_obs"].tolist() == after.source["reset"]["robot_obs"]
        assert observation["scene_obs"].tolist() == after.source["reset"]["scene_obs"]
    env.close()


@pytest.mark.parametrize("scenes", [(), ("B", "C")])
def test_the_world_that_is_stored_can_be_made(scenes):
    """As robomimic's create_env_from_metadata does; of several scenes, the first."""
    config = replace(SMALL, scenes=scenes)
    args = config.env_args()
    stored = json.loads(json.dumps(args))
    env = gymnasium.make(stored["env_name"], **stored["env_kwargs"])
    world = env.unwrapped
    assert world.layout is LAYOUTS[config.scenes[0]]
    assert world.action_repeat == config.action_repeat
    assert env.observation_space["rgb_obs"]["rgb_static"].shape == (24, 24, 3)
    env.close()


def test_no_layout_of_recording_is_one_of_evaluation():
    for task in SMALL.tasks:
        shown = {initial_state(task, i, 0, "recording")[1].tobytes() for i in range(50)}
        asked = {initial_state(task, i, 0, "evaluation")[1].tobytes() for i in range(50)}
        assert not shown & asked


def test_frames_show_what_was_seen_before_the_action(recorded):
    """Executing the stored actions again leads through the stored states and pictures."""
    with EpisodeFile(recorded) as file:
        episode = file.read(1)
    env = PlayTable(cameras=SMALL.cameras, action_repeat=3)
    observation, _ = env.reset(
        options=dict(episode.source["reset"]) | {"task": episode.source["task"]}
    )
    for t, action in enumerate(episode.executed):
        assert np.array_equal(observation["robot_obs"].astype(np.float32), episode.state[t])
        for camera, frames in episode.frames.items():
            difference = frames[t].astype(int) - observation["rgb_obs"][camera]
            assert np.abs(difference).mean() < 5  # JPEG
        observation, _, success, _, _ = env.step(action)
    env.close()
    assert success


def test_noise_is_executed_but_not_taught(tmp_path):
    recorder = Recorder(replace(SMALL, noise=1.0), tmp_path)
    calm = Recorder(replace(SMALL, noise=0.0), tmp_path)
    rows = [RecordAttempt(DemoRequest("open_drawer", "D"), i, {}) for i in range(3)]
    episodes = [episode for row in rows for episode in recorder.attempt(row)[0]]
    assert any((e.executed != e.actions).any() for e in episodes)
    (quiet,) = calm.attempt(rows[0])[0]
    assert np.array_equal(quiet.executed, quiet.actions)
    recorder.close()
    calm.close()


def test_replays_succeed(recorded):
    for index in range(5):
        again = replay(recorded, index)
        assert again.success
        assert again.drift == 0


def test_a_changed_demonstration_fails_its_replay(recorded, tmp_path):
    with EpisodeFile(recorded) as file, EpisodeWriter(tmp_path / "changed.hdf5") as writer:
        episode = file.read_encoded(1)
        writer.add(replace(episode, executed=-episode.executed))
        writer.add(replace(episode, source={}))
    assert not replay(tmp_path / "changed.hdf5", 0).success
    with pytest.raises(UserError, match="cannot be replayed without its"):
        replay(tmp_path / "changed.hdf5", 1)


def test_the_number_of_workers_changes_no_byte(recorded, tmp_path):
    again = record(replace(SMALL, workers=2), tmp_path / "again.hdf5")
    assert again.read_bytes() == recorded.read_bytes()


def test_killed_and_resumed(recorded, tmp_path):
    out = tmp_path / "demos.hdf5"
    parts = tmp_path / "demos.hdf5.parts"
    script = tmp_path / "run.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(PROJECT)!r})\n"
        "from pathlib import Path\n"
        "from firsthand.envs.recording.record import RecordConfig, record\n"
        "from firsthand.envs.config import PlayTableWorld\n"
        "if __name__ == '__main__':\n"
        f"    record({replace(SMALL, workers=1)!r}, Path({str(out)!r}))\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.DEVNULL)
    with process:
        while not list(parts.glob("*.hdf5")):
            assert process.poll() is None
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    assert not out.exists()
    with pytest.raises(UserError, match="unfinished recording: add resume=true"):
        record(SMALL, out)
    with pytest.raises(UserError, match=r"noise was 0\.3 and is now 0\.1"):
        record(replace(SMALL, noise=0.1), out, resume=True)
    finished = {path.name: path.stat().st_mtime_ns for path in parts.glob("[0-9]*")}
    assert record(SMALL, out, resume=True) == out
    assert finished
    assert out.read_bytes() == recorded.read_bytes()
    assert not parts.exists()


def test_a_finished_recording_is_kept(recorded):
    before = recorded.stat()
    assert record(SMALL, recorded, resume=True) == recorded
    assert recorded.stat() == before
    with pytest.raises(UserError, match="exists: add resume=true"):
        record(SMALL, recorded)
    with pytest.raises(UserError, match="seed was 0 and is now 1"):
        record(replace(SMALL, seed=1), recorded, resume=True)


def test_failures_are_counted_and_replaced(tmp_path):
    """With little time, only those layouts are stored from which the expert is quick."""
    config = replace(SMALL, tasks=("turn_on_led",), episodes=3, steps=27, noise=0.0)
    out = record(config, tmp_path / "quick.hdf5")
    with EpisodeFile(out) as file:
        indices = [header.source["index"] for header in file.headers]
        assert len(set(indices)) == 3
        assert file.source["failures"]["turn_on_led in scene D"] == indices[-1] + 1 - 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tasks": ("fly",)}, "unknown task 'fly'"),
        ({"tasks": ()}, "one task or more"),
        ({"episodes": 0}, "episodes must be 1 or more, not 0"),
        ({"noise": -0.5}, r"noise must be 0 or more, not -0\.5"),
        ({"scenes": ("A", "A")}, "each once"),
        ({"setting": "zero_shot_scene", "scenes": ("D",)}, "learns from scenes A, B, C, not D"),
        ({"seconds": 0.01}, "shorter than one action"),
    ],
)
def test_configurations_are_checked(settings, message):
    with pytest.raises(UserError, match=message):
        RecordConfig(**settings)


def test_tasks_and_scenes_are_shown_equally_often():
    config = RecordConfig(episodes=1000, scenes=("A", "B", "C"))
    counts = config.wanted
    assert len(counts) == 3 * 34
    assert sum(counts.values()) == 1000
    assert max(counts.values()) - min(counts.values()) == 1


@pytest.mark.parametrize(("play", "scenes"), [(False, "ABCD"), (False, "ABC"), (True, "D")])
def test_one_row_in_so_many_is_held_out_of_every_scene(play, scenes):
    config = RecordConfig(scenes=tuple(scenes), play=play)
    requests = list(config.wanted)
    rows = [RecordAttempt(requests[i % len(requests)], i, {}) for i in range(4000)]
    held_out = [row.request.scene for row in rows if config.holds_out(row)]
    assert len(held_out) == 4000 / config.held_out_every
    assert config.holds_out(rows[5])
    for scene in scenes:
        assert held_out.count(scene) == pytest.approx(len(held_out) / len(scenes), rel=0.3)


def test_settings_name_scenes_and_shares():
    assert RecordConfig().scenes == ("D",)
    assert RecordConfig(env=PlayTableWorld("B")).scenes == ("B",)
    assert RecordConfig(setting="zero_shot_scene").scenes == ("A", "B", "C")
    tenth = RecordConfig(setting="ten_percent", episodes=1360)
    assert tenth.scenes == ("A", "B", "C", "D")
    assert sum(tenth.wanted.values()) == 136


PLAY = replace(
    SMALL, tasks=("turn_on_led", "turn_off_led", "open_drawer", "close_drawer"),
    scenes=("A", "B"), episodes=2, play=True, seconds=12.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    return record(PLAY, tmp_path_factory.mktemp("played") / "play.hdf5")


def test_play_is_narrated(played):
    with EpisodeFile(played) as file:
        assert [header.source["scene"] for header in file.headers] == ["A", "B"]
        for header in file.headers:
            subtasks = header.source["subtasks"]
            assert 12 <= header.seconds < 12 + PATIENCE / 30
            assert header.instruction == ""
            assert len(subtasks) > 2
            ends = [-1, *(subtask["last"] for subtask in subtasks)]
            assert [subtask["first"] for subtask in subtasks] == [end + 1 for end in ends[:-1]]
            assert ends[-1] == header.length - 1
            done = [subtask for subtask in subtasks if subtask["success"]]
            assert [n.text for n in header.narrations] == [s["instruction"] for s in done]
            for subtask, narration in zip(done, header.narrations, strict=True):
                assert narration.text in TRAINING[subtask["task"]]
                assert narration.start == subtask["first"] / header.fps
                assert narration.end > subtask["last"] / header.fps
            for one, other in itertools.pairwise(subtasks):
                assert not one["success"] or one["task"] != other["task"]


def test_play_is_replayed(played):
    for index in range(2):
        again = replay(played, index)
        assert again.success
        assert again.drift == 0


def test_the_command_says_what_failed(recorded, tmp_path, capsys):
    from firsthand.commands.replay import ReplayConfig, execute

    execute(ReplayConfig(recorded, sample=2, workers=0))
    assert "all of 2 recordings succeeded again" in capsys.readouterr().out
    changed = tmp_path / "changed.hdf5"
    with EpisodeFile(recorded) as file, EpisodeWriter(changed) as writer:
        episode = file.read_encoded(1)
        writer.add(episode)
        writer.add(replace(episode, executed=-episode.executed))
    with pytest.raises(UserError, match=r"1 of 2 recordings did not succeed again: demo_1"):
        execute(ReplayConfig(changed, workers=0))


def test_a_full_disk_is_told_in_one_line(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("firsthand.envs.recording.record.write_text", full)
    with pytest.raises(UserError, match=r"demos.hdf5: cannot be written: No space left on device"):
        record(SMALL, tmp_path / "demos.hdf5")


def test_play_is_learned_under_its_sentences_alone(played):
    """Every action is learned under the sentence that it followed, and those of failed attempts,
    which nobody describes, under none."""
    chunk = 10
    spec = WindowSpec(length=1, stride=0.1, cameras=("rgb_static",), chunk=chunk)
    windows = Windows([played], spec)
    with EpisodeFile(played) as file:
        headers, actions = file.headers, [file.actions(name) for name in file.names()]
    for index in range(len(windows)):
        recording, first = windows.locate(index)
        window, subtasks = windows[index], headers[recording].source["subtasks"]
        now = next(s for s in subtasks if s["first"] <= first <= s["last"])
        learned = window.actions_valid[0]
        if not now["success"]:
            assert not learned.any()
            continue
        assert window.instruction == now["instruction"]
        left = min(chunk, now["last"] - first + 1)
        assert learned.tolist() == [True] * left + [False] * (chunk - left)
        assert np.array_equal(window.actions[0, :left], actions[recording][first : first + left])
    assert index == sum(header.length for header in headers) - 1
