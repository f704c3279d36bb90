"""What a policy makes of recordings it does not learn from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from policy.batch import Batch
from training.config import TrainConfig
from training.loader import Embedder, WindowSource, held_out_batches
from training.metrics import evaluate_video, loss_tensors
from training.precision import Arithmetic

_SHOWN = 4  # windows in a picture


@dataclass(frozen=True)
class HeldOut:
    """A fixed random choice of held-out windows, and what is measured on them."""

    windows: WindowSource
    embed: Embedder
    config: TrainConfig
    arithmetic: Arithmetic

    def batches(self, size: int, count: int) -> Iterator[Batch]:
        device = self.arithmetic.device
        return held_out_batches(self.windows, self.embed, size, count, self.config.seed, device)

    def shown(self) -> Batch:
        """The few windows whose pictures are logged, the same every time."""
        return next(self.batches(_SHOWN, 1))

    @torch.no_grad()
    def figures(self, policy: Any) -> dict[str, float]:
        """Mean losses, and how well futures are predicted (see `evaluate_video`)."""
        sums: dict[str, float] = {}
        count = 0
        size, limit = self.config.batch_size, self.config.validate_batches
        with self.arithmetic.autocast():
            for batch in self.batches(size, limit):
                for name, loss in loss_tensors(policy(batch)).items():
                    sums[name] = sums.get(name, 0.0) + float(loss) * len(batch.valid)
                count += len(batch.valid)
            video = evaluate_video(policy, self.batches(size, limit))
        return {name: total / count for name, total in sums.items()} | video
