"""Trials while training: the same numbers and films as an evaluation's, and nothing disturbed."""

import numpy as np

from firsthand.build.rollouts import TASKS, rollouts, tasks_of
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.episode import Episode
from firsthand.episodes.sampling.mixture import Part
from firsthand.episodes.storage.merge import EpisodeWriter
from firsthand.policy.config import (
    CameraConfig,
    ImageConfig,
    PolicyConfig,
    PoolingConfig,
    TrunkConfig,
)
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics


def test_a_rollout_films_every_task_and_counts_successes(tmp_path):
    config = PolicyConfig(
        cameras=(CameraConfig("rgb_static", 32), CameraConfig("rgb_gripper", 16)),
        images=ImageConfig(width=8),
        pool=PoolingConfig(tokens=2),
        trunk=TrunkConfig(width=16, depth=1, heads=2),
    )
    policy = Policy(config, Statistics(frames=1)).eval()
    act = rollouts(config, tmp_path, ("turn_on_led", "open_drawer"))
    outcome = act(policy, 7)
    scores = [outcome["turn_on_led"], outcome["open_drawer"]]
    assert outcome["success"] == np.mean(scores)
    for task in ("turn_on_led", "open_drawer"):
        film = outcome[f"film/{task}"]
        assert film.fps == 10
        assert len(film.frames) == 1 + 120 + 10  # the start, 12 seconds, and one under the outcome
        assert (tmp_path / f"000007-{task}.mp4").is_file()
    again = act(policy, 7)
    assert np.array_equal(outcome["film/open_drawer"].frames, again["film/open_drawer"].frames)


def shown(path, *sources):
    frames = {"rgb_static": np.zeros((2, 8, 8, 3), np.uint8)}
    with EpisodeWriter(path) as writer:
        for source in sources:
            writer.add(Episode(frames, 10.0, source=source), "train")
    return Part(Corpus.of([path]))


def test_tasks_are_those_that_are_demonstrated(tmp_path):
    one = shown(tmp_path / "a.h5", {"task": "close_drawer"}, {"task": "turn_on_led"})
    play = shown(tmp_path / "b.h5", {"subtasks": [{"task": "stack_block"}, {"task": "swim"}]})
    assert tasks_of([one], PolicyConfig()) == ("turn_on_led", "close_drawer")
    assert set(tasks_of([one, play], PolicyConfig())) == {
        "turn_on_led", "close_drawer", "stack_block"
    }  # fmt: skip
    every = shown(tmp_path / "c.h5", *({"task": task} for task in [*TASKS, "close_drawer"]))
    assert tasks_of([every, play], PolicyConfig()) == TASKS


def test_nothing_is_tried_of_what_the_playtable_does_not_have(tmp_path):
    foreign = shown(tmp_path / "a.h5", {"origin": "lerobot"}, {"task": 3}, {"subtasks": ["x"]})
    assert tasks_of([foreign], PolicyConfig()) == ()
    known = shown(tmp_path / "b.h5", {"task": "turn_on_led"})
    elsewhere = PolicyConfig(cameras=(CameraConfig("laptop", 96),))
    assert tasks_of([known], elsewhere) == ()
