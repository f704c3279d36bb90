"""Made-up windows have the shapes of real ones, so that timing a step on them means something."""

from firsthand.benchmarks.training_step import made_up_batch
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics
from tests.policy.conftest import tiny


def test_videos_have_one_camera_and_demonstrations_all_and_actions():
    config = tiny()
    policy = Policy(config, Statistics(frames=1))
    video, shown = (made_up_batch(config, 3, act=act) for act in (False, True))
    assert set(video.images) == {"rgb_static"}
    assert set(policy(video).scalars()) == {"total", "video/rgb_static"}
    assert set(shown.images) == {"rgb_static", "rgb_gripper"}
    assert {"arm", "gripper"} < set(policy(shown).scalars())
