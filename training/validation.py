"""A policy's losses and predictions on recordings it does not learn from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from firsthand.episodes.sampling.order import Order
from firsthand.policy.batch import Batch
from firsthand.training.augment import UNCHANGED
from firsthand.training.config import TrainConfig
from firsthand.training.loader import Embedder, WindowSource, collate, held_out_order, unshifted
from firsthand.training.measures.best_blur import BestBlur, fit_best_blurs
from firsthand.training.measures.future_prediction import evaluate_video
from firsthand.training.precision import MixedPrecision

_BLURS_BATCH, _BLURS_BATCHES = 32, 8  # windows from which the best blurs are found
_EXAMPLES, _AMONG = 4, 64  # windows whose predictions are logged, and of how many they are chosen


@dataclass(frozen=True)
class Validator:
    """A fixed random choice of held-out windows, and what is measured on them.

    blurs: by camera, the guesses at the future that a prediction has to be better than.
    """

    windows: WindowSource
    embed: Embedder
    config: TrainConfig
    arithmetic: MixedPrecision
    blurs: Mapping[str, BestBlur]

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
            video = evaluate_video(policy, self.batches(size, limit), self.blurs)
        return {name: total / count for name, total in sums.items()} | video


def best_blurs(
    windows: WindowSource, order: Order, sizes: Mapping[str, int]
) -> dict[str, BestBlur]:
    """The best blur of each camera on the first windows of an order.

    sizes: edge of the predicted pictures in pixels, by camera.
    """

    def batches() -> Iterator[Batch]:
        size = min(_BLURS_BATCH, len(windows))
        for number in range(_BLURS_BATCHES):
            some = [windows[index] for _, index in order.batch(number, size)]
            _, fields = collate(some, [UNCHANGED] * len(some))
            if "future" not in fields:
                return
            yield Batch(instruction=torch.zeros(len(some), 0), **fields)  # which no blur reads

    return fit_best_blurs(batches(), sizes)
