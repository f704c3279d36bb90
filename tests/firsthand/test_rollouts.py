"""Trials while training: the same numbers and films as an evaluation's, and nothing disturbed."""

import numpy as np

from firsthand.rollouts import rollouts
from policy.config import CameraConfig, ImageConfig, PolicyConfig, PoolConfig, TrunkConfig
from policy.policy import Policy
from policy.statistics import Statistics


def test_a_rollout_films_every_task_and_counts_successes(tmp_path):
    config = PolicyConfig(
        cameras=(CameraConfig("rgb_static", 32), CameraConfig("rgb_gripper", 16)),
        images=ImageConfig(width=8),
        pool=PoolConfig(tokens=2),
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
