"""Future-frame pretraining: watch recordings with their narrations, predict what comes next.

GR-1's first stage (Wu et al. 2024): instruction and pictures in, no state and no actions, one loss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firsthand.common.errors import UserError
from firsthand.common.ranks import rank
from firsthand.episodes.episode import WindowSpec
from firsthand.episodes.sampling.mixture import Corpora, Part, parts_of
from firsthand.episodes.sampling.windows import to_frames
from firsthand.policy.checkpoints.encoders import load_encoders
from firsthand.policy.config import PolicyConfig
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics
from firsthand.training.loop import TrainResult
from firsthand.training.recipe import RecipeConfig, train_on_windows


@dataclass(frozen=True)
class PretrainConfig(RecipeConfig):
    """How a policy is pretrained."""


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
    parts = parts_of(corpora)
    for split in ("train", "valid"):
        check_futures(parts, split, config.policy)

    def make_policy() -> tuple[Policy, Mapping[str, Any]]:
        policy = Policy(config.policy, Statistics())
        try:
            load_encoders(policy)
        except ValueError as error:
            raise UserError(str(error)) from error
        return policy, {}

    spec = window_spec(config.policy)
    return train_on_windows(config, parts, spec, make_policy, run_dir, resume=resume)


def window_spec(policy: PolicyConfig) -> WindowSpec:
    """The windows that a policy learns to watch: history and future, no states or actions."""
    return WindowSpec(
        length=policy.n_obs_steps,
        stride=policy.obs_stride_s,
        cameras=tuple(camera.name for camera in policy.cameras),
        future=policy.horizon_s,
        state=False,
        narrated=policy.narration.enabled,
    )


def check_futures(parts: Sequence[Part], split: str, policy: PolicyConfig) -> None:
    """Say how many recordings end before anything that is to be predicted: a future that ends with
    what is said, or with the recording, may be the very next frame.

    Raises:
        UserError: all of them do.
    """
    future, short, seconds = policy.horizon_s, [], []
    for corpus in (part.corpus for part in parts if split in part.corpus.splits):
        rows = corpus.recordings[corpus.split(split)]
        rates, which = np.unique(rows["fps"], return_inverse=True)
        least = [1 if policy.narration.enabled else to_frames(future, float(f)) for f in rates]
        ahead = np.array(least)[which]
        short.append(rows["length"] <= ahead)
        seconds.append(rows["length"] / rows["fps"])
    if not short or not (count := int(np.concatenate(short).sum())):
        return
    longest = max(float(some.max()) for some in seconds)
    if count == sum(map(len, short)):
        raise UserError(
            f"there is nothing to predict in split {split!r}: policy.horizon_s looks {future:g} s "
            f"ahead, and the longest recording lasts {longest:.2g} s; lower policy.horizon_s, or "
            "take longer recordings"
        )
    if rank() == 0:
        print(
            f"{count} of {sum(map(len, short))} recordings in split {split!r} are not longer than "
            f"policy.horizon_s={future:g} s: they teach nothing",
            flush=True,
        )
