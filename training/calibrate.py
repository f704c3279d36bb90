"""How many steps fit into a time: measured on this machine before a run that has a deadline."""

import time
from dataclasses import replace

import torch

from policy.batch import Batch
from policy.config import PolicyConfig
from policy.policy import Policy
from policy.statistics import Statistics
from training.config import TrainConfig
from training.optimizer import Average, build_optimizer
from training.precision import Arithmetic


def seconds_per_step(policy: PolicyConfig, config: TrainConfig, *, act: bool, steps: int) -> float:
    """The median time of an optimiser step on made-up windows (one process, `config.threads`).

    `act` says whether the windows hold states and actions, and pictures of every camera; else they
    hold the first camera's alone, as videos do.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    arithmetic = Arithmetic.choose(config.precision, torch.device("cpu"))
    model = Policy(policy, Statistics(frames=1))
    optimizer, average = build_optimizer(model, config), Average(model, config.ema)
    batch = made_up_batch(policy, config.batch_size, act=act)
    taken = []
    for step in range(1, steps + 1):
        begun = time.perf_counter()
        for _ in range(config.accumulate):
            with arithmetic.autocast():
                losses = model(batch)
            losses.total.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update(step)
        taken.append(time.perf_counter() - begun)
    return sorted(taken)[steps // 2]


def made_up_batch(policy: PolicyConfig, size: int, *, act: bool) -> Batch:
    """Windows of the right shapes, full of noise."""
    generator = torch.Generator().manual_seed(0)
    steps, chunk = policy.length, policy.action.chunk

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
