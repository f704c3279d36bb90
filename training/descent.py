"""One optimiser step, and the figures of the steps since they were last asked for."""

from collections.abc import Iterator

import numpy as np
import torch

from episodes.errors import UserError
from policy.batch import Batch
from policy.contrast import PairBatch
from training.checkpoint import TrainState
from training.config import TrainConfig
from training.distributed import Team
from training.optimizer import learning_rate, trainable
from training.precision import Arithmetic
from training.throughput import Stopwatch


class Descent:
    """Takes steps down the gradient. Nothing here waits for the device except `figures`."""

    def __init__(
        self,
        state: TrainState,
        batches: Iterator[Batch] | Iterator[PairBatch],
        config: TrainConfig,
        team: Team,
        arithmetic: Arithmetic,
        stopwatch: Stopwatch,
    ) -> None:
        self._state, self._batches, self._config = state, batches, config
        self._team, self._arithmetic, self._stopwatch = team, arithmetic, stopwatch
        self._parameters = list(trainable(state.policy).values())
        self._forward = torch.compile(state.policy) if config.compile else state.policy

    def step(self) -> None:
        """Accumulates gradients over the passes of a step, averages, clips and applies them."""
        with self._stopwatch.running(self._config.windows_per_pass * self._team.size):
            step = self._state.step + 1
            for part in range(self._config.accumulate):
                self._add_gradients(step, part)
            self._team.average_gradients(self._parameters)
            norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._config.clip)
            rate = learning_rate(step, self._config)
            for group in self._state.optimizer.param_groups:
                group["lr"] = rate
            self._state.optimizer.step()
            self._state.optimizer.zero_grad(set_to_none=True)
            self._state.average.update(step)
            self._state.norms.add({"grad_norm": norm})
            self._state.step = step

    def _add_gradients(self, step: int, part: int) -> None:
        with self._stopwatch.waiting():
            batch = next(self._batches)
        torch.manual_seed(seed_of(self._config.seed, step, part, self._team.rank))
        with self._arithmetic.autocast():
            losses = self._forward(batch)
        (losses.total / self._config.accumulate).backward()
        self._state.losses.add(losses.logged())

    def figures(self) -> dict[str, float]:
        """Means since the last call: losses over all processes, gradient norm, rates.

        Raises:
            UserError: the loss is not finite.
        """
        losses = self._state.losses.read(self._team)
        norms = self._state.norms.read(self._team)
        step = self._state.step
        if not np.isfinite(losses["loss"]):
            raise UserError(
                f"the loss became {losses['loss']} by step {step}; "
                "start again with a lower learning_rate or a longer warmup"
            )
        return (
            {f"train/{name}": value for name, value in losses.items()}
            | {"optim/lr": learning_rate(step, self._config), "optim/grad_norm": norms["grad_norm"]}
            | {f"speed/{name}": value for name, value in self._stopwatch.read().items()}
        )


def seed_of(*key: int) -> int:
    """A seed for torch from small integers: what is drawn in a step depends on nothing else."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))
