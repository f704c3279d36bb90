"""Future-frame pretraining: watch recordings with their narrations, predict what comes next.

GR-1's first stage (Wu et al. 2024): instruction and pictures in, no state and no actions, one loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from episodes.episode import WindowSpec
from episodes.errors import UserError
from episodes.windows import Windows
from policy.config import PolicyConfig
from policy.policy import Policy
from policy.pretrained import load_encoders
from policy.statistics import Statistics
from training.config import TrainConfig
from training.loop import TrainResult, train
from training.sequences import sequence_spec


@dataclass(frozen=True)
class PretrainConfig:
    """`in_memory` decodes all pictures once and keeps them: for corpora that fit.

    `sequence` is the number of frames of a training sample, at least the policy's window; null: the
    window. From a longer one every window in it is learned, each frame encoded once.
    """

    policy: PolicyConfig = field(default_factory=PolicyConfig)
    training: TrainConfig = field(default_factory=TrainConfig)
    sequence: int | None = None
    in_memory: bool = True


def pretrain(
    config: PretrainConfig, files: Sequence[Path], run_dir: Path, *, resume: bool = False
) -> TrainResult:
    """Train a policy on the recordings in `files` to predict their futures.

    Recordings in the split `train` are learned from, those in `valid` measured on. The policy in
    the best checkpoint is what `finetune` starts from.

    Raises:
        UserError: a file cannot be read, or one of the splits is empty, or the encoders' weights do
            not fit.
    """
    spec = window_spec(config.policy)
    long = sequence_spec(spec, config.sequence)
    learned, held_out = (
        Windows(files, shown, split=split, in_memory=config.in_memory)
        for split, shown in (("train", long), ("valid", spec))
    )
    torch.manual_seed(config.training.seed)
    policy = Policy(config.policy, Statistics())
    try:
        load_encoders(policy)
    except ValueError as error:
        raise UserError(str(error)) from error
    return train(policy, learned, held_out, config.training, run_dir, resume=resume)


def window_spec(policy: PolicyConfig) -> WindowSpec:
    """The windows that a policy learns to watch: its own history and future, no actions."""
    return WindowSpec(
        length=policy.length,
        stride=policy.stride,
        cameras=tuple(camera.name for camera in policy.cameras),
        future=policy.future,
    )
