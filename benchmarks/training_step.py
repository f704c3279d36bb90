"""A training step's samples a second: windows one by one, or cut from a sequence encoded once.

Both layouts hold the same number of windows of the same length, take the same step (forward,
backward, optimiser) on the same policy and run by turns, so that whatever else the machine does
disturbs both alike. Loading and decoding are not part of it.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from statistics import median

import torch

from firsthand.benchmarks.made_up import made_up_batch
from firsthand.policy.batch import Batch
from firsthand.policy.config import PolicyConfig
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics
from firsthand.training.config import Precision, TrainConfig
from firsthand.training.optimizer import build_optimizer
from firsthand.training.precision import MixedPrecision
from firsthand.training.throughput import count_flops, matmul_peak, settle


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
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    arithmetic = MixedPrecision.choose(precision, device)
    torch.manual_seed(seed)
    model = Policy(policy, Statistics(frames=1)).to(device).train()
    sequence = replace(policy, n_obs_steps=policy.n_obs_steps + windows - 1)
    layouts = {
        "windows": made_up_batch(policy, windows, act=True).to(device),
        "sequence": made_up_batch(sequence, 1, act=True).to(device),
    }
    step = _stepper(model, arithmetic)
    taken: dict[str, list[float]] = {name: [] for name in layouts}
    for number in range(tries + 1):
        for name, batch in layouts.items():
            begun = time.perf_counter()
            step(batch)
            settle(device)
            if number:
                taken[name].append(time.perf_counter() - begun)
    peak = matmul_peak(arithmetic)
    for name, batch in layouts.items():
        flops = count_flops(model, batch, arithmetic) * len(batch.valid) / windows
        seconds = median(taken[name])
        rate = windows / seconds
        frames = batch.valid.numel()
        yield StepRate(name, windows, frames, seconds, rate, flops / 1e9, rate * flops / peak)


def _stepper(model: Policy, arithmetic: MixedPrecision) -> Callable[[Batch], None]:
    optimizer = build_optimizer(model, TrainConfig())

    def step(batch: Batch) -> None:
        with arithmetic.autocast():
            losses = model(batch)
        losses.total.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step
