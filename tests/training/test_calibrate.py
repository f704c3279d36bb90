"""Made-up windows have the shapes of real ones, so that timing a step on them means something."""

from policy.policy import Policy
from policy.statistics import Statistics
from tests.policy.conftest import tiny
from training.calibrate import made_up_batch, seconds_per_step
from training.config import TrainConfig


def test_videos_have_one_camera_and_demonstrations_all_and_actions():
    config = tiny()
    policy = Policy(config, Statistics(frames=1))
    video, shown = (made_up_batch(config, 3, act=act) for act in (False, True))
    assert set(video.images) == {"rgb_static"}
    assert set(policy(video).scalars()) == {"total", "video/rgb_static"}
    assert set(shown.images) == {"rgb_static", "rgb_gripper"}
    assert {"arm", "gripper"} < set(policy(shown).scalars())


def test_a_step_takes_time():
    config = TrainConfig(steps=1, batch_size=2, warmup=0, precision="fp32")
    assert 0 < seconds_per_step(tiny(), config, act=True, steps=3) < 60
