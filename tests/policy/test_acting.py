import numpy as np
import pytest
import torch

from policy.batch import Batch
from policy.policy import Policy
from policy.statistics import Statistics
from tests.policy.conftest import make, tiny


def observe(seed: int) -> dict:
    rng = np.random.default_rng(seed)
    return {
        "rgb_obs": {
            "rgb_static": rng.integers(0, 256, (32, 32, 3), dtype=np.uint8),
            "rgb_gripper": rng.integers(0, 256, (16, 16, 3), dtype=np.uint8),
        },
        "robot_obs": rng.standard_normal(15),
    }


def test_the_closed_loop_says_what_predict_says_on_the_same_history():
    """Window of three frames two control steps apart; two actions of each chunk are executed."""
    policy = make(tiny(stride=0.2, control_hz=10.0))
    seen = [observe(i) for i in range(8)]
    policy.reset("open the drawer")
    acted = [policy.select_action(observation) for observation in seen]
    for now in range(0, 8, 2):
        window = [i for i in (now - 4, now - 2, now) if i >= 0]
        batch = Batch(
            images={
                camera: torch.stack(
                    [torch.tensor(seen[i]["rgb_obs"][camera]).permute(2, 0, 1) for i in window]
                )[None]
                for camera in ("rgb_static", "rgb_gripper")
            },
            valid=torch.ones(1, len(window), dtype=torch.bool),
            instruction=policy.encode_instructions(["open the drawer"]),
            state=torch.tensor(np.stack([seen[i]["robot_obs"] for i in window])).float()[None],
        )
        chunk = policy.predict(batch).actions[0, -1]
        assert torch.allclose(chunk[0], torch.tensor(acted[now]), atol=1e-6)
        assert torch.allclose(chunk[1], torch.tensor(acted[now + 1]), atol=1e-6)


def test_reset_forgets_everything():
    policy = make(tiny())
    policy.reset("open the drawer")
    first = [policy.select_action(observe(i)) for i in range(5)]
    policy.reset("open the drawer")
    again = [policy.select_action(observe(i)) for i in range(5)]
    assert np.array_equal(first, again)


def test_acting_needs_an_instruction_and_demonstrations():
    with pytest.raises(RuntimeError, match="call reset"):
        make(tiny()).select_action(observe(0))
    with pytest.raises(ValueError, match="video alone"):
        Policy(tiny(), Statistics()).reset("open the drawer")
