"""The averaged weights of a model: what is measured, shown and saved."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from firsthand.training.optimizer import trainable


class EMA:
    """Exponential moving average of the trainable weights (Polyak and Juditsky 1992).

    After step s, average <- d average + (1 - d) weights with d = min(decay, (1 + s) / (10 + s)),
    so that a short run is not averaged with its random beginning.
    """

    def __init__(self, policy: nn.Module, decay: float) -> None:
        self.decay = decay
        self._weights = trainable(policy)
        self.values = {name: p.detach().clone() for name, p in self._weights.items()}

    def update(self, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        average = get_ema_multi_avg_fn(decay)
        average(list(self.values.values()), [p.detach() for p in self._weights.values()], None)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the policy carries the averaged weights; afterwards its own again."""
        own = [p.detach().clone() for p in self._weights.values()]
        self._overwrite(list(self.values.values()))
        try:
            yield
        finally:
            self._overwrite(own)

    @torch.no_grad()
    def _overwrite(self, values: list[Tensor]) -> None:
        for parameter, value in zip(self._weights.values(), values, strict=True):
            parameter.copy_(value)
