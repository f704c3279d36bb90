"""Behaviour cloning together with the video loss: GR-1's second stage.

Smooth L1 on the arm, binary cross-entropy on the gripper, a chunk of actions at every frame, and
the future pictures of every camera.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from firsthand.common.errors import UserError
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.episode import WindowSpec
from firsthand.episodes.sampling.mixture import Corpora, parts_of
from firsthand.episodes.sampling.windows import PoolConfig
from firsthand.policy.checkpoints.encoders import load_encoders
from firsthand.policy.checkpoints.storage import load_policy
from firsthand.policy.checkpoints.transfer import start_from
from firsthand.policy.config import PolicyConfig
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics
from firsthand.training.config import TrainConfig
from firsthand.training.data import Reading
from firsthand.training.invariants import flatten, hash_of_data, hash_of_weights
from firsthand.training.loop import Rollout, TrainResult, train
from firsthand.training.precompute_features import with_features
from firsthand.training.sequences import sequence_spec


@dataclass(frozen=True)
class FinetuneConfig:
    """`pretrained` is a policy's directory (or hub name) to start from; empty for from scratch.

    `sequence` is the number of frames of a training sample, at least the policy's window; null: the
    window. From a longer one every window in it is learned, each frame encoded once.

    `in_memory` decodes all pictures once and keeps them; null: if they fit. Otherwise recordings
    are decoded as their turn comes, and kept in a `pool` while their windows are learned from.

    `features` learns from what a frozen encoder made of the pictures (`firsthand features`).
    """

    policy: PolicyConfig = field(default_factory=PolicyConfig)
    training: TrainConfig = field(default_factory=TrainConfig)
    pretrained: str = ""
    sequence: int | None = None
    in_memory: bool | None = None
    pool: PoolConfig = field(default_factory=PoolConfig)
    features: bool = False


def finetune(
    config: FinetuneConfig,
    corpora: Corpora,
    run_dir: Path,
    *,
    resume: bool = False,
    rollout: Rollout | None = None,
) -> TrainResult:
    """Train a policy to act as demonstrations (files, a corpus or a mixture) do.

    Raises:
        UserError: a file cannot be read, a split is empty, a recording lacks states or actions, its
            rate is not the policy's, the pretrained policy or the encoders' weights do not fit, or
            a resumed run was begun with other settings, data or weights.
    """
    parts = parts_of(corpora)
    for part in parts:
        check_demonstrations(part.corpus, config.policy.control_hz)
    spec = window_spec(config.policy)
    long = sequence_spec(spec, config.sequence)
    reading = Reading(config.in_memory, config.pool, config.training.workers)
    learned, held_out = reading.windows(parts, long, spec)
    torch.manual_seed(config.training.seed)
    policy = Policy(config.policy, demonstration_statistics(parts))
    pretrained = "none"
    try:
        if config.pretrained:
            weights = load_policy(config.pretrained)[2]
            pretrained = hash_of_weights(weights)
            start_from(policy, weights)
        else:
            load_encoders(policy)
    except ValueError as error:
        where = f"pretrained={config.pretrained}: " if config.pretrained else ""
        raise UserError(f"{where}{error}") from error
    if config.features:
        learned = with_features(learned, policy, config.training)
    conditions = flatten({
        "policy": config.policy, "sequence": config.sequence, "features": config.features,
        "data": hash_of_data(parts), "weights of pretrained": pretrained,
    })  # fmt: skip
    return train(
        policy, learned, held_out, config.training, run_dir,
        resume=resume, rollout=rollout, conditions=conditions,
    )  # fmt: skip


def window_spec(policy: PolicyConfig) -> WindowSpec:
    """The windows that a policy learns to act from. No futures are read if they weigh nothing."""
    return WindowSpec(
        length=policy.length,
        stride=policy.stride,
        cameras=tuple(camera.name for camera in policy.cameras),
        future=policy.future if policy.loss.video > 0 else None,
        chunk=policy.action.chunk,
    )


def check_demonstrations(corpus: Corpus, control_hz: float) -> None:
    """Every recording must hold states and actions at the rate at which the policy will act."""
    acting = np.array([c.has_state and c.has_actions for c in corpus.contents])
    fps = corpus.recordings["fps"]
    video = ~acting[corpus.recordings["content"]]
    for wrong in np.flatnonzero(video | (np.abs(fps - control_hz) > 0.01 * control_hz))[:1]:
        shard = corpus.shards[corpus.recordings["shard"][wrong]].name
        what = f"{shard}: {corpus.header(int(wrong)).name}"
        if video[wrong]:
            raise UserError(f"{what} is no demonstration: it lacks states or actions")
        raise UserError(
            f"{what} has {fps[wrong]} actions a second, "
            f"policy.control_hz is {control_hz}: set it to {fps[wrong]:g}"
        )


def demonstration_statistics(corpora: Corpora, split: str = "train") -> Statistics:
    """Mean and deviation of states and actions over the recordings that are learned from."""
    states, actions = [], []
    for part in parts_of(corpora):
        for recording in part.corpus.split(split).tolist():
            file, episode = part.corpus.file(recording)
            states.append(file.state(episode))
            actions.append(file.actions(episode))
    return Statistics.of(
        torch.from_numpy(np.concatenate(states)), torch.from_numpy(np.concatenate(actions))
    )
