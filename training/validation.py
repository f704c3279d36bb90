"""A policy's losses and predictions on recordings it does not learn from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from firsthand.policy.batch import Batch
from firsthand.training.config import TrainConfig
from firsthand.training.loader import Embedder, WindowSource, held_out_order, unshifted
from firsthand.training.metrics import evaluate_video
from firsthand.training.precision import MixedPrecision

_EXAMPLES, _AMONG = 4, 64  # windows whose predictions are logged, and of how many they are chosen


@dataclass(frozen=True)
class Validator:
    """A fixed random choice of held-out windows, and what is measured on them."""

    windows: WindowSource
    embed: Embedder
    config: TrainConfig
    arithmetic: MixedPrecision

    def batches(self, size: int, count: int) -> Iterator[Batch]:
        """At most `count` batches, the same ones every time."""
        chosen = held_out_order(self.windows, size * count, self.config.order_seed)
        for start in range(0, len(chosen), size):
            yield self.batch(chosen[start : start + size])[0]

    def batch(self, chosen: Sequence[int]) -> tuple[Batch, list[str]]:
        """Some windows, and their instructions."""
        some = [self.windows[index] for index in chosen]
        batch = unshifted(some, self.embed, self.arithmetic.device)
        return batch, [window.instruction for window in some]

    def examples(self) -> list[int]:
        """The few windows whose predictions are logged: of different recordings, if there are."""
        found = held_out_order(self.windows, _AMONG, self.config.order_seed)
        apart = {self.windows.course(index).windows: index for index in reversed(found)}
        first = sorted(apart.values(), key=found.index)
        return [*first, *(index for index in found if index not in first)][:_EXAMPLES]

    @torch.no_grad()
    def metrics(self, policy: Any) -> dict[str, float]:
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
