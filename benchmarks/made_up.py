"""Batches to measure a step with."""

from dataclasses import replace

import torch

from firsthand.policy.batch import Batch
from firsthand.policy.config import PolicyConfig


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
