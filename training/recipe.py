"""What pretraining and fine-tuning share: how a policy learns from windows of recordings."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from firsthand.common.errors import UserError
from firsthand.common.ranks import rank
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.episode import WindowSpec
from firsthand.episodes.sampling.mixture import Part, parts_of
from firsthand.episodes.sampling.windows import FrameCacheConfig
from firsthand.policy.config import PolicyConfig
from firsthand.policy.policy import Policy
from firsthand.training.config import TrainConfig
from firsthand.training.data import WindowLoading, sequence_spec, windows_one_by_one
from firsthand.training.distributed import Distributed
from firsthand.training.invariants import flatten, hash_of_data
from firsthand.training.loader import Embedder, TrainLoader, WindowSource
from firsthand.training.logger import Logger
from firsthand.training.loop import TrainResult, train
from firsthand.training.measures.best_blur import BestBlur
from firsthand.training.measures.linear_probe import (
    LinearProbe,
    find_probe,
    probe_metrics,
    required_probe,
)
from firsthand.training.precision import MixedPrecision
from firsthand.training.precompute_features import with_features
from firsthand.training.task import TrainBatch
from firsthand.training.validation import Validator, best_blurs
from firsthand.training.visualize.gif import Film
from firsthand.training.visualize.predictions import log_predictions, log_rollout

Rollout = Callable[[Any, int], Mapping[str, float | Film]]


@dataclass(frozen=True)
class RecipeConfig:
    """What is trained, how, and how its windows are read."""

    policy: PolicyConfig = field(default_factory=PolicyConfig)
    """The model."""
    training: TrainConfig = field(default_factory=TrainConfig)
    """How it is optimised."""
    sequence: int | None = None
    """Frames of a training sample, at least the policy's window; None: the window. From a longer
    one every window in it is learned, each frame encoded once."""
    in_memory: bool | None = None
    """Decode all pictures once and keep them; None: if they fit. Otherwise recordings are decoded
    as their turn comes, and kept in a `pool` while their windows are learned from."""
    pool: FrameCacheConfig = field(default_factory=FrameCacheConfig)
    """What is kept in memory of recordings that are decoded as their turn comes."""
    features: bool = False
    """Learn from what a frozen encoder made of the pictures (`firsthand features`)."""
    probe: tuple[str, ...] | str = ""
    """Recordings that say where things are: at every validation that is read out of the policy
    (`firsthand probe`). A corpus, or files and folders of episodes; empty: those held out."""


@dataclass
class PolicyTask:
    """A policy that learns from windows of recordings (a `training.task.TrainTask`).

    act: `act(policy, step)` acts in a world with the averaged weights and returns numbers and films
        to log; None: it does not act while it learns.
    agreed: what a resumed run must agree in (`training.invariants`), besides the windows.
    read_singly: the same as `windows`, from which a few are read without decoding their neighbours.
    probe: what is read out of the policy at every validation, besides.
    """

    model: Any
    windows: WindowSource
    held_out_windows: WindowSource
    config: TrainConfig
    act: Rollout | None
    agreed: Mapping[str, Any]
    read_singly: WindowSource | None = None
    probe: LinearProbe | None = None
    title: str = "training"

    @cached_property
    def blurs(self) -> Mapping[str, BestBlur]:
        sizes = {camera.name: camera.size for camera in self.model.config.cameras}
        order = self.windows.order(self.config.order_seed)
        windows = self.windows if self.read_singly is None else self.read_singly
        return best_blurs(windows, order, sizes)

    @cached_property
    def embed(self) -> Embedder:
        return Embedder(self.model.encode_instructions)

    def batches(self, team: Distributed, start: int) -> Iterator[TrainBatch]:
        return iter(TrainLoader(self.windows, self.embed, self.config, team, start))

    def held_out(self, arithmetic: MixedPrecision) -> Validator:
        return Validator(self.held_out_windows, self.embed, self.config, arithmetic, self.blurs)

    def validate(self, model: Any, arithmetic: MixedPrecision) -> Mapping[str, float]:
        metrics = self.held_out(arithmetic).metrics(model)
        if self.probe is None:
            return metrics
        return metrics | probe_metrics(self.probe(model, self.embed, arithmetic))

    def visualize(self, model: Any, arithmetic: MixedPrecision, logs: Logger, step: int) -> None:
        with arithmetic.autocast():
            log_predictions(model, self.held_out(arithmetic), logs, step)

    def rollout(self, model: Any, logs: Logger, step: int) -> None:
        if self.act is not None:
            log_rollout(self.act(model, step), logs, step)

    def invariants(self) -> Mapping[str, Any]:
        return {
            **self.agreed,
            "windows": len(self.windows),
            "order": str(self.windows.order(self.config.order_seed)),
        }


def train_policy(
    policy: Any,
    windows: WindowSource,
    held_out_windows: WindowSource,
    config: TrainConfig,
    run_dir: Path,
    *,
    resume: bool = False,
    rollout: Rollout | None = None,
    invariants: Mapping[str, Any] | None = None,
) -> TrainResult:
    """Train a policy (`policy.policy.Policy`) on windows; see `training.loop.train`."""
    task = PolicyTask(policy, windows, held_out_windows, config, rollout, invariants or {})
    return train(task, config, run_dir, resume=resume)


def train_on_windows(
    config: RecipeConfig,
    parts: Sequence[Part],
    spec: WindowSpec,
    make_policy: Callable[[], tuple[Policy, Mapping[str, Any]]],
    run_dir: Path,
    *,
    resume: bool = False,
    rollout: Rollout | None = None,
) -> TrainResult:
    """Train a new policy on the windows of corpora.

    make_policy: called with torch seeded; returns the policy, and what a resumed run must agree in
        besides the configuration and the data.

    Raises:
        UserError: a file cannot be read, a split is empty, features are missing, or a resumed run
            was begun with other settings or data.
    """
    long = sequence_spec(spec, config.sequence)
    reading = WindowLoading(config.in_memory, config.pool, config.training.workers)
    learned, held_out = reading.windows(parts, long, spec)
    torch.manual_seed(config.training.seed)
    policy, more = make_policy()
    if config.features:
        learned = with_features(learned, policy, config.training)
    invariants = flatten({
        "policy": config.policy, "sequence": config.sequence, "features": config.features,
        "data": hash_of_data(parts), **more,
    })  # fmt: skip
    task = PolicyTask(
        policy, learned, held_out, config.training, rollout, invariants,
        windows_one_by_one(parts, long), _probe(config, parts),
    )  # fmt: skip
    return train(task, config.training, run_dir, resume=resume)


def _probe(config: RecipeConfig, parts: Sequence[Part]) -> LinearProbe | None:
    """On the recordings that are named; or on those held out, if they say enough."""
    cameras = [camera.name for camera in config.policy.cameras]
    if config.probe:
        return required_probe(parts_of(Corpus.open(config.probe)), cameras, None)
    try:
        return find_probe(parts, cameras, "valid")
    except UserError as error:
        if rank() == 0:
            print(f"no linear probe while learning: {error}", flush=True)
        return None
