"""Results, recordings and runs of before 0.2.0 are read by today's names."""

import json
from dataclasses import replace
from pathlib import Path

from firsthand.cli.aliases import WORLD_KEYS, today_flat, today_word
from firsthand.envs.aliases import NAMES
from firsthand.envs.config import PlayTableWorld
from firsthand.envs.evaluation.config import EvaluationConfig
from firsthand.envs.evaluation.evaluate import evaluate_tasks
from firsthand.envs.recording.record import RecordConfig, record
from firsthand.envs.recording.replay import replay
from firsthand.episodes.storage.merge import EpisodeFile, EpisodeWriter
from tests.helpers.evaluated_policies import Ready

FEW = EvaluationConfig(
    tasks=("turn_on_led",), trials=1, steps=2, cameras={}, workers=0,
    env=PlayTableWorld(require_stable=False),
)  # fmt: skip


def test_results_of_before_are_continued(tmp_path: Path) -> None:
    evaluate_tasks(Ready, FEW, tmp_path)
    header = tmp_path / "tasks.config.json"
    before = json.loads(header.read_text())
    before["config"]["seats"] = before["config"].pop("num_envs")
    before["config"]["env"]["guard"] = before["config"]["env"].pop("require_stable")
    header.write_text(json.dumps(before))
    assert len(evaluate_tasks(Ready, FEW, tmp_path, resume=True).records) == 1


def test_a_recording_of_before_is_replayed(tmp_path: Path) -> None:
    config = RecordConfig(tasks=("turn_on_led",), episodes=1, cameras={}, workers=0)
    with EpisodeFile(record(config, tmp_path / "now.hdf5")) as file:
        episode = file.read_encoded(0)
    source = dict(episode.source)
    source["guard"] = source.pop("require_stable")
    with EpisodeWriter(tmp_path / "before.hdf5") as writer:
        writer.add(replace(episode, source=source), "train")
    assert replay(tmp_path / "before.hdf5", 0).success


def test_settings_of_a_run_have_today_s_names() -> None:
    assert [today_word(word) for word in ("seats=4", "env.guard=false", "policy.length=3")] == [
        "num_envs=4",
        "env.require_stable=false",
        "policy.n_obs_steps=3",
    ]
    assert today_flat({"seats": 4, "env.guard": False, "guard": 1, "policy.length": 3}) == {
        "num_envs": 4,
        "env.require_stable": False,
        "guard": 1,
        "policy.n_obs_steps": 3,
    }
    last = {old.split(".")[-1]: new.split(".")[-1] for old, new in WORLD_KEYS.items()}
    assert last == NAMES
