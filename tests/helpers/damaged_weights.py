"""Ways to spoil a set of weights."""

from collections.abc import Callable

from torch import Tensor

Weights = dict[str, Tensor]


def alone(name: str, change: Callable[[Tensor], object]) -> Callable[[Weights], dict]:
    """Changes the one of that name."""
    return lambda weights: weights | {name: change(weights[name])}


def spoilt(value: float) -> Callable[[Tensor], Tensor]:
    """Another value for one of many numbers."""

    def spoil(weights: Tensor) -> Tensor:
        other = weights.clone()
        other.view(-1)[5] = value
        return other

    return spoil
