"""A policy acts and the expert says what should be done (DAgger)."""

from dataclasses import replace

import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.envs.experts.expert import Expert
from firsthand.envs.playtable.env import PlayTable
from firsthand.envs.recording.corrections import Corrections
from firsthand.envs.recording.record import RecordConfig, record
from firsthand.envs.recording.recorder import PATIENCE, Recorder
from firsthand.envs.recording.replay import replay
from firsthand.envs.recording.schedule import DemoRequest, RecordAttempt
from firsthand.envs.tasks.initial_states import generator
from firsthand.episodes.episode import INTERVENTION, WindowSpec
from firsthand.episodes.sampling.windows import Windows
from firsthand.episodes.storage.merge import EpisodeFile
from tests.helpers.evaluated_policies import Presser

CONFIG = RecordConfig(
    tasks=("turn_on_led", "open_drawer"),
    episodes=4,
    cameras={"rgb_static": 24},
    workers=0,
)
ROW = RecordAttempt(DemoRequest("open_drawer", "D"), 0, {})


def drawn():
    """The random numbers of `ROW`'s expert."""
    return generator(CONFIG.seed, "recording", f"{ROW.request} disturbed", ROW.index)


class Perfect:
    """Acts as the expert does that corrects it in `ROW`."""

    control_hz = 10.0
    privileged = True

    def __init__(self):
        self.expert = None

    def reset(self, instruction):
        pass

    def select_action(self, observation):
        if self.expert is None:
            self.expert = Expert(observation["task"], observation["layout"], rng=drawn())
        return self.expert.act(observation["info"], 3)[0]


@pytest.fixture(scope="module")
def corrected(tmp_path_factory):
    """Of a policy that does one thing, whatever it is told."""
    out = tmp_path_factory.mktemp("corrected") / "corrections.hdf5"
    return record(CONFIG, out, corrections=Corrections(Presser, {"actor": "presser"}))


def test_failures_are_stored_too(corrected):
    with EpisodeFile(corrected) as file:
        assert len(file) == CONFIG.episodes
        assert file.source["recorded_with"]["corrections"] == {"beta": 0.5, "actor": "presser"}
        sources = [header.source for header in file.headers]
        assert {source["origin"] for source in sources} == {"corrections"}
        assert any(not source["success"] for source in sources)
        for index, header in enumerate(file.headers):
            assert header.source["success"] or header.length == PATIENCE // 3
            again = replay(corrected, index)
            assert again.success
            assert again.drift == 0


def test_labels_are_what_the_expert_does_there(corrected):
    """In a world that is led through the same states, an expert that was asked at each answers so;
    where it acted, that was executed; and from where the policy ended it can do the task."""
    env = PlayTable(cameras={}, action_repeat=3)
    with EpisodeFile(corrected) as file:
        episodes = [file.read(name) for name in file.names()]
    first = [episode for episode in episodes if not episode.source["place"]]
    shares = []
    for episode in first:
        task, index = episode.source["task"], episode.source["index"]
        rng = generator(CONFIG.seed, "recording", f"{task} in scene D disturbed", index)
        expert = Expert(task, env.layout, rng=rng)
        env.reset(options=dict(episode.source["reset"]))
        info = env.set_task(task)
        by_expert = episode.signals[INTERVENTION]
        shares.append(by_expert.mean())
        for label, executed, acts in zip(episode.actions, episode.executed, by_expert, strict=True):
            asked, _ = expert.act(info, 3, executed)
            assert np.array_equal(asked.astype(np.float32), label)
            assert acts == np.array_equal(label, executed)
            *_, success, _, info = env.step(executed)
        assert success == episode.source["success"]
        for _ in range(PATIENCE // 3):
            if not success:
                *_, success, _, info = env.step(expert.act(info, 3)[0])
        assert success
    assert 0 < np.mean(shares) < 1
    env.close()


def test_a_perfect_policy_is_told_what_it_did(tmp_path):
    recorder = Recorder(CONFIG, tmp_path, Corrections(Perfect, {}, beta=0.0))
    (episode,), outcome = recorder.attempt(ROW)
    recorder.close()
    assert outcome.done == ("open_drawer",)
    assert episode.source["success"]
    assert not episode.signals[INTERVENTION].any()
    np.testing.assert_array_equal(episode.actions, episode.executed)


def test_with_beta_1_the_expert_demonstrates(tmp_path):
    recorder = Recorder(CONFIG, tmp_path, Corrections(Presser, {}, beta=1.0))
    calm = Recorder(replace(CONFIG, noise=0.0), tmp_path)
    for made in (recorder, calm):
        (episode,), _ = made.attempt(ROW)
        made.close()
        assert np.array_equal(episode.actions, episode.executed)


def test_a_chunk_ends_where_its_labels_were_not_followed(corrected):
    chunk = 8
    windows = Windows([corrected], WindowSpec(2, 0.1, ("rgb_static",), chunk=chunk))
    with EpisodeFile(corrected) as file:
        acts = [file.signal(name, INTERVENTION) for name in file.names()]
    cut = 0
    for index in range(len(windows)):
        recording, first = windows.locate(index)
        window, followed = windows[index], acts[recording]
        for t in range(2):
            for k in range(chunk):
                at = first + t
                learned = at + k < len(followed) and bool(followed[at : at + k].all())
                assert window.actions_valid[t, k] == learned
                cut += at + k < len(followed) and not learned
    assert cut


def test_what_cannot_be_corrected_is_refused(tmp_path):
    with pytest.raises(UserError, match="beta must lie between 0 and 1, not 2"):
        Corrections(Presser, {}, beta=2.0)
    with pytest.raises(UserError, match="leave play=true away"):
        record(
            replace(CONFIG, play=True), tmp_path / "a.hdf5", corrections=Corrections(Presser, {})
        )
    with pytest.raises(UserError, match="write action_repeat=3"):
        Recorder(replace(CONFIG, action_repeat=1), tmp_path, Corrections(Presser, {}))
