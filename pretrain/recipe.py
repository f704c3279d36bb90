"""Future-frame pretraining: watch recordings with their narrations, predict what comes next.

GR-1's first stage (Wu et al. 2024): instruction and pictures in, no state and no actions, one loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from firsthand.common.errors import UserError
from firsthand.episodes.episode import WindowSpec
from firsthand.episodes.sampling.mixture import Corpora, Part, parts_of
from firsthand.episodes.sampling.windows import PoolConfig, to_frames
from firsthand.policy.checkpoints.encoders import load_encoders
from firsthand.policy.config import PolicyConfig
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics
from firsthand.training.config import TrainConfig
from firsthand.training.data import Reading
from firsthand.training.invariants import flatten, hash_of_data
from firsthand.training.loop import TrainResult, train
from firsthand.training.precompute_features import with_features
from firsthand.training.ranks import rank
from firsthand.training.sequences import sequence_spec


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
        UserError: a file cannot be read, a split is empty or shorter than the look ahead, the
            encoders' weights do not fit, or a resumed run was begun with other settings or data.
    """
    spec = window_spec(config.policy)
    long = sequence_spec(spec, config.sequence)
    reading = Reading(config.in_memory, config.pool, config.training.workers)
    parts = parts_of(corpora)
    for split in ("train", "valid"):
        check_futures(parts, split, config.policy.future)
    learned, held_out = reading.windows(parts, long, spec)
    torch.manual_seed(config.training.seed)
    policy = Policy(config.policy, Statistics())
    try:
        load_encoders(policy)
    except ValueError as error:
        raise UserError(str(error)) from error
    if config.features:
        learned = with_features(learned, policy, config.training)
    conditions = flatten({
        "policy": config.policy, "sequence": config.sequence, "features": config.features,
        "data": hash_of_data(parts),
    })  # fmt: skip
    return train(
        policy, learned, held_out, config.training, run_dir, resume=resume, conditions=conditions
    )


def window_spec(policy: PolicyConfig) -> WindowSpec:
    """The windows that a policy learns to watch: history and future, no states or actions."""
    return WindowSpec(
        length=policy.length,
        stride=policy.stride,
        cameras=tuple(camera.name for camera in policy.cameras),
        future=policy.future,
        state=False,
    )


def check_futures(parts: Sequence[Part], split: str, future: float) -> None:
    """Say how many recordings end before anything that is to be predicted.

    Raises:
        UserError: all of them do.
    """
    short, seconds = [], []
    for corpus in (part.corpus for part in parts if split in part.corpus.splits):
        rows = corpus.recordings[corpus.split(split)]
        rates, which = np.unique(rows["fps"], return_inverse=True)
        ahead = np.array([to_frames(future, float(fps)) for fps in rates])[which]
        short.append(rows["length"] <= ahead)
        seconds.append(rows["length"] / rows["fps"])
    if not short or not (count := int(np.concatenate(short).sum())):
        return
    longest = max(float(some.max()) for some in seconds)
    if count == sum(map(len, short)):
        raise UserError(
            f"there is nothing to predict in split {split!r}: policy.future looks {future:g} s "
            f"ahead, and the longest recording lasts {longest:.2g} s; lower policy.future, or take "
            "longer recordings"
        )
    if rank() == 0:
        print(
            f"{count} of {sum(map(len, short))} recordings in split {split!r} are not longer than "
            f"policy.future={future:g} s: they teach nothing",
            flush=True,
        )
