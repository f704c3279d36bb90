"""The optimisation loop of pretraining, fine-tuning and grounding."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from firsthand.common.errors import UserError
from firsthand.training.checkpoint import Checkpoints, TrainState
from firsthand.training.config import TrainConfig
from firsthand.training.distributed import Distributed, init_distributed
from firsthand.training.ema import EMA
from firsthand.training.logger import Logger, open_logs, report
from firsthand.training.optimizer import build_optimizer
from firsthand.training.precision import MixedPrecision
from firsthand.training.task import TrainTask
from firsthand.training.throughput import timed
from firsthand.training.train_step import TrainStep


@dataclass(frozen=True)
class TrainResult:
    """How a run ended.

    taken: steps taken by this call; 0 if the run was finished before.
    metrics: the last value of every train/* and val/* tag.
    checkpoint, best: directories; the averaged weights are in their `policy` folder.
    best_by: the held-out metric that was lowest at `best_step`; None if nothing was measured.
    seconds, windows_per_second: of the training steps taken by this call.
    """

    step: int
    taken: int
    metrics: Mapping[str, float]
    checkpoint: Path
    best: Path
    best_step: int
    best_by: str | None
    seconds: float
    windows_per_second: float


def train(
    task: TrainTask, config: TrainConfig, run_dir: Path, *, resume: bool = False
) -> TrainResult:
    """Train `task.model` and leave its checkpoints and logs in `run_dir`.

    Killed at any moment and called again with `resume`, it ends with the same bits as if it had
    never been killed. Under `torchrun` the processes share the work.

    Raises:
        UserError: there is nothing to learn from, the run directory is in use, a resumed run was
            begun under another configuration, or the run has diverged.
    """
    with init_distributed(config.threads) as team:
        model = task.model
        model.to(team.device).train()
        arithmetic = MixedPrecision.choose(config.precision, team.device)
        state = TrainState(model, build_optimizer(model, config), EMA(model, config.ema))
        machine = {
            "processes": team.size,
            "device": team.device.type,
            "arithmetic": str(arithmetic.dtype),
        }
        invariants = {**task.invariants(), **machine}
        store = Checkpoints(run_dir / "checkpoints", config, invariants)
        _begin(state, store, team, resume)
        begun = state.step
        stopwatch, batches = timed(model, task.batches(team, state.step), arithmetic, team)
        train_step = TrainStep(state, batches, config, team, arithmetic, stopwatch)
        with (
            open_logs(run_dir, state.step, write=team.is_main) as logs,
            report(task.title, config.steps, state.step, speak=team.is_main) as reporter,
        ):
            _describe(config, model, logs, state.step)
            while state.step < config.steps:
                train_step.step()
                reporter.advance()
                if config.due(config.log_every, state.step):
                    metrics = train_step.metrics()
                    state.record(metrics)
                    logs.scalars(metrics, state.step)
                    reporter.metrics(metrics["train/loss"], metrics["speed/windows_per_second"])
                improved = _validate(task, state, arithmetic, logs, config)
                if team.is_main:
                    _show(task, state, arithmetic, logs, config)
                    if improved or config.due(config.checkpoint_every, state.step):
                        logs.flush()
                        store.save(state)
            team.wait()
        return TrainResult(
            step=state.step,
            taken=state.step - begun,
            metrics=dict(state.metrics),
            checkpoint=store.path(state.step),
            best=store.path(state.best_step or state.step),
            best_step=state.best_step or state.step,
            best_by=state.best_by,
            seconds=stopwatch.total_seconds,
            windows_per_second=stopwatch.total_windows / max(stopwatch.total_seconds, 1e-9),
        )


def _begin(state: TrainState, store: Checkpoints, team: Distributed, resume: bool) -> None:
    """Fresh from the first process's weights, or where the newest checkpoint left off."""
    if not resume and store.newest() is not None:
        raise UserError(
            f"{store.folder} holds the checkpoints of an earlier run; "
            "continue it with resume=true, or choose another run directory"
        )
    store.restore(state)
    team.broadcast_weights(state.policy)
    if state.step == 0:
        state.average = EMA(state.policy, state.average.decay)
    team.wait()
    if team.is_main:
        store.repair(state.best_step)


def _describe(config: TrainConfig, model: nn.Module, logs: Logger, step: int) -> None:
    """The configuration and the size of the model as text, once a run."""
    if step == 0:
        rows = {name: str(value) for name, value in config.record().items()}
        learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
        rows["trainable parameters"] = f"{learning:,}"
        lines = [f"| {name} | {value} |" for name, value in rows.items()]
        logs.text("text/config", "\n".join(["| setting | value |", "|---|---|", *lines]), 0)


def _validate(
    task: TrainTask,
    state: TrainState,
    arithmetic: MixedPrecision,
    logs: Logger,
    config: TrainConfig,
) -> bool:
    """Logs the metrics on held-out data when it is time. True if they are the best so far.

    All processes do it, each for itself: they would only wait for one another.
    """
    if not config.due(config.validate_every, state.step):
        return False
    with state.ema_model() as model:
        found = task.validate(model, arithmetic)
    metrics = {f"val/{name}": value for name, value in found.items()}
    logs.scalars(metrics, state.step)
    state.record(metrics)
    return state.improve(metrics)


def _show(
    task: TrainTask,
    state: TrainState,
    arithmetic: MixedPrecision,
    logs: Logger,
    config: TrainConfig,
) -> None:
    """What the model predicts and does, when it is time."""
    if config.due(config.picture_every, state.step):
        with state.ema_model() as model:
            task.visualize(model, arithmetic, logs, state.step)
    if config.due(config.rollout_every, state.step):
        with state.ema_model() as model:
            task.rollout(model, logs, state.step)
