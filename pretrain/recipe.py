"""Future-frame pretraining: watch recordings with their narrations, predict what comes next.

GR-1's first stage (Wu et al. 2024): instruction and pictures in, no state and no actions, one loss.
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch

from episodes.episode import WindowSpec
from episodes.errors import UserError
from episodes.mixture import Corpora, parts_of
from episodes.windows import PoolConfig
from policy.config import PolicyConfig
from policy.policy import Policy
from policy.pretrained import load_encoders
from policy.statistics import Statistics
from training.config import TrainConfig
from training.features import with_features
from training.loop import TrainResult, train
from training.reading import Reading
from training.sequences import sequence_spec


@dataclass(frozen=True)
class PretrainConfig:
    """`in_memory` decodes all pictures once and keeps them; null: if they fit. Otherwise recordings
    are decoded as their turn comes, and kept in a `pool` while their windows are learned from.

    `sequence` is the number of frames of a training sample, at least the policy's window; null: the
    window. From a longer one every window in it is learned, each frame encoded once.
    """

    policy: PolicyConfig = field(default_factory=PolicyConfig)
    training: TrainConfig = field(default_factory=TrainConfig)
    sequence: int | None = None
    in_memory: bool | None = None
    pool: PoolConfig = field(default_factory=PoolConfig)
    features: bool = False


def pretrain(
    config: PretrainConfig, corpora: Corpora, run_dir: Path, *, resume: bool = False
) -> TrainResult:
    """Train a policy on recordings (files, a corpus or a mixture) to predict their futures.

    Recordings in the split `train` are learned from, those in `valid` measured on. The policy in
    the best checkpoint is what `finetune` starts from.

    Raises:
        UserError: a file cannot be read, or one of the splits is empty, or the encoders' weights do
            not fit.
    """
    spec = window_spec(config.policy)
    long = sequence_spec(spec, config.sequence)
    reading = Reading(config.in_memory, config.pool, config.training.workers)
    learned, held_out = reading.windows(parts_of(corpora), long, spec)
    torch.manual_seed(config.training.seed)
    policy = Policy(config.policy, Statistics())
    try:
        load_encoders(policy)
    except ValueError as error:
        raise UserError(str(error)) from error
    if config.features:
        learned = with_features(learned, policy, config.training)
    return train(policy, learned, held_out, config.training, run_dir, resume=resume)


def window_spec(policy: PolicyConfig) -> WindowSpec:
    """The windows that a policy learns to watch: history and future, no states or actions."""
    return WindowSpec(
        length=policy.length,
        stride=policy.stride,
        cameras=tuple(camera.name for camera in policy.cameras),
        future=policy.future,
        state=False,
    )
