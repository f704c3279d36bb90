"""Behaviour cloning together with the video loss: GR-1's second stage.

Smooth L1 on the arm, binary cross-entropy on the gripper, a chunk of actions at every frame, and
the future pictures of every camera.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from episodes.episode import WindowSpec
from episodes.errors import UserError
from episodes.store import EpisodeFile
from episodes.windows import Windows
from policy.config import PolicyConfig
from policy.policy import Policy
from policy.pretrained import load_encoders
from policy.statistics import Statistics
from policy.storage import load_policy
from policy.transfer import start_from
from training.config import TrainConfig
from training.loop import Rollout, TrainResult, train
from training.sequences import sequence_spec


@dataclass(frozen=True)
class FinetuneConfig:
    """`pretrained` is a policy's directory (or hub name) to start from; empty for from scratch.

    `sequence` is the number of frames of a training sample, at least the policy's window; null: the
    window. From a longer one every window in it is learned, each frame encoded once.
    """

    policy: PolicyConfig = field(default_factory=PolicyConfig)
    training: TrainConfig = field(default_factory=TrainConfig)
    pretrained: str = ""
    sequence: int | None = None
    in_memory: bool = True


def finetune(
    config: FinetuneConfig,
    files: Sequence[Path],
    run_dir: Path,
    *,
    resume: bool = False,
    rollout: Rollout | None = None,
) -> TrainResult:
    """Train a policy to act as the demonstrations in `files` do.

    Raises:
        UserError: a file cannot be read, a split is empty, a recording lacks states or actions, its
            rate is not the policy's, or the pretrained policy or the encoders' weights do not fit.
    """
    check_demonstrations(files, config.policy.control_hz)
    spec = window_spec(config.policy)
    long = sequence_spec(spec, config.sequence)
    learned, held_out = (
        Windows(files, shown, split=split, in_memory=config.in_memory)
        for split, shown in (("train", long), ("valid", spec))
    )
    torch.manual_seed(config.training.seed)
    policy = Policy(config.policy, demonstration_statistics(files))
    try:
        if config.pretrained:
            start_from(policy, load_policy(config.pretrained)[2])
        else:
            load_encoders(policy)
    except ValueError as error:
        where = f"pretrained={config.pretrained}: " if config.pretrained else ""
        raise UserError(f"{where}{error}") from error
    return train(
        policy, learned, held_out, config.training, run_dir, resume=resume, rollout=rollout
    )


def window_spec(policy: PolicyConfig) -> WindowSpec:
    """The windows that a policy learns to act from. No futures are read if they weigh nothing."""
    return WindowSpec(
        length=policy.length,
        stride=policy.stride,
        cameras=tuple(camera.name for camera in policy.cameras),
        future=policy.future if policy.loss.video > 0 else None,
        chunk=policy.action.chunk,
    )


def check_demonstrations(files: Sequence[Path], control_hz: float) -> None:
    """Every recording must hold states and actions at the rate at which the policy will act."""
    for path in files:
        file = EpisodeFile(path)
        for index in range(len(file)):
            header = file.header(index)
            if not (header.has_state and header.has_actions):
                raise UserError(
                    f"{path}: {header.name} is no demonstration: it lacks states or actions"
                )
            if abs(header.fps - control_hz) > 0.01 * control_hz:
                raise UserError(
                    f"{path}: {header.name} has {header.fps} actions a second, "
                    f"policy.control_hz is {control_hz}: set it to {header.fps:g}"
                )


def demonstration_statistics(files: Sequence[Path], split: str = "train") -> Statistics:
    """Mean and deviation of states and actions over the recordings that are learned from."""
    states, actions = [], []
    for path in files:
        file = EpisodeFile(path)
        names = set(file.names(split))
        for index, name in enumerate(file.names()):
            if name in names:
                states.append(file.state(index))
                actions.append(file.actions(index))
    return Statistics.of(
        torch.from_numpy(np.concatenate(states)), torch.from_numpy(np.concatenate(actions))
    )
