"""Who acts in an evaluation, and in which arithmetic."""

from pathlib import Path

import numpy as np
import pytest
import torch

from episodes.errors import UserError
from firsthand.actors import CheckpointActor, actor
from policy.config import PolicyConfig
from policy.policy import Policy
from policy.statistics import Statistics


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("policy")
    torch.manual_seed(0)
    Policy(PolicyConfig(), Statistics(frames=1)).save_pretrained(path)
    return str(path)


def test_a_checkpoint_acts_in_the_arithmetic_asked_for(checkpoint):
    sizes = {"rgb_static": 96, "rgb_gripper": 64}
    rng = np.random.default_rng(0)
    pictures = {c: rng.integers(0, 256, (s, s, 3), dtype=np.uint8) for c, s in sizes.items()}
    said = {}
    threads = torch.get_num_threads()
    try:
        for precision in (None, "fp32", "bf16", "int8"):
            policy = actor(checkpoint, None, 0, precision)()
            policy.reset("open the drawer")
            said[precision] = policy.select_action({"rgb_obs": pictures, "robot_obs": np.zeros(15)})
    finally:
        torch.set_num_threads(threads)
    assert np.allclose(said["fp32"], said[None], atol=1e-5)
    for precision in ("bf16", "int8"):
        assert not np.array_equal(said[precision], said[None])
        assert np.allclose(said[precision], said[None], atol=0.02)


def test_only_a_checkpoint_has_an_arithmetic(checkpoint):
    with pytest.raises(UserError, match="precision=int8 is for checkpoints, not for actor=expert"):
        actor(None, "expert", 0, "int8")
    assert actor(checkpoint, None, 0, "int8") == CheckpointActor(checkpoint, "int8")
