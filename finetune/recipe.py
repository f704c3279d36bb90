"""Behaviour cloning together with the video loss: GR-1's second stage.

Smooth L1 on the arm, binary cross-entropy on the gripper, a chunk of actions at every frame, and
the future pictures of every camera.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from firsthand.common.errors import UserError
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.episode import WindowSpec
from firsthand.episodes.sampling.mixture import Corpora, parts_of
from firsthand.policy.checkpoints.encoders import load_encoders
from firsthand.policy.checkpoints.storage import load_policy
from firsthand.policy.checkpoints.transfer import start_from
from firsthand.policy.config import PolicyConfig
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics
from firsthand.training.invariants import hash_of_weights
from firsthand.training.loop import TrainResult
from firsthand.training.recipe import RecipeConfig, Rollout, train_on_windows


@dataclass(frozen=True)
class FinetuneConfig(RecipeConfig):
    """How a policy is fine-tuned."""

    pretrained: str = ""
    """A policy's directory (or hub name) to start from; empty: from scratch."""


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

    def make_policy() -> tuple[Policy, Mapping[str, Any]]:
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
        return policy, {"weights of pretrained": pretrained}

    return train_on_windows(
        config, parts, window_spec(config.policy), make_policy, run_dir,
        resume=resume, rollout=rollout,
    )  # fmt: skip


def window_spec(policy: PolicyConfig) -> WindowSpec:
    """The windows that a policy learns to act from. No futures are read if they weigh nothing."""
    return WindowSpec(
        length=policy.n_obs_steps,
        stride=policy.obs_stride_s,
        cameras=tuple(camera.name for camera in policy.cameras),
        future=policy.horizon_s if policy.loss.video > 0 else None,
        chunk=policy.action.chunk_size,
        narrated=policy.narration.enabled,
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
