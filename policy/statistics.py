"""What the training data looked like, kept beside the weights that depend on it."""

from dataclasses import dataclass
from math import isfinite

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of every number of state and action, over `frames` frames.

    A policy pretrained on video alone has seen `frames` = 0 states: it can go on learning but not
    act.
    """

    frames: int = 0
    state_mean: tuple[float, ...] = (0.0,) * 15
    state_std: tuple[float, ...] = (1.0,) * 15
    action_mean: tuple[float, ...] = (0.0,) * 7
    action_std: tuple[float, ...] = (1.0,) * 7

    def __post_init__(self) -> None:
        for name, length in (
            ("state_mean", 15),
            ("state_std", 15),
            ("action_mean", 7),
            ("action_std", 7),
        ):
            if len(getattr(self, name)) != length:
                raise ValueError(
                    f"statistics: {name} holds {len(getattr(self, name))} numbers, not {length}"
                )
            for index, number in enumerate(getattr(self, name)):
                if not isfinite(number) or (name.endswith("std") and number <= 0):
                    wanted = "above 0" if name.endswith("std") else "finite"
                    raise ValueError(
                        f"statistics: {name}[{index}] is {number}; it must be {wanted}"
                    )

    @classmethod
    def of(cls, state: Float[Tensor, "n 15"], actions: Float[Tensor, "n 7"]) -> "Statistics":
        """The statistics of these frames. A number that never changes gets std 1."""

        def spread(values: Tensor) -> tuple[float, ...]:
            std = values.double().std(dim=0, correction=0)
            return tuple(torch.where(std > 1e-6, std, 1.0).tolist())

        return cls(
            frames=len(state),
            state_mean=tuple(state.double().mean(dim=0).tolist()),
            state_std=spread(state),
            action_mean=tuple(actions.double().mean(dim=0).tolist()),
            action_std=spread(actions),
        )
