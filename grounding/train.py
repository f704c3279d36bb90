"""Training of word grounding, CVCL (Vong et al. 2024): two encoders, trained contrastively on
utterances and frames of their time; a frame is drawn anew for each utterance in every epoch, the
other pairs of the batch are the negatives.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch.utils.data import DataLoader, Dataset

from firsthand.common.errors import UserError
from firsthand.grounding.checkpoints.dino import load_vision
from firsthand.grounding.config import GroundingConfig
from firsthand.grounding.contrastive import PairBatch
from firsthand.grounding.image_encoder import with_policy_encoder
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.pairs import FRAMES, PairConfig, Pairs
from firsthand.grounding.report.learning import nearest_utterances
from firsthand.training.config import TrainConfig
from firsthand.training.distributed import Distributed
from firsthand.training.invariants import flatten
from firsthand.training.loader import worker_options
from firsthand.training.logger import Logger
from firsthand.training.loop import train
from firsthand.training.precision import MixedPrecision


@dataclass(frozen=True)
class GroundConfig:
    """One training run."""

    model: GroundingConfig = field(default_factory=GroundingConfig)
    """The model; its `utterance.words` is replaced by the size of the corpus's `vocab.json`."""
    pairs: PairConfig = field(default_factory=PairConfig)
    """How pairs are drawn and augmented."""
    training: TrainConfig = field(default_factory=TrainConfig)
    """Optimisation; `shift`, `color` and `rollout_every` must be off."""
    learned: str = "train.json"
    """The file of training utterances in the corpus; `train_shuffled.json` is CVCL's control."""
    held_out: str = "val.json"
    """The file of validation utterances."""
    frames: str = FRAMES
    """The corpus's folder of images."""
    links: bool = False
    """Whether links in the corpus are followed wherever they lead; False: those that lead out of
    it are refused."""

    def __post_init__(self) -> None:
        if self.pairs.size != self.model.vision.size:
            raise UserError(
                f"pairs.size={self.pairs.size} is not model.vision.size={self.model.vision.size}"
            )
        if self.pairs.length > self.model.utterance.length:
            raise UserError(
                f"pairs.length={self.pairs.length} is longer than "
                f"model.utterance.length={self.model.utterance.length}"
            )
        if self.training.shift or self.training.rollout_every or not self.training.color.off:
            raise UserError(
                "training.shift, training.color and training.rollout_every mean nothing to "
                "grounding; pairs says how pictures are changed"
            )


@dataclass(frozen=True)
class GroundResult:
    """How a run ended."""

    step: int
    """Optimiser steps of the run."""
    taken: int
    """Of these by this call; 0 if the run was finished before."""
    metrics: dict[str, float]
    """The last ones, by their names in logs."""
    model: Path
    """Folder of the last model."""
    best: Path
    """Folder of the model with the lowest validation loss."""
    lost: tuple[str, ...] = ()
    """A message for each file of utterances with images that cannot be used."""


def ground(
    config: GroundConfig,
    root: Path,
    run_dir: Path,
    *,
    weights: Float64[np.ndarray, " n"] | None = None,
    resume: bool = False,
) -> GroundResult:
    """Train a model on the corpus at `root`; checkpoints and logs are left in `run_dir`.

    weights: how often to draw each of the utterances that have frames; None: all equally often.
    Killed at any moment and called again with `resume`, it ends with the same bits as if it had
    never been killed.

    Raises:
        UserError: the corpus cannot be read, the encoder's weights do not fit, the run directory is
            in use, or a resumed run was begun under another configuration.
    """
    train_pairs = open_pairs(config, root, config.pairs, config.learned, weights)
    val_pairs = open_pairs(config, root, config.pairs.unaugmented(), config.held_out)
    model = make_model(config, train_pairs)
    task = GroundingTask(model, train_pairs, val_pairs, config)
    result = train(task, config.training, run_dir, resume=resume)
    return GroundResult(
        result.step,
        result.taken,
        dict(result.metrics),
        result.checkpoint / "policy",
        result.best / "policy",
        task.lost(),
    )


def open_pairs(
    config: GroundConfig,
    root: Path,
    pairs: PairConfig,
    file: str,
    weights: Float64[np.ndarray, " n"] | None = None,
) -> Pairs:
    """The pairs of one file of the corpus, for the configured clips and folder of images."""
    clip, frames, links = config.model.clip, config.frames, config.links
    return Pairs(root, pairs, clip=clip, file=file, frames=frames, links=links, weights=weights)


