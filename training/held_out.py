"""What a policy makes of recordings it does not learn from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from policy.batch import Batch
from training.config import TrainConfig
from training.loader import Embedder, WindowSource, held_out_order, unshifted
from training.metrics import evaluate_video
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
        """At most `count` batches, the same ones every time."""
        chosen = held_out_order(self.windows, size * count, self.config.order_seed)
        for start in range(0, len(chosen), size):
            some = [self.windows[index] for index in chosen[start : start + size]]
            yield unshifted(some, self.embed, self.arithmetic.device)

    def shown(self) -> tuple[Batch, list[str]]:
        """The few windows whose pictures are logged, and their instructions."""
        chosen = held_out_order(self.windows, _SHOWN, self.config.order_seed)
        some = [self.windows[index] for index in chosen]
        batch = unshifted(some, self.embed, self.arithmetic.device)
        return batch, [window.instruction for window in some]

    @torch.no_grad()
    def figures(self, policy: Any) -> dict[str, float]:
        """Mean losses, and how well futures are predicted (see `evaluate_video`)."""
        sums: dict[str, float] = {}
        count = 0
        size, limit = self.config.batch_size, self.config.validate_batches
        with self.arithmetic.autocast():
            for batch in self.batches(size, limit):
                for name, loss in policy(batch).logged().items():
                    sums[name] = sums.get(name, 0.0) + float(loss) * len(batch.valid)
                count += len(batch.valid)
            video = evaluate_video(policy, self.batches(size, limit))
        return {name: total / count for name, total in sums.items()} | video
