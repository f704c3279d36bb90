"""AdamW's parameter groups, and the learning rate of a step."""

import math

import torch
from torch import nn

from firsthand.training.config import TrainConfig

_NO_DECAY_MODULES = (nn.Embedding, nn.LayerNorm, nn.RMSNorm, nn.GroupNorm)


def trainable(policy: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that learn, by name; a parameter used in two places appears once."""
    return {name: p for name, p in policy.named_parameters() if p.requires_grad}


def parameter_groups(policy: nn.Module, weight_decay: float) -> list[dict]:
    """Splits the trainable parameters in two: matrices and kernels decay, the rest does not.

    The rest: vectors (biases, gains), everything inside norms and embeddings, and parameters that
    hang directly in a module instead of weighing its input (queries, positions, special tokens:
    any tensor not called `weight...`).
    """
    decayed: dict[str, nn.Parameter] = {}
    spared: dict[str, nn.Parameter] = {}
    modules = dict(policy.named_modules())
    for name, parameter in trainable(policy).items():
        owner, _, leaf = name.rpartition(".")
        decays = (
            parameter.ndim >= 2
            and "weight" in leaf
            and not isinstance(modules[owner], _NO_DECAY_MODULES)
        )
        (decayed if decays else spared)[name] = parameter
    both = [*decayed.values(), *spared.values()]
    assert len({id(p) for p in both}) == len(both) == len(trainable(policy))
    return [
        {"params": list(decayed.values()), "weight_decay": weight_decay},
        {"params": list(spared.values()), "weight_decay": 0.0},
    ]


def build_optimizer(policy: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019), one fused kernel for all parameters."""
    groups = [g for g in parameter_groups(policy, config.weight_decay) if g["params"]]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)


def learning_rate(step: int, config: TrainConfig) -> float:
    """The rate of step 1, 2, ..., `steps`: a linear rise to the peak, then a cosine to the floor.

    rate(s) = peak s / warmup                                           for s <= warmup
            = peak (floor + (1 - floor) (1 + cos(pi x)) / 2),  x = (s - warmup) / (steps - warmup)
    """
    if step <= config.warmup:
        return config.learning_rate * step / config.warmup
    progress = (step - config.warmup) / (config.steps - config.warmup)
    cosine = (1 + math.cos(math.pi * min(progress, 1.0))) / 2
    return config.learning_rate * (config.final_lr_ratio + (1 - config.final_lr_ratio) * cosine)
