"""Word grounding: learn which utterances go with which frames, from one child's point of view.

CVCL (Vong et al. 2024): a contrastive pair of encoders, a frame drawn anew for each utterance in
every epoch, the other pairs of the batch as what does not belong together.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import cast

import numpy as np
import torch
from jaxtyping import Float64
from torch.utils.data import DataLoader, Dataset

from firsthand.common.errors import UserError
from firsthand.grounding.checkpoints.dino import load_vision
from firsthand.grounding.config import GroundingConfig
from firsthand.grounding.contrastive import PairBatch
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.pairs import FRAMES, UNCHANGED, PairConfig, Pairs
from firsthand.grounding.policy_encoder import as_the_policy
from firsthand.grounding.report.learning import heard
from firsthand.training.checkpoint import Checkpoints, TrainState
from firsthand.training.config import TrainConfig
from firsthand.training.distributed import Team, join
from firsthand.training.invariants import flatten
from firsthand.training.logger import Logger, open_logs
from firsthand.training.optimizer import Average, build_optimizer
from firsthand.training.precision import Arithmetic
from firsthand.training.progress import report
from firsthand.training.throughput import timed
from firsthand.training.train_step import Descent


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
    training = config.training
    with join(training.threads) as team:
        model.to(team.device).train()
        arithmetic = Arithmetic.choose(training.precision, team.device)
        state = TrainState(model, build_optimizer(model, training), Average(model, training.ema))
        store = _checkpoints(config, learned, held_out, run_dir, team, arithmetic)
        if not resume and store.newest() is not None:
            raise UserError(
                f"{store.folder} holds the checkpoints of an earlier run; "
                "continue it with resume=true, or choose another run directory"
            )
        store.restore(state)
        team.share_weights(model)
        if state.step == 0:
            state.average = Average(model, training.ema)
        told = _Told(learned, held_out)
        told.tell()
        batches = _batches(learned, training, team, state.step)
        begun = state.step
        stopwatch, batches = timed(model, batches, arithmetic, team)
        descent = Descent(state, batches, training, team, arithmetic, stopwatch)
        with (
            open_logs(run_dir, state.step, write=team.first) as logs,
            report("grounding", training.steps, state.step, speak=team.first) as reporter,
        ):
            while state.step < training.steps:
                descent.step()
                told.tell()
                reporter.advance()
                if training.due(training.log_every, state.step):
                    figures = descent.figures()
                    state.note(figures)
                    logs.scalars(figures, state.step)
                    reporter.figures(figures["train/loss"], figures["speed/windows_per_second"])
                improved = _measure(state, held_out, logs, training, arithmetic)
                told.tell()
                if team.first and training.due(training.picture_every, state.step):
                    with state.as_evaluated() as shown:
                        picture = heard(cast(GroundingModel, shown), held_out, training.batch_size)
                    logs.image("pictures/heard", picture, state.step)
                due = improved or training.due(training.checkpoint_every, state.step)
                if team.first and due:
                    logs.flush()
                    store.save(state)
            team.wait()
        best = store.path(state.best_step or state.step)
        metrics = dict(state.metrics)
        last = store.path(state.step) / "policy"
        taken = state.step - begun
        return GroundResult(state.step, taken, metrics, last, best / "policy", told.summaries())


def make_model(config: GroundConfig, pairs: Pairs) -> GroundingModel:
    """A new model that knows the corpus's words, with the encoder that is named."""
    words = replace(config.model.utterance, words=len(pairs.vocabulary))
    torch.manual_seed(config.training.seed)
    try:
        seen = as_the_policy(config.model.vision)
        model = GroundingModel(
            replace(config.model, vision=seen, utterance=words), pairs.vocabulary
        )
        load_vision(model)
    except ValueError as error:
        raise UserError(str(error)) from error
    return model


class _Told:
    """Names pictures that are lost, each once, as soon as that is known."""

    def __init__(self, *pairs: Pairs) -> None:
        self._pairs, self._counts = pairs, [0] * len(pairs)

    def tell(self) -> None:
        for place, (pairs, count) in enumerate(zip(self._pairs, self._counts, strict=True)):
            if len(pairs.lost) > count:
                pairs.check()
                for name, reason in list(pairs.lost.items())[count:]:
                    print(f"{pairs.folder / name}: {reason}; another picture is seen", flush=True)
                self._counts[place] = len(pairs.lost)

    def summaries(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(pairs.summary() for pairs in self._pairs if pairs.lost))


class _Numbered(Dataset[tuple[PairBatch, dict[str, str]]]):
    """Batches by their number, and the pictures known to be lost. Runs inside reader processes."""

    def __init__(self, pairs: Pairs, size: int, seed: int) -> None:
        self._pairs, self._size, self._seed = pairs, size, seed

    def __getitem__(self, number: int) -> tuple[PairBatch, dict[str, str]]:
        batch = self._pairs.batch(number, self._size, self._seed)
        return batch, dict(self._pairs.lost)


def _batches(pairs: Pairs, config: TrainConfig, team: Team, done: int) -> Iterator[PairBatch]:
    """This process's share of the batches from a given step on."""
    passes = range(done * config.accumulate, config.steps * config.accumulate)
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
        yield batch.to(team.device)


def _measure(
    state: TrainState, pairs: Pairs, logs: Logger, config: TrainConfig, arithmetic: Arithmetic
) -> bool:
    """Logs the held-out figures when it is time. True if they are the best so far.

    Over whole batches, because the loss depends on how many pairs there are to confuse; over one
    smaller batch if there is no whole one.
    """
    if not config.due(config.validate_every, state.step):
        return False
    size = min(config.batch_size, len(pairs))
    count = min(len(pairs) // size, config.validate_batches)
    sums: dict[str, float] = {}
    with state.as_evaluated() as model, arithmetic.autocast():
        for start in range(0, count * size, size):
            batch = pairs.rows(start, start + size).to(arithmetic.device)
            for name, value in model(batch).logged().items():
                sums[name] = sums.get(name, 0.0) + float(value) / count
    figures = {f"held_out/{name}": value for name, value in sums.items()}
    logs.scalars(figures, state.step)
    state.note(figures)
    return state.improve(figures)


def _checkpoints(
    config: GroundConfig,
    pairs: Pairs,
    held_out: Pairs,
    run_dir: Path,
    team: Team,
    arithmetic: Arithmetic,
) -> Checkpoints:
    conditions = {
        **flatten({"model": config.model, "pairs": config.pairs}),
        "learned": config.learned,
        "held_out": config.held_out,
        "data": pairs.fingerprint,
        "held-out data": held_out.fingerprint,
        "weights": "" if pairs.weights is None else sha256(pairs.weights.tobytes()).hexdigest(),
        "processes": team.size,
        "device": team.device.type,
        "arithmetic": str(arithmetic.dtype),
    }
    return Checkpoints(run_dir / "checkpoints", config.training, conditions)