def make_model(config: GroundConfig, pairs: Pairs) -> GroundingModel:
    """A new model with the corpus's vocabulary and the configured image encoder."""
    words = replace(config.model.utterance, words=len(pairs.vocabulary))
    torch.manual_seed(config.training.seed)
    try:
        vision = with_policy_encoder(config.model.vision)
        model = GroundingModel(
            replace(config.model, vision=vision, utterance=words), pairs.vocabulary
        )
        load_vision(model)
    except ValueError as error:
        raise UserError(str(error)) from error
    return model


class GroundingTask:
    """Training of a word-grounding model on pairs (a `training.task.TrainTask`)."""

    title = "grounding"

    def __init__(
        self, model: GroundingModel, train_pairs: Pairs, val_pairs: Pairs, config: GroundConfig
    ) -> None:
        self.model, self.config = model, config
        self._train_pairs, self._val_pairs = train_pairs, val_pairs
        self._reported = [0, 0]  # lost images of each that were reported

    def batches(self, team: Distributed, start: int) -> Iterator[PairBatch]:
        self._report_lost()
        config, pairs = self.config.training, self._train_pairs
        passes = range(start * config.accumulate, config.steps * config.accumulate)
        loader = DataLoader(
            _Numbered(pairs, config.batch_size, config.order_seed),
            sampler=[number * team.size + team.rank for number in passes],
            batch_size=None,
            **worker_options(config.workers),
        )
        for batch, lost in loader:
            pairs.merge_lost(lost)
            self._report_lost()
            yield batch.to(team.device)

    def validate(self, model: GroundingModel, arithmetic: MixedPrecision) -> Mapping[str, float]:
        """Mean metrics over whole batches, because the loss depends on the number of negatives;
        over one smaller batch if there is no whole one."""
        config, pairs = self.config.training, self._val_pairs
        size = min(config.batch_size, len(pairs))
        count = min(len(pairs) // size, config.validate_batches)
        sums: dict[str, float] = {}
        with arithmetic.autocast():
            for start in range(0, count * size, size):
                batch = pairs.rows(start, start + size).to(arithmetic.device)
                for name, value in model(batch).logged().items():
                    sums[name] = sums.get(name, 0.0) + float(value) / count
        self._report_lost()
        return sums

    def visualize(
        self, model: GroundingModel, arithmetic: MixedPrecision, logs: Logger, step: int
    ) -> None:
        picture = nearest_utterances(model, self._val_pairs, self.config.training.batch_size)
        logs.image("pictures/heard", picture, step)

    def rollout(self, model: GroundingModel, logs: Logger, step: int) -> None:
        """Nothing: it does not act."""

    def invariants(self) -> Mapping[str, Any]:
        pairs = self._train_pairs
        return {
            **flatten({"model": self.config.model, "pairs": self.config.pairs}),
            "learned": self.config.learned,
            "held_out": self.config.held_out,
            "data": pairs.fingerprint,
            "held-out data": self._val_pairs.fingerprint,
            "weights": "" if pairs.weights is None else sha256(pairs.weights.tobytes()).hexdigest(),
        }

    def lost(self) -> tuple[str, ...]:
        """A message for each file of utterances with images that cannot be used."""
        both = (self._train_pairs, self._val_pairs)
        return tuple(dict.fromkeys(pairs.summary() for pairs in both if pairs.lost))

    def _report_lost(self) -> None:
        """Print lost images, each once, as soon as that is known."""
        for number, pairs in enumerate((self._train_pairs, self._val_pairs)):
            if len(pairs.lost) > self._reported[number]:
                pairs.check()
                for name, reason in list(pairs.lost.items())[self._reported[number] :]:
                    print(f"{pairs.folder / name}: {reason}; another picture is seen", flush=True)
                self._reported[number] = len(pairs.lost)


class _Numbered(Dataset[tuple[PairBatch, dict[str, str]]]):
    """Batches by number, and the images known to be lost. Runs inside reader processes."""

    def __init__(self, pairs: Pairs, size: int, seed: int) -> None:
        self._pairs, self._size, self._seed = pairs, size, seed

    def __getitem__(self, number: int) -> tuple[PairBatch, dict[str, str]]:
        batch = self._pairs.batch(number, self._size, self._seed)
        return batch, dict(self._pairs.lost)
