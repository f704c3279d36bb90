"""A training step: samples a second in two layouts of a batch, and how long it waits for data.

Windows one by one, or cut from a sequence each frame of which is encoded once. Both layouts hold
the same number of windows of the same length, take the same step (forward, backward, optimiser) on
the same policy and run by turns, so that whatever else the machine does disturbs both alike;
loading and decoding are not part of it.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from statistics import median

import torch

from firsthand.benchmarks.stopwatch import timed_call
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.sampling.windows import FrameCacheConfig, Windows
from firsthand.finetune.recipe import window_spec
from firsthand.policy.batch import Batch
from firsthand.policy.config import PolicyConfig
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics
from firsthand.training.config import Precision, TrainConfig
from firsthand.training.distributed import Distributed
from firsthand.training.loader import Embedder, TrainLoader
from firsthand.training.optimizer import build_optimizer
from firsthand.training.precision import MixedPrecision
from firsthand.training.throughput import count_flops, matmul_peak, settle

UNMEASURED = 10  # steps: readers are started, fill their pools and work ahead


@dataclass(frozen=True)
class StepRate:
    """One layout of a batch.

    samples: windows in it; frames: pictures encoded for each camera; seconds: of a step (median);
    rate: samples a second; gflop: operations of one sample, forward and backward; utilisation:
    those against the largest rate at which this machine was seen to multiply matrices.
    """

    layout: str
    samples: int
    frames: int
    seconds: float
    rate: float
    gflop: float
    utilisation: float


@dataclass(frozen=True)
class Waiting:
    """How long a training step waits for data."""

    step: float
    """Seconds of a training step."""
    waiting: float
    """Seconds of it spent waiting for the batch."""

    @property
    def share(self) -> float:
        return self.waiting / self.step


def step_rates(
    policy: PolicyConfig, windows: int, tries: int, precision: Precision, seed: int
) -> Iterator[StepRate]:
    """The plain layout, then the one in which a frame is encoded once.

    Args:
        policy: whose step is measured, with random weights.
        windows: in a batch.
        tries: steps measured of each layout, after one that is not.
        precision: of matrix products.
        seed: of the weights.
    """
    device, arithmetic, model = _model(policy, precision, seed)
    sequence = replace(policy, n_obs_steps=policy.n_obs_steps + windows - 1)
    layouts = {
        "windows": made_up_batch(policy, windows, act=True).to(device),
        "sequence": made_up_batch(sequence, 1, act=True).to(device),
    }
    step = _stepper(model, TrainConfig(), arithmetic)
    taken: dict[str, list[float]] = {name: [] for name in layouts}
    for number in range(tries + 1):
        for name, batch in layouts.items():
            _, milliseconds = timed_call(device, step, batch)
            if number:
                taken[name].append(milliseconds / 1000)
    peak = matmul_peak(arithmetic)
    for name, batch in layouts.items():
        flops = count_flops(model, batch, arithmetic) * len(batch.valid) / windows
        seconds = median(taken[name])
        rate = windows / seconds
        frames = batch.valid.numel()
        yield StepRate(name, windows, frames, seconds, rate, flops / 1e9, rate * flops / peak)


def waiting(
    corpus: Corpus, policy: PolicyConfig, pool: FrameCacheConfig, config: TrainConfig
) -> Waiting:
    """Means over the steps of fine-tuning out of pools, as recipes read a corpus that
    does not fit in memory, after a few that are not measured."""
    device, arithmetic, model = _model(policy, config.precision, config.seed)
    step = _stepper(model, config, arithmetic)
    windows = Windows(corpus, window_spec(policy), pool=pool, verify=False)
    embed = Embedder(model.encode_instructions)
    batches = iter(TrainLoader(windows, embed, config, Distributed(device=device), 0))
    waited, begun = 0.0, time.perf_counter()
    for number in range(config.steps):  # more than are not measured
        if number == UNMEASURED:
            waited, begun = 0.0, time.perf_counter()
        batch, milliseconds = timed_call(device, lambda: next(batches))
        waited += milliseconds / 1000
        step(batch)
        settle(device)
    measured = config.steps - UNMEASURED
    return Waiting((time.perf_counter() - begun) / measured, waited / measured)


def _model(
    policy: PolicyConfig, precision: Precision, seed: int
) -> tuple[torch.device, MixedPrecision, Policy]:
    """A policy with random weights that learns, where it does and in which numbers."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(seed)
    model = Policy(policy, Statistics(frames=1)).to(device).train()
    return device, MixedPrecision.choose(precision, device), model


def _stepper(
    model: Policy, config: TrainConfig, arithmetic: MixedPrecision
) -> Callable[[Batch], None]:
    optimizer = build_optimizer(model, config)

    def step(batch: Batch) -> None:
        with arithmetic.autocast():
            losses = model(batch)
        losses.total.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def made_up_batch(policy: PolicyConfig, size: int, *, act: bool) -> Batch:
    """Windows of the right shapes, full of noise.

    `act` says whether they hold states and actions, and pictures of every camera; else they hold
    the first camera's alone, as videos do.
    """
    generator = torch.Generator().manual_seed(0)
    steps, chunk = policy.n_obs_steps, policy.action.chunk_size

    def pictures() -> dict[str, torch.Tensor]:
        cameras = policy.cameras if act else policy.cameras[:1]
        return {
            c.name: torch.randint(
                0, 256, (size, steps, 3, c.size, c.size), dtype=torch.uint8, generator=generator
            )
            for c in cameras
        }

    batch = Batch(
        images=pictures(),
        valid=torch.ones(size, steps, dtype=torch.bool),
        instruction=torch.randn(size, policy.language.width, generator=generator),
        future=pictures(),
        future_valid=torch.ones(size, steps, dtype=torch.bool),
    )
    if not act:
        return batch
    return replace(
        batch,
        state=torch.randn(size, steps, 15, generator=generator),
        actions=torch.randn(size, steps, chunk, 7, generator=generator),
        actions_valid=torch.ones(size, steps, chunk, dtype=torch.bool),
    )
