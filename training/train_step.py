"""One optimiser step, and the metrics of the steps since they were last read.

A step whose loss or gradient is not finite is left out, as AMP's gradient scaler and DeepSpeed do:
weights, optimiser and batch order are those of a run in which it changed nothing. A run of which
half the steps are left out, three at least, has diverged and is stopped.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from firsthand.common.errors import UserError
from firsthand.training.checkpoint import TrainState
from firsthand.training.config import TrainConfig
from firsthand.training.distributed import Distributed
from firsthand.training.optimizer import learning_rate, trainable
from firsthand.training.precision import MixedPrecision
from firsthand.training.task import TrainBatch
from firsthand.training.throughput import Stopwatch

_SEVERAL = 3  # steps left out, of which fewer are no sign that a run has diverged


class TrainStep:
    """Takes optimiser steps. Nothing here waits for the device except `metrics`."""

    def __init__(
        self,
        state: TrainState,
        batches: Iterator[TrainBatch],
        config: TrainConfig,
        team: Distributed,
        arithmetic: MixedPrecision,
        stopwatch: Stopwatch,
    ) -> None:
        self._state, self._batches, self._config = state, batches, config
        self._team, self._arithmetic, self._stopwatch = team, arithmetic, stopwatch
        self._parameters = list(trainable(state.policy).values())
        self._forward = torch.compile(state.policy) if config.compile else state.policy

    def step(self) -> None:
        """Accumulates gradients over the passes of a step, averages, clips and applies them."""
        state = self._state
        with self._stopwatch.running(self._config.windows_per_pass * self._team.size):
            step = state.step + 1
            with self._stopwatch.waiting():
                batches = [next(self._batches) for _ in range(self._config.accumulate)]
            expected = self._expected(batches)
            losses = [self._add_gradients(step, *each, expected) for each in enumerate(batches)]
            self._team.average_gradients(self._parameters)
            norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._config.clip)
            sound = torch.stack([*losses, norm.to(losses[0].device)]).isfinite().all()
            unsound = self._team.anywhere(~sound)
            rate = learning_rate(step, self._config)
            for group in state.optimizer.param_groups:
                group["lr"] = rate
            state.optimizer.found_inf = unsound.float()  # pyright: ignore  # fused: it does nothing
            state.optimizer.step()
            state.optimizer.zero_grad(set_to_none=True)
            state.average.update(step)
            state.norms.add({"grad_norm": norm})
            state.leave_out(step, unsound)
            state.step = step

    def _expected(self, batches: Sequence[Any]) -> Float[Tensor, "2"] | None:
        """What a pass is judged by, on average over all passes of all processes: each counts by
        its own, so that the step is that of one large batch. None if there is one pass, or if
        nothing in it can be missing."""
        count = getattr(self._state.policy, "targets", None)
        if count is None or len(batches) * self._team.size == 1:
            return None
        return self._team.mean(torch.stack([count(batch) for batch in batches]).mean(0))

    def _add_gradients(
        self, step: int, part: int, batch: Any, expected: Float[Tensor, "2"] | None
    ) -> Float[Tensor, ""]:
        """Returns the loss of a pass."""
        torch.manual_seed(seed_of(self._config.seed, step, part, self._team.rank))
        with self._arithmetic.autocast():
            losses = self._forward(batch, *(() if expected is None else (expected,)))
        (losses.total / self._config.accumulate).backward()
        self._state.losses.add(losses.logged())
        return losses.total.detach().float()

    def metrics(self) -> dict[str, float]:
        """Means since the last call: losses over all processes, gradient norm, rates.

        Raises:
            UserError: the loss or the gradient was not finite in half of the steps or more, and in
                several.
        """
        with self._stopwatch.running(0):  # until the device is done
            losses = self._state.losses.read(self._team)
            norms = self._state.norms.read(self._team)
        step = self._state.step
        left_out, first, steps, row = self._state.read_left_out()
        if left_out:
            words = (
                f"{left_out} of the last {steps} steps had a loss or gradient that is not finite "
                f"and changed nothing, the first step {first} ({self._batches_of(first)})"
            )
            if 2 * left_out >= steps and max(left_out, row) >= _SEVERAL:
                raise UserError(
                    f"{words}: by step {step} the run has diverged; look at those windows, or "
                    "start again with a lower learning_rate or a longer warmup"
                )
            if self._team.is_main:
                print(words, flush=True)
        return (
            {f"train/{name}": value for name, value in losses.items()}
            | ({"optim/steps_left_out": float(left_out)} if left_out else {})
            | {"optim/lr": learning_rate(step, self._config), "optim/grad_norm": norms["grad_norm"]}
            | {f"speed/{name}": value for name, value in self._stopwatch.read().items()}
        )

    def _batches_of(self, step: int) -> str:
        """Which batches of the order all processes saw in a step."""
        each = self._config.accumulate * self._team.size
        if each == 1:
            return f"batch {step - 1}"
        return f"batches {(step - 1) * each} to {step * each - 1}"


def seed_of(*key: int) -> int:
    """A seed for torch from small integers: what is drawn in a step depends on nothing else."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))
