"""Other projects' names for weights, as tables of rows, and how a table is followed."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
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


Shape = tuple[int, ...]

COUNTS = "num_batches_tracked"  # of batch normalisation: the only whole numbers among weights


@dataclass(frozen=True)
class Transform:
    """What is to be done to their tensors to get ours; `shape` says which shape of theirs fits."""

    shape: Callable[[Shape], Shape]
    tensor: Callable[[Sequence[Tensor]], Tensor]


AS_IS = Transform(lambda ours: ours, lambda theirs: theirs[0])
# GPT-2's Conv1D keeps its matrices the other way round; so does CLIP its projection.
TRANSPOSED = Transform(lambda ours: ours[::-1], lambda theirs: theirs[0].t())
# A vector there has dimensions of size 1 before its own.
IN_3_DIMENSIONS = Transform(lambda ours: (1, 1, *ours), lambda theirs: theirs[0][0, 0])
IN_4_DIMENSIONS = Transform(lambda ours: (1, 1, 1, *ours), lambda theirs: theirs[0][0, 0, 0])
# Query, key and value in one matrix there, in three here.
FIRST, SECOND, THIRD = (
    Transform(
        lambda ours: (3 * ours[0], *ours[1:]),
        lambda theirs, part=part: theirs[0].chunk(3)[part],
    )
    for part in range(3)
)
# The same the other way round.
JOINED = Transform(lambda ours: (ours[0] // 3, *ours[1:]), lambda theirs: torch.cat(list(theirs)))


@dataclass(frozen=True)
class KeyMap:
    """Their name (or several), our name, and what is to be done.

    `{i}` stands for a number and a final `*` for the rest of a name, the same on both sides.
    """

    theirs: str | tuple[str, ...]
    ours: str
    change: Transform = AS_IS

    def within(self, theirs: str, ours: str) -> "KeyMap":
        """The same row for weights that have these prefixes."""
        return replace(
            self,
            theirs=tuple(f"{theirs}{name}" for name in self._theirs),
            ours=f"{ours}{self.ours}",
        )

    def sources(self, ours: str) -> tuple[str, ...] | None:
        """Their names for this weight of ours; None if the row is about others."""
        found = _pattern(self.ours).fullmatch(ours)
        if found is None:
            return None
        parts = found.groupdict()
        return tuple(
            name.replace("{i}", parts.get("i", "")).replace("*", parts.get("rest", ""))
            for name in self._theirs
        )

    @property
    def _theirs(self) -> tuple[str, ...]:
        return (self.theirs,) if isinstance(self.theirs, str) else self.theirs


def translate(
    weights: Mapping[str, Tensor], rows: Sequence[KeyMap], wanted: Shapes, dropped: Shapes
) -> dict[str, Tensor]:
    """Their weights under our names.

    Args:
        weights: all of theirs; each must be used, or be one of `dropped`.
        rows: the table; the first row that fits a name of ours counts.
        wanted: the names and shapes of ours that are to be filled.
        dropped: names and shapes of theirs that have no place here and must be there all the same.

    Raises:
        ValueError: weights are missing, too many, of another shape, not finite or no floating-point
            numbers, each by its name in the source.
    """
    plan = {name: _find(name, rows) for name in wanted}
    if wrong := shape_mismatches(shapes_of(weights), {**dropped, **needed(rows, wanted)}):
        raise ValueError(wrong)
    if wild := sorted(name for name, value in weights.items() if not _finite(value)):
        raise ValueError(f"{len(wild)} not finite: {listed(wild)}")
    used = {source for sources, _ in plan.values() for source in sources}
    counts = {name for name in used if name.endswith(COUNTS)}
    if whole := sorted(n for n in used - counts if not weights[n].is_floating_point()):
        raise ValueError(f"{len(whole)} no floating-point numbers: {listed(whole)}")
    return {
        name: change.tensor([weights[source] for source in sources])
        for name, (sources, change) in plan.items()
    }


def needed(rows: Sequence[KeyMap], wanted: Shapes) -> dict[str, Shape]:
    """The names and shapes of theirs that fill `wanted`."""
    theirs: dict[str, Shape] = {}
    for name, shape in wanted.items():
        sources, change = _find(name, rows)
        theirs |= dict.fromkeys(sources, change.shape(shape))
    return theirs


def _finite(value: Tensor) -> bool:
    """A sum is quick, and finite if everything is and nothing overflows."""
    return bool(value.sum(dtype=torch.float32).isfinite()) or bool(value.isfinite().all())


def _find(ours: str, rows: Sequence[KeyMap]) -> tuple[tuple[str, ...], Transform]:
    for row in rows:
        if (sources := row.sources(ours)) is not None:
            return sources, row.change
    raise AssertionError(f"no row of the table is about {ours}")


@lru_cache(maxsize=1024)
def _pattern(name: str) -> re.Pattern[str]:
    escaped = re.escape(name).replace(r"\{i\}", r"(?P<i>\d+)").replace(r"\*", "(?P<rest>.+)")
    return re.compile(escaped)
