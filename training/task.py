"""What the optimisation loop asks of what it trains: a model, its batches, how it is measured."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from firsthand.training.distributed import Distributed
from firsthand.training.logger import Logger
from firsthand.training.precision import MixedPrecision


@runtime_checkable
class TrainBatch(Protocol):
    """What a forward pass takes: windows of recordings, pairs of images and utterances."""

    @property
    def size(self) -> int:
        """How many samples it holds."""
        ...

    def to(self, device: torch.device | str) -> "TrainBatch": ...


@runtime_checkable
class TrainLosses(Protocol):
    """What a forward pass returns: `total` is differentiated, `logged` is written down."""

    @property
    def total(self) -> Float[Tensor, ""]: ...

    def logged(self) -> Mapping[str, Float[Tensor, ""]]: ...


@runtime_checkable
class TrainTask(Protocol):
    """What one run trains. The loop calls it; it does not know the loop."""

    title: str  # on the progress bar
    model: Any

    def batches(self, team: Distributed, start: int) -> Iterator[TrainBatch]:
        """This process's share of the batches from step `start` on, on its device."""
        ...

    def validate(self, model: Any, arithmetic: MixedPrecision) -> Mapping[str, float]:
        """Metrics on held-out data, by name; `loss` or `loss_action` decides which step is best."""
        ...

    def visualize(self, model: Any, arithmetic: MixedPrecision, logs: Logger, step: int) -> None:
        """Log pictures of what the model does."""
        ...

    def rollout(self, model: Any, logs: Logger, step: int) -> None:
        """Let the model act, if it can, and log how it did."""
        ...

    def invariants(self) -> Mapping[str, Any]:
        """What a resumed run must agree in besides its `TrainConfig`, as plain JSON values."""
        ...
