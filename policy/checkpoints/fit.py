"""Whether weights fill a model: what is missing, what is too much, what has another shape."""

from collections.abc import Mapping

from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]

SHOWN = 10  # names of each kind that a message lists


def shapes_of(weights: Mapping[str, Tensor]) -> Shapes:
    return {name: tuple(value.shape) for name, value in weights.items()}


def shape_mismatches(given: Shapes, wanted: Shapes) -> str:
    """What keeps `given` from filling `wanted`, counted and by name; empty if nothing does."""
    shapes = [
        f"{name} is {given[name]}, not {wanted[name]}"
        for name in sorted(given.keys() & wanted.keys())
        if given[name] != wanted[name]
    ]
    kinds = (
        ("missing", sorted(wanted.keys() - given.keys())),
        ("unexpected", sorted(given.keys() - wanted.keys())),
        ("of another shape", shapes),
    )
    return "; ".join(f"{len(names)} {kind}: {listed(names)}" for kind, names in kinds if names)


def listed(names: list[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
