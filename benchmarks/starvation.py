"""How much of a training step passes waiting for data."""

import time
from dataclasses import dataclass

import torch

from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.sampling.windows import FrameCacheConfig, Windows
from firsthand.finetune.recipe import window_spec
from firsthand.policy.config import PolicyConfig
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics
from firsthand.training.config import TrainConfig
from firsthand.training.distributed import Distributed
from firsthand.training.loader import Embedder, TrainLoader
from firsthand.training.optimizer import build_optimizer
from firsthand.training.precision import MixedPrecision
from firsthand.training.throughput import settle

UNMEASURED = 10  # steps: readers are started, fill their pools and work ahead


@dataclass(frozen=True)
class Starvation:
    """step: seconds of a training step; waiting: seconds of it spent waiting for the batch."""

    step: float
    waiting: float

    @property
    def share(self) -> float:
        return self.waiting / self.step


def starvation(
    corpus: Corpus, policy: PolicyConfig, pool: FrameCacheConfig, config: TrainConfig
) -> Starvation:
    """Means over the steps of fine-tuning out of pools, as recipes read a corpus that
    does not fit in memory, after a few that are not measured."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    arithmetic = MixedPrecision.choose(config.precision, device)
    torch.manual_seed(config.seed)
    model = Policy(policy, Statistics(frames=1)).to(device).train()
    optimizer = build_optimizer(model, config)
    windows = Windows(corpus, window_spec(policy), pool=pool, verify=False)
    embed = Embedder(model.encode_instructions)
    batches = iter(TrainLoader(windows, embed, config, Distributed(device=device), 0))
    waited = 0.0
    begun = time.perf_counter()
    for step in range(config.steps):  # more than are not measured
        if step == UNMEASURED:
            waited, begun = 0.0, time.perf_counter()
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
        with arithmetic.autocast():
            losses = model(batch)
        losses.total.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        settle(device)
    measured = config.steps - UNMEASURED
    return Starvation((time.perf_counter() - begun) / measured, waited / measured)
