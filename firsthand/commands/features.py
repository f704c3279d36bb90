"""What a frozen encoder makes of the pictures of a corpus, stored beside it."""

from dataclasses import dataclass, field
from typing import Literal

from firsthand.build import checkpoints, corpora
from firsthand.cli.console import say
from firsthand.cli.run_dir import Run
from firsthand.cli.settings import Schema
from firsthand.common.errors import UserError
from firsthand.common.executor import Executor, LocalExecutor
from firsthand.common.ray_executor import RayExecutor
from firsthand.policy.config import PolicyConfig


@dataclass(frozen=True)
class FeaturesConfig:
    """What is encoded by what, and by whom."""

    recordings: tuple[str, ...] | str
    """A corpus, or files and folders of episodes, whose pictures are encoded."""
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    """Whose encoder it is, with the weights that `images.weights` names."""
    pretrained: str = ""
    """A policy whose encoder is taken instead; empty: none."""
    kind: Literal["float16", "float32"] = "float16"
    """Of the numbers stored."""
    executor: Literal["local", "ray"] = "local"
    """This machine, or a Ray cluster."""
    workers: int = 1
    """Processes that encode."""
    address: str | None = None
    """Of a Ray cluster; `auto` for the one that this machine belongs to."""

    def __post_init__(self) -> None:
        if self.executor == "local" and self.address is not None:
            raise UserError(f"address={self.address} means nothing to executor=local")
        self.make_executor()

    def make_executor(self) -> Executor:
        if self.executor == "ray":
            return RayExecutor(self.workers, self.address)
        return LocalExecutor(self.workers)


SCHEMA = Schema(FeaturesConfig)


def execute(config: FeaturesConfig, run: Run) -> None:
    """Load the encoder, encode what is not encoded yet, say where it is."""
    from firsthand.policy.checkpoints.encoders import load_encoders
    from firsthand.policy.policy import Policy
    from firsthand.policy.statistics import Statistics
    from firsthand.training.precompute_features import make_features

    parts = corpora.named(config.recordings)
    if config.pretrained:
        policy = checkpoints.load_policy(config.pretrained)
    else:
        policy = Policy(config.policy, Statistics())
        try:
            load_encoders(policy)
        except ValueError as error:
            raise UserError(str(error)) from error
    for part in parts:
        where = make_features(
            policy, run.path / "policy", part.corpus, config.kind, config.make_executor()
        )
        say(f"features: {where}")
