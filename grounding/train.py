"""Word grounding: learn which utterances go with which frames, from one child's point of view.

CVCL (Vong et al. 2024): a contrastive pair of encoders, a frame drawn anew for each utterance in
every epoch, the other pairs of the batch as what does not belong together.
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
from firsthand.grounding.pairs import FRAMES, UNCHANGED, PairConfig, Pairs
from firsthand.grounding.report.learning import heard
from firsthand.training.config import TrainConfig
from firsthand.training.distributed import Distributed
from firsthand.training.invariants import flatten
from firsthand.training.logger import Logger
from firsthand.training.loop import train
from firsthand.training.precision import MixedPrecision


@dataclass(frozen=True)
class GroundConfig:
    """`learned` and `held_out` name the files of utterances, `frames` the folder of pictures;
    `links` in the corpus are followed wherever they lead, or refused.

    `train_shuffled.json` is CVCL's control, in which utterances go with frames of others. The words
    that the model knows are those of the corpus's `vocab.json`, whatever `utterance.words` says.
    """

    model: GroundingConfig = field(default_factory=GroundingConfig)
    pairs: PairConfig = field(default_factory=PairConfig)
    training: TrainConfig = field(default_factory=TrainConfig)
    learned: str = "train.json"
    held_out: str = "val.json"
    frames: str = FRAMES
    links: bool = False

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
    """How a run ended: its last figures, and the folders of the last and the best model.

    taken: steps taken by this call; 0 if the run was finished before. lost: of which pictures how
    many cannot be used, in words.
    """

    step: int
    taken: int
    metrics: dict[str, float]
    model: Path
    best: Path
    lost: tuple[str, ...] = ()


def ground(
    config: GroundConfig,
    root: Path,
    run_dir: Path,
    *,
    weights: Float64[np.ndarray, " n"] | None = None,
    resume: bool = False,
) -> GroundResult:
    """Train a model on the corpus at `root`; checkpoints and logs are left in `run_dir`.

    `weights` say how often to draw each of the utterances that have frames; all alike if not given.
    Killed at any moment and called again with `resume`, it ends with the same bits as if it had
    never been killed.

    Raises:
        UserError: the corpus cannot be read, the encoder's weights do not fit, the run directory is
            in use, or a resumed run was begun under another configuration.
    """
    clip = config.model.clip
    learned = Pairs(
        root,
        config.pairs,
        clip=clip,
        file=config.learned,
        frames=config.frames,
        links=config.links,
        weights=weights,
    )
    measured = replace(
        UNCHANGED, size=config.pairs.size, length=config.pairs.length, about=config.pairs.about
    )
    held_out = Pairs(
        root,
        measured,
        clip=clip,
        file=config.held_out,
        frames=config.frames,
        links=config.links,
    )
    model = make_model(config, learned)
    task = GroundingTask(model, learned, held_out, config)
    result = train(task, config.training, run_dir, resume=resume)
    return GroundResult(
        result.step,
        result.taken,
        dict(result.metrics),
        result.checkpoint / "policy",
        result.best / "policy",
        task.lost(),
    )


def make_model(config: GroundConfig, pairs: Pairs) -> GroundingModel:
    """A new model that knows the corpus's words, with the encoder that is named."""
    words = replace(config.model.utterance, words=len(pairs.vocabulary))
    torch.manual_seed(config.training.seed)
    try:
        seen = with_policy_encoder(config.model.vision)
        model = GroundingModel(
            replace(config.model, vision=seen, utterance=words), pairs.vocabulary
        )
        load_vision(model)
    except ValueError as error:
        raise UserError(str(error)) from error
    return model


class GroundingTask:
    """A word-grounding model that learns from pairs (a `training.task.TrainTask`)."""

    title = "grounding"

    def __init__(
        self, model: GroundingModel, learned: Pairs, held_out: Pairs, config: GroundConfig
    ) -> None:
        self.model, self.config = model, config
        self._learned, self._held_out = learned, held_out
        self._told = [0, 0]  # of the lost pictures of each, how many were named

    def batches(self, team: Distributed, start: int) -> Iterator[PairBatch]:
        self._tell()
        config, pairs = self.config.training, self._learned
        passes = range(start * config.accumulate, config.steps * config.accumulate)
        loader = DataLoader(
            _Numbered(pairs, config.batch_size, config.order_seed),
            sampler=[number * team.size + team.rank for number in passes],
            batch_size=None,
            num_workers=config.workers,
            multiprocessing_context="spawn" if config.workers else None,
            prefetch_factor=4 if config.workers else None,
        )
        for batch, lost in loader:
            pairs.take(lost)
            self._tell()
            yield batch.to(team.device)

    def validate(self, model: GroundingModel, arithmetic: MixedPrecision) -> Mapping[str, float]:
        """Over whole batches, because the loss depends on how many pairs there are to confuse; over
        one smaller batch if there is no whole one."""
        config, pairs = self.config.training, self._held_out
        size = min(config.batch_size, len(pairs))
        count = min(len(pairs) // size, config.validate_batches)
        sums: dict[str, float] = {}
        with arithmetic.autocast():
            for start in range(0, count * size, size):
                batch = pairs.rows(start, start + size).to(arithmetic.device)
                for name, value in model(batch).logged().items():
                    sums[name] = sums.get(name, 0.0) + float(value) / count
        self._tell()
        return sums

    def visualize(
        self, model: GroundingModel, arithmetic: MixedPrecision, logs: Logger, step: int
    ) -> None:
        picture = heard(model, self._held_out, self.config.training.batch_size)
        logs.image("pictures/heard", picture, step)

    def rollout(self, model: GroundingModel, logs: Logger, step: int) -> None:
        """It does not act."""

    def invariants(self) -> Mapping[str, Any]:
        pairs = self._learned
        return {
            **flatten({"model": self.config.model, "pairs": self.config.pairs}),
            "learned": self.config.learned,
            "held_out": self.config.held_out,
            "data": pairs.fingerprint,
            "held-out data": self._held_out.fingerprint,
            "weights": "" if pairs.weights is None else sha256(pairs.weights.tobytes()).hexdigest(),
        }

    def lost(self) -> tuple[str, ...]:
        """Of which pictures how many cannot be used, in words."""
        both = (self._learned, self._held_out)
        return tuple(dict.fromkeys(pairs.summary() for pairs in both if pairs.lost))

    def _tell(self) -> None:
        """Name pictures that are lost, each once, as soon as that is known."""
        for place, pairs in enumerate((self._learned, self._held_out)):
            if len(pairs.lost) > self._told[place]:
                pairs.check()
                for name, reason in list(pairs.lost.items())[self._told[place] :]:
                    print(f"{pairs.folder / name}: {reason}; another picture is seen", flush=True)
                self._told[place] = len(pairs.lost)


class _Numbered(Dataset[tuple[PairBatch, dict[str, str]]]):
    """Batches by their number, and the pictures known to be lost. Runs inside reader processes."""

    def __init__(self, pairs: Pairs, size: int, seed: int) -> None:
        self._pairs, self._size, self._seed = pairs, size, seed

    def __getitem__(self, number: int) -> tuple[PairBatch, dict[str, str]]:
        batch = self._pairs.batch(number, self._size, self._seed)
        return batch, dict(self._pairs.lost)
