from collections.abc import Callable

import pytest
import torch

from firsthand.policy.batch import Batch
from firsthand.policy.checkpoints.gr1 import GR1, read_gr1
from firsthand.policy.config import (
    ActionConfig,
    CameraConfig,
    ImageConfig,
    NarrationConfig,
    PolicyConfig,
    PoolingConfig,
    TrunkConfig,
    VideoConfig,
)
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics
from tests.helpers.gr1_files import Weights, whole_release

CAMERAS = (CameraConfig("rgb_static", 32), CameraConfig("rgb_gripper", 16))
SEEN = Statistics(frames=10, state_mean=(0.1,) * 15, state_std=(0.5,) * 15)


def tiny(**changes: object) -> PolicyConfig:
    """Every part of the `small` policy, a few numbers wide."""
    values: dict = {
        "cameras": CAMERAS,
        "n_obs_steps": 3,
        "images": ImageConfig(width=8),
        "pool": PoolingConfig(tokens=3),
        "trunk": TrunkConfig(width=24, depth=2, heads=2),
        "action": ActionConfig(chunk_size=4, n_action_steps=2),
        "video": VideoConfig(queries=2, patch=8, width=16, depth=1, heads=2, batch_fraction=1.0),
        "narration": NarrationConfig(enabled=False),
    }
    return PolicyConfig(**(values | changes))


def tiny_gr1() -> PolicyConfig:
    """Every choice of the `gr1` policy but its language, on timm's smallest vision transformer."""
    return tiny(
        cameras=(CameraConfig("rgb_static", 160), CameraConfig("rgb_gripper", 160)),
        state="gr1",
        images=ImageConfig(encoder="vit", model="test_vit", frozen=True),
        pool=PoolingConfig(kind="perceiver", tokens=3, depth=2, heads=2, head_width=8),
        trunk=TrunkConfig(width=24, depth=2, heads=2, intra_step_attention="causal"),
        action=ActionConfig(chunk_size=1, activation="none", n_action_steps=1),
        video=VideoConfig(
            queries=2, patch=16, width=16, depth=1, heads=2, start="mask", batch_fraction=1.0
        ),
    )


CONFIGS = {
    "small": tiny(),
    "small, one frame": tiny(n_obs_steps=1),
    "small, causal within a step": tiny(
        trunk=TrunkConfig(width=24, depth=2, heads=2, intra_step_attention="causal")
    ),
    "small, from features": tiny(
        video=VideoConfig(
            queries=2, patch=8, width=16, depth=1, heads=2, batch_fraction=1.0, start="features"
        )
    ),
    "small, narrated": tiny(narration=NarrationConfig(maps=2)),
    "gr1": tiny_gr1(),
}


@pytest.fixture(params=CONFIGS, scope="session")
def config(request: pytest.FixtureRequest) -> PolicyConfig:
    return CONFIGS[request.param]


@pytest.fixture(scope="session")
def policy(config: PolicyConfig) -> Policy:
    return make(config)


def make(config: PolicyConfig) -> Policy:
    """A policy whose every parameter matters: none is left at zero."""
    torch.manual_seed(0)
    policy = Policy(config, SEEN).eval()
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return policy


@pytest.fixture(scope="session")
def make_batch() -> Callable[..., Batch]:
    def build(config: PolicyConfig, size: int = 2, seed: int = 0) -> Batch:
        generator = torch.Generator().manual_seed(seed)
        steps, chunk = config.n_obs_steps, config.action.chunk_size

        def pictures() -> dict[str, torch.Tensor]:
            return {
                c.name: torch.randint(
                    0, 256, (size, steps, 3, c.size, c.size), dtype=torch.uint8, generator=generator
                )
                for c in config.cameras
            }

        def normal(*shape: int) -> torch.Tensor:
            return torch.randn(*shape, generator=generator)

        return Batch(
            images=pictures(),
            valid=torch.ones(size, steps, dtype=torch.bool),
            instruction=normal(size, config.language.width),
            state=normal(size, steps, 15),
            actions=normal(size, steps, chunk, 7),
            actions_valid=torch.ones(size, steps, chunk, dtype=torch.bool),
            future=pictures(),
            future_valid=torch.ones(size, steps, dtype=torch.bool),
            narrated=torch.ones(size, steps, dtype=torch.bool),
        )

    return build


@pytest.fixture(scope="session")
def whole() -> Weights:
    """GR-1's official weights, random."""
    return whole_release()


@pytest.fixture(scope="session")
def wanted(whole) -> Weights:
    """What a policy is made of, by our names."""
    config, weights = read_gr1(whole)
    assert config == GR1
    return weights
