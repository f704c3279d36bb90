"""Everything that decides how a policy is optimised, checked when it is made."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from firsthand.common.errors import UserError
from firsthand.training.augment import ColorConfig

Precision = Literal["auto", "bf16", "fp32"]

# What may differ when a run is resumed: none of these changes a weight.
FREE_ON_RESUME = frozenset(
    {
        "log_every",
        "validate_every",
        "validate_batches",
        "picture_every",
        "checkpoint_every",
        "keep_last",
        "rollout_every",
        "workers",
    }
)


@dataclass(frozen=True)
class TrainConfig:
    """One run of the optimisation loop. Periods are in optimiser steps, and the last step counts.

    Raises:
        UserError: a value is out of range.
    """

    steps: int = 10_000
    """Optimiser steps of the run."""
    batch_size: int = 64
    """Windows of one forward pass of one process; an optimiser step sees batch_size x accumulate x
    processes windows."""
    accumulate: int = 1
    """Forward passes of one optimiser step."""
    learning_rate: float = 1e-3
    """AdamW's, at its peak."""
    warmup: int = 100
    """Steps over which the learning rate rises linearly, before it falls along a cosine."""
    final_lr_ratio: float = 0.01
    """What is left of the learning rate at the last step, over its peak."""
    weight_decay: float = 0.05
    """AdamW's, of matrices and kernels."""
    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW's decays of the gradient's running mean and of its square's."""
    clip: float = 1.0
    """Largest norm of the gradient; infinity for no clipping."""
    ema: float = 0.998
    """Decay of the running average of the weights, a step, reached gradually; 0 for no average."""
    precision: Precision = "auto"
    """Of matrix products: `bf16`, `fp32`, or `auto`, which is bf16 where the processor multiplies
    it natively."""
    seed: int = 0
    """Of the weights that are drawn and of dropout; and of the data if `data_seed` is None."""
    data_seed: int | None = None
    """Of the order of the windows, of their random changes and of the held-out choice."""
    shift: Mapping[str, int] = field(default_factory=dict)
    """Largest random translation of the pictures in pixels, by camera (DrQ, Kostrikov et al.
    2020); one draw for a whole window, its future pictures included."""
    color: ColorConfig = field(default_factory=ColorConfig)
    """Random changes of the pictures' colours; one draw for a whole window and all its cameras."""
    log_every: int = 20
    """Steps between two lines of train/*, optim/* and speed/*."""
    validate_every: int = 500
    """Steps between two measurements on held-out windows; 0: never."""
    validate_batches: int = 8
    """Batches of `batch_size` held-out windows that are measured."""
    picture_every: int = 500
    """Steps between two pictures of predictions in TensorBoard; 0: never."""
    checkpoint_every: int = 500
    """Steps between two checkpoints, besides those of the best held-out loss; 0: these alone."""
    keep_last: int = 2
    """How many of the newest checkpoints stay on disk, besides the best."""
    rollout_every: int = 0
    """Steps between two trials in a world; 0: never."""
    workers: int = 0
    """Processes that read windows; 0 reads them between the steps."""
    threads: int = 0
    """Threads of this process for tensor work; 0 is torch's choice (every core), which a resumed
    run keeps."""
    compile: bool = False
    """Whether the forward pass is compiled (`torch.compile`)."""

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "accumulate", "validate_batches", "keep_last"):
            self._require(name, getattr(self, name) >= 1, "1 or more")
        periods = ("log_every", "validate_every", "picture_every", "checkpoint_every")
        for name in (*periods, "rollout_every", "warmup", "workers", "threads", "seed"):
            self._require(name, getattr(self, name) >= 0, "0 or more")
        self._require("data_seed", self.order_seed >= 0, "0 or more")
        self._require("log_every", self.log_every >= 1, "1 or more")
        self._require("learning_rate", 0 < self.learning_rate < math.inf, "positive")
        self._require("final_lr_ratio", 0 <= self.final_lr_ratio <= 1, "between 0 and 1")
        self._require("weight_decay", 0 <= self.weight_decay < math.inf, "0 or more")
        self._require("clip", self.clip > 0, "positive (infinity for no clipping)")
        self._require("ema", 0 <= self.ema < 1, "at least 0 and below 1")
        self._require("precision", self.precision in get_args(Precision), "auto, bf16 or fp32")
        in_range = len(self.betas) == 2 and all(0 <= beta < 1 for beta in self.betas)
        self._require("betas", in_range, "two numbers, at least 0 and below 1")
        if self.warmup > self.steps:
            raise UserError(
                f"warmup={self.warmup} is longer than the run, steps={self.steps}; lower warmup"
            )
        for camera, pixels in self.shift.items():
            if pixels < 0:
                raise UserError(f"shift.{camera} must be 0 or more pixels, not {pixels}")

    def _require(self, name: str, holds: bool, wanted: str) -> None:
        if not holds:
            raise UserError(f"{name} must be {wanted}, not {getattr(self, name)}")

    def due(self, every: int, step: int) -> bool:
        """Whether to do what is done every so many steps and after the last one; 0 is never."""
        return every > 0 and (step % every == 0 or step == self.steps)

    @property
    def windows_per_pass(self) -> int:
        """Windows of one process in one optimiser step."""
        return self.batch_size * self.accumulate

    @property
    def order_seed(self) -> int:
        """What decides everything about the data that is random."""
        return self.seed if self.data_seed is None else self.data_seed

    def record(self) -> dict[str, Any]:
        """The configuration as plain JSON values."""
        values = dataclasses.asdict(self)
        return values | {"betas": list(self.betas), "shift": dict(self.shift)}
